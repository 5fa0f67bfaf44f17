"""The report of an optimization: one page with its verdict, figures and pictures."""
