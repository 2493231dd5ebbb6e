"""Keys as values: what is known of a key outside the token."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class KeyAlgorithm(StrEnum):
    """What kind of key."""

    P256 = "p256"
    ED25519 = "ed25519"


class KeyPurpose(StrEnum):
    """What a key may sign; one purpose for each key."""

    CA = "ca"
    CRL = "crl"
    OCSP = "ocsp"
    TSA = "tsa"
    CMP = "cmp"
    CHECKPOINT = "checkpoint"
    WITNESS = "witness"
    SELF_TEST = "self-test"


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """One key. ``spki`` is its DER SubjectPublicKeyInfo; the flags were read back from the token after generation."""

    label: str
    algorithm: KeyAlgorithm
    purpose: KeyPurpose
    spki: bytes
    spki_sha256: str
    extractable: bool
    sensitive: bool
    never_extractable: bool
    local: bool
    private: bool


@dataclass(frozen=True, slots=True)
class Health:
    """How the signer is. ``generation`` counts how often the library was initialised."""

    generation: int
    sessions: int
    signatures: int
    last_self_test: datetime | None
