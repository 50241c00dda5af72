"""Videos: reading, painting and writing them, with their sound."""
