"""Evidence: an append-only log in the C2SP tlog-tiles form, signed by checkpoints."""
