"""Which key may sign what: an allow-list by purpose. Pure; checked before anything reaches the token.

A wrong parameter can crash a token's library, so nothing relies on the token's own checks.
"""

import re

from hsm.errors import BadLabel, MechanismRefused
from hsm.models import KeyAlgorithm, KeyPurpose

#: Octets of a SHA-256 digest: the only thing that a P-256 key signs (raw ECDSA, the hash is made outside).
DIGEST = 32

#: Most octets of a message that an Ed25519 key signs: the token must see it whole (RFC 8032).
LONGEST_MESSAGE = 65_536

_ALLOWED: dict[KeyPurpose, KeyAlgorithm] = {
    KeyPurpose.CA: KeyAlgorithm.P256,
    KeyPurpose.CRL: KeyAlgorithm.P256,
    KeyPurpose.OCSP: KeyAlgorithm.P256,
    KeyPurpose.TSA: KeyAlgorithm.P256,
    KeyPurpose.CMP: KeyAlgorithm.P256,
    KeyPurpose.SELF_TEST: KeyAlgorithm.P256,
    KeyPurpose.CHECKPOINT: KeyAlgorithm.ED25519,
    KeyPurpose.WITNESS: KeyAlgorithm.ED25519,
}


#: A label: what stands in file names, logs and commands as it is.
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?")


def check_label(label: str) -> None:
    """Raise ``BadLabel`` unless a key of ours can be called so."""
    if not _LABEL.fullmatch(label):
        raise BadLabel(f"`{label[:80]!a}` is no label for a key", hint="lower-case letters, digits, hyphens and dots")


def check_pair(algorithm: KeyAlgorithm, purpose: KeyPurpose) -> None:
    """Raise ``MechanismRefused`` when no key of ``algorithm`` may have this purpose."""
    if _ALLOWED[purpose] is not algorithm:
        raise MechanismRefused(f"a key for `{purpose}` is never `{algorithm}`", hint=f"use `{_ALLOWED[purpose]}`")


def check_input(algorithm: KeyAlgorithm, data: bytes) -> None:
    """Raise ``MechanismRefused`` when ``data`` is not what a key of ``algorithm`` signs."""
    if algorithm is KeyAlgorithm.P256 and len(data) != DIGEST:
        raise MechanismRefused(f"a P-256 key signs a digest of {DIGEST} octets, not {len(data)} octets")
    if algorithm is KeyAlgorithm.ED25519 and not 0 < len(data) <= LONGEST_MESSAGE:
        raise MechanismRefused(f"an Ed25519 key signs 1 to {LONGEST_MESSAGE} octets, not {len(data)}")
