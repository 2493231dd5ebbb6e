"""Shared ground: clock, errors, database, web, jobs, evidence (ledger) and register (registry)."""
