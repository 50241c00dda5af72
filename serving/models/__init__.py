"""The models in the folder: finding, loading, watching and replacing them while they serve."""
