"""Puts the other packages together and ships them."""
