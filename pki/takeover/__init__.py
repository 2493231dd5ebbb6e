"""Taking over a certification authority that runs elsewhere: what it leaves, what of it comes over, and the act."""
