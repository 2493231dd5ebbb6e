"""Taking over an authority that ran elsewhere."""
