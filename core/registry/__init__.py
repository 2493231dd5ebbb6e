"""The register: who, what, where, and who answers for it."""
