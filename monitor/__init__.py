"""The watched border: what crossed, whose it was, who answers for it."""
