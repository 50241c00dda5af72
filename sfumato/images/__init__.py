"""Reading and writing photos; ``sfumato.image_codec`` is the entrance."""
