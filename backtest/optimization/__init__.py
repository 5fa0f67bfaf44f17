"""Searching for parameters, and the evidence that what was found is more than luck."""
