"""Slow pictures: the engine of all techniques that change pixels until an objective is content."""
