"""Placeholder removed with the verifier."""
