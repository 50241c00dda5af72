"""What training hands to serving: bundles, style files, rows, cards and blends."""
