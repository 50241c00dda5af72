"""Slow baselines: style transfer, textures, inversion and doodles, by their papers' formulas."""
