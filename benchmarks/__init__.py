"""How fast gridcore is, measured as ratios within one process."""
