"""What is measured of a style: losses, judge, flaws, stability, speed."""
