"""One style more for a trained network: only its row is learned, everything else is frozen."""
