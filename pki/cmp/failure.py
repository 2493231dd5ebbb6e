"""PKIFailureInfo (RFC 9810, 5.2.3): one table from our errors to the protocol's bits. Pure."""

from collections.abc import Mapping
from enum import IntEnum

from core import errors
from core.errors import TrustError


class Failure(IntEnum):
    """Bits of PKIFailureInfo."""

    BAD_ALG = 0
    BAD_MESSAGE_CHECK = 1
    BAD_REQUEST = 2
    BAD_TIME = 3
    BAD_CERT_ID = 4
    BAD_DATA_FORMAT = 5
    WRONG_AUTHORITY = 6
    BAD_POP = 9
    CERT_REVOKED = 10
    CERT_CONFIRMED = 11
    WRONG_INTEGRITY = 12
    BAD_RECIPIENT_NONCE = 13
    UNACCEPTED_EXTENSION = 16
    BAD_SENDER_NONCE = 18
    BAD_CERT_TEMPLATE = 19
    SIGNER_NOT_TRUSTED = 20
    TRANSACTION_ID_IN_USE = 21
    UNSUPPORTED_VERSION = 22
    NOT_AUTHORIZED = 23
    SYSTEM_UNAVAIL = 24
    SYSTEM_FAILURE = 25


_WORDS: Mapping[str, Failure] = {
    "already-revoked": Failure.CERT_REVOKED,
    "bad-algorithm": Failure.BAD_ALG,
    "bad-certificate-id": Failure.BAD_CERT_ID,
    "bad-host-name": Failure.BAD_CERT_TEMPLATE,
    "bad-initial-secret": Failure.BAD_MESSAGE_CHECK,
    "bad-message": Failure.BAD_DATA_FORMAT,
    "bad-message-check": Failure.BAD_MESSAGE_CHECK,
    "bad-recipient-nonce": Failure.BAD_RECIPIENT_NONCE,
    "bad-request": Failure.BAD_REQUEST,
    "bad-sender-nonce": Failure.BAD_SENDER_NONCE,
    "bad-time": Failure.BAD_TIME,
    "broken-proof-of-possession": Failure.BAD_POP,
    "certificate-confirmed": Failure.CERT_CONFIRMED,
    "forbidden-extension": Failure.UNACCEPTED_EXTENSION,
    "foreign-name": Failure.BAD_CERT_TEMPLATE,
    "malformed-request": Failure.BAD_DATA_FORMAT,
    "no-transaction": Failure.BAD_REQUEST,
    "request-too-large": Failure.BAD_DATA_FORMAT,
    "reused-key": Failure.BAD_CERT_TEMPLATE,
    "revoked": Failure.CERT_REVOKED,
    "revoked-key": Failure.BAD_CERT_TEMPLATE,
    "transaction-in-use": Failure.TRANSACTION_ID_IN_USE,
    "unsupported-version": Failure.UNSUPPORTED_VERSION,
    "weak-key": Failure.BAD_CERT_TEMPLATE,
    "wildcard-name": Failure.BAD_CERT_TEMPLATE,
    "wrong-authority": Failure.WRONG_AUTHORITY,
    "wrong-integrity": Failure.WRONG_INTEGRITY,
}

_KINDS: Mapping[type[TrustError], Failure] = {
    errors.Malformed: Failure.BAD_REQUEST,
    errors.Unauthenticated: Failure.SIGNER_NOT_TRUSTED,
    errors.Forbidden: Failure.NOT_AUTHORIZED,
    errors.NotFound: Failure.BAD_CERT_ID,
    errors.Conflict: Failure.BAD_REQUEST,
    errors.Rejected: Failure.NOT_AUTHORIZED,
    errors.Unavailable: Failure.SYSTEM_UNAVAIL,
}


def of(error: TrustError) -> Failure:
    """Return the protocol's word for an error."""
    if error.word in _WORDS:
        return _WORDS[error.word]
    return next((_KINDS[kind] for kind in type(error).__mro__ if kind in _KINDS), Failure.SYSTEM_FAILURE)


def text(error: TrustError) -> str:
    """Return what is told in words."""
    return f"{error.detail} ({error.hint})" if error.hint else error.detail
