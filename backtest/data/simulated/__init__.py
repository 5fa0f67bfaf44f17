"""The simulated market: seeded paths that look like a coin's, and named scenarios."""
