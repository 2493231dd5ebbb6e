"""Notices: duties leave the building by mail, webhook and syslog; one digest a post, never one for each duty.

Begin with ``digest.py`` (when, and what), then ``outbox.py`` (intention, sending, outcome).
"""
