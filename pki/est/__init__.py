"""Enrolment over Secure Transport (RFC 7030): certificates for machines, over the service's own mutual TLS.

``api.py`` is what clients meet; ``message.py`` reads and writes what they send and get.
"""
