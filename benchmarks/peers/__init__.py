"""The same static hedge grid on the same bars in gridcore, by hand and in other backtesters: speed, memory, and every fill compared."""
