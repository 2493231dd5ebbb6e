"""RFC 3161 time-stamp tokens over a checkpoint: the question, and what an answer must be to prove anything.

No CMS of our own: ``rfc3161-client`` reads and verifies (signature, chain at genTime, critical id-kp-timeStamping,
nonce, imprint). What it leaves open is demanded here: SHA-256, a nonce, our roots only, a size.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimeStampRequest,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    Verifier,
    VerifierBuilder,
    decode_timestamp_response,
)

from core.errors import Malformed
from core.ledger.errors import BadTimestamp

#: Media types (RFC 3161, 3.4).
QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"

#: Most octets of an answer; with its chain it has a few thousand.
LARGEST_ANSWER = 65_536

_SHA256 = "2.16.840.1.101.3.4.2.1"
_GRANTED = 0


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a verified token says: the time, and the serial number that its authority gave it."""

    at: datetime
    serial: int


def read_roots(content: bytes) -> list[x509.Certificate]:
    """Read the roots (PEM) that time-stamp authorities must lead to. Raises ``Malformed``."""
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise Malformed("the roots of the time-stamp authorities are not certificates in PEM") from error


def ask(note: bytes) -> TimeStampRequest:
    """Return the question for a token over the exact octets of ``note``, with a nonce and the wish for the chain."""
    return TimestampRequestBuilder().data(note).hash_algorithm(HashAlgorithm.SHA256).build()


def verify_answer(content: bytes, *, note: bytes, roots: Sequence[x509.Certificate], nonce: int | None) -> Stamp:
    """Verify that ``content`` (TimeStampResp, DER) is a token over ``note`` by an authority under ``roots``.

    With a ``nonce`` the token must carry it: it was made for our question and not before. Chains are valid at genTime,
    not now. Raises ``BadTimestamp``.
    """
    if not roots:
        raise BadTimestamp("no root is known that a time-stamp authority could lead to")
    if len(content) > LARGEST_ANSWER:
        raise BadTimestamp(f"a time-stamp answer of {len(content)} octets is larger than {LARGEST_ANSWER}")
    try:
        answer = decode_timestamp_response(content)
        _check_granted(answer)
        stated = answer.tst_info
        if nonce is not None and stated.nonce != nonce:
            raise BadTimestamp("the token does not carry the nonce of our question")
        if stated.message_imprint.hash_algorithm.dotted_string != _SHA256:
            raise BadTimestamp("the token's imprint is not made with SHA-256")
        _verifier(roots, nonce).verify(answer, hashlib.sha256(note).digest())
    except (VerificationError, ValueError, TypeError, AttributeError, x509.ExtensionNotFound) as error:
        raise BadTimestamp(f"the time-stamp token does not verify: {str(error)[:200]}") from error
    return Stamp(stated.gen_time.astimezone(UTC), stated.serial_number)


def _check_granted(answer: TimeStampResponse) -> None:
    if answer.status != _GRANTED:
        said = "; ".join(answer.status_string)[:120]
        raise BadTimestamp(f"the authority granted no token: status {answer.status} {said}".rstrip())


def _verifier(roots: Sequence[x509.Certificate], nonce: int | None) -> Verifier:
    return VerifierBuilder(roots=list(roots), nonce=nonce).build()
