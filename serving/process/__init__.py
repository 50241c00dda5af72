"""The process itself: memory, open files, cores and standard streams."""
