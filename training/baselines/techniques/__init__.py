"""The techniques: each is a recipe over the engine, and a sub-command."""
