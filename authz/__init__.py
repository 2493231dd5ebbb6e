"""Decisions: who may do what in which security domain, and why."""
