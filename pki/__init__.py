"""Certificates: issue, revoke, tell their status."""
