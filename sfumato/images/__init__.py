"""Reading and writing photos; ``sfumato.images.codec`` is the entrance."""
