"""The built-in strategies, one to a file, and the table of their compiled programs."""
