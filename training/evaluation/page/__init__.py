"""The page that `evaluate` writes, and the tables for model cards."""
