"""Evaluation: how well a bundle paints, on photos that its training never saw."""
