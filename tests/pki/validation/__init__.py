"""Certification path validation."""
