"""What the product does, measured beside a peer that does the bare minimum of it, in the same run."""
