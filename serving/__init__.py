"""The gRPC application: serves the bundles of a model folder (``python -m serving``)."""
