"""What surrounds the steps of a run: going on, checkpoints, signals, progress bar, threads."""
