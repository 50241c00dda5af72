"""Colours of any file to sRGB: ICC profiles, and spaces described by numbers."""
