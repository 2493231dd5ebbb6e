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

#: A certificate that is on hold (RFC 5280, 5.3.1), and, on a delta list, one that no longer is.
HOLD, RELEASE = "certificate-hold", "remove-from-crl"

_TEMPORARY = {HOLD: 6, RELEASE: 8}

_FLAGS = {
    0: ReasonFlags.unspecified,
    1: ReasonFlags.key_compromise,
    3: ReasonFlags.affiliation_changed,
    4: ReasonFlags.superseded,
    5: ReasonFlags.cessation_of_operation,
    6: ReasonFlags.certificate_hold,
    9: ReasonFlags.privilege_withdrawn,
}


def code(word: str) -> int:
    """Return the CRLReason code of a reason to revoke for ever; raises ``UnknownReason``."""
    if word not in CODES:
        raise UnknownReason(f"`{word}` is no revocation reason", hint=f"one of {', '.join(CODES)}")
    return CODES[word]


def listed_code(word: str) -> int:
    """Return the CRLReason code of whatever may stand in a list; raises ``UnknownReason``."""
    return _TEMPORARY[word] if word in _TEMPORARY else code(word)


def flag(word: str) -> ReasonFlags | None:
    """Return the reason for an OCSP answer; ``unspecified`` is left out (RFC 5280, 5.3.1)."""
    return _FLAGS[listed_code(word)] if listed_code(word) else None
