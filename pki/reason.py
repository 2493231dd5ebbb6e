"""Revocation reasons (RFC 5280, 5.3.1) and nothing else. Pure."""

from cryptography.x509 import ReasonFlags

from pki.errors import UnknownReason

#: The reasons that can be given, by their wire word; codes as in the CRLReason enumeration.
CODES = {
    "unspecified": 0,
    "key-compromise": 1,
    "affiliation-changed": 3,
    "superseded": 4,
    "cessation-of-operation": 5,
    "privilege-withdrawn": 9,
}

_FLAGS = {
    0: ReasonFlags.unspecified,
    1: ReasonFlags.key_compromise,
    3: ReasonFlags.affiliation_changed,
    4: ReasonFlags.superseded,
    5: ReasonFlags.cessation_of_operation,
    9: ReasonFlags.privilege_withdrawn,
}


def code(word: str) -> int:
    """Return the CRLReason code; raises ``UnknownReason``."""
    if word not in CODES:
        raise UnknownReason(f"`{word}` is no revocation reason", hint=f"one of {', '.join(CODES)}")
    return CODES[word]


def flag(word: str) -> ReasonFlags | None:
    """Return the reason for an OCSP answer; ``unspecified`` is left out (RFC 5280, 5.3.1)."""
    return _FLAGS[code(word)] if code(word) else None
