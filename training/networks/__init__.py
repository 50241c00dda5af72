"""The transformation networks, the loss network and classifiers; they know no Lightning."""
