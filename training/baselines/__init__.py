"""Slow optimization baselines: one loop, many images, objectives and optimizers."""
