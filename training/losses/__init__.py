"""Content, style and total-variation losses; they know no Lightning."""
