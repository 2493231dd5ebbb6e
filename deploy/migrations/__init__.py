"""Migrations of the store (Alembic): every upgrade runs on SQLite and PostgreSQL."""
