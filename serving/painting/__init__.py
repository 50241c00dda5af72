"""The way of a photo: decode, blend, wait for a batch, paint, encode."""
