"""Whether the optimizer fools its owner: markets without an edge, markets with a planted one, and the verdicts on them."""
