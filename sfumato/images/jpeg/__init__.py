"""JPEG: what Pillow does not tell of the file."""
