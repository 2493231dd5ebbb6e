"""Errors of keys and tokens, and the one place where PKCS#11 return codes become ours."""

from core.errors import Conflict, Malformed, NotFound, Rejected, Unavailable


class UnknownKey(NotFound):
    """No key of ours has this label."""

    reason = "unknown-key"


class KeyExists(Conflict):
    """A key with this label exists, for another purpose or algorithm."""

    reason = "key-exists"


class KeyMismatch(Conflict):
    """The token's key is not the one that was recorded: bound by hash, not by label."""

    reason = "key-mismatch"


class BadLabel(Malformed):
    """No key of ours can be called so."""

    reason = "bad-label"


class MechanismRefused(Rejected):
    """The key may not be used so."""

    reason = "mechanism-refused"


class UnsafeKey(Rejected):
    """The token made a key with other attributes than were asked for."""

    reason = "unsafe-key"


class BadRequest(Malformed):
    """The signer cannot read the request."""

    reason = "bad-request"


class NoToken(NotFound):
    """No token was made here."""

    reason = "no-token"


class TokenUnavailable(Unavailable):
    """The token does not answer."""

    reason = "token-unavailable"


class PinRefused(Unavailable):
    """The token refused the PIN; it is never tried again, because a real token locks itself."""

    reason = "pin-refused"


class SignerUnavailable(Unavailable):
    """The signer process does not answer."""

    reason = "signer-unavailable"
