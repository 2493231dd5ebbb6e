"""Duties: what waits for somebody, addressed to a post and so to the person who holds it now."""
