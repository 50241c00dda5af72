"""Generated protocol messages and stubs; `python protos/generate.py` writes them."""
