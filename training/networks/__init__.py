"""The transformation networks and the loss network; they know no Lightning."""
