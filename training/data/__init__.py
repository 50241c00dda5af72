"""Photos and paintings, from files to tensors."""
