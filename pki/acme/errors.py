"""Errors of ACME; each reason is the protocol's own word (RFC 8555, 6.7; RFC 9773, 7.4)."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import Conflict, Forbidden, Malformed, NotFound, Rejected, Unauthenticated, Unavailable


class BadRequest(Malformed):
    """The request is no flattened JWS, or its payload is not what belongs here."""

    reason = "malformed"


class BadMedia(BadRequest):
    """The request's body is not announced as a JWS (RFC 8555, 6.2)."""


class BadNonce(Malformed):
    """The nonce is none of ours, too old, or was used."""

    reason = "badNonce"


class BadSignatureAlgorithm(Malformed):
    """The JWS is signed by an algorithm that is not taken."""

    reason = "badSignatureAlgorithm"


class BadPublicKey(Malformed):
    """The key is of a kind or size that is not taken."""

    reason = "badPublicKey"


class BadSignature(Unauthenticated):
    """The signature does not verify, or is over another address than was asked."""

    reason = "unauthorized"


class NoAccount(Malformed):
    """There is no account with this key."""

    reason = "accountDoesNotExist"


class ClosedAccount(Unauthenticated):
    """The account was deactivated, or its holder is not in the register any more."""

    reason = "unauthorized"


class NotYours(Forbidden):
    """The account may not do this."""

    reason = "unauthorized"


class BindingRequired(Forbidden):
    """A new account must be bound to an application of the register."""

    reason = "externalAccountRequired"


class BadBinding(Forbidden):
    """The binding does not verify, or its key was used, withdrawn, or has ended."""

    reason = "unauthorized"


class BadContact(Malformed):
    """A contact is not an address of electronic mail."""

    reason = "unsupportedContact"


class UnsupportedIdentifier(Malformed):
    """The identifier is neither a host name nor an address."""

    reason = "unsupportedIdentifier"


@dataclass(frozen=True, slots=True)
class Subproblem:
    """What is wrong with one identifier (RFC 8555, 6.7.1)."""

    reason: str
    detail: str
    kind: str
    value: str


class RejectedIdentifier(Forbidden):
    """The register does not give this identifier to this holder; ``subproblems`` says it of each."""

    reason = "rejectedIdentifier"

    def __init__(self, detail: str, *, subproblems: Sequence[Subproblem], hint: str = "") -> None:
        """Keep what is wrong with each identifier."""
        super().__init__(detail, hint=hint)
        self.subproblems = tuple(subproblems)


class BadCsr(Malformed):
    """The certification request cannot be read, or names other than the order's."""

    reason = "badCSR"


class OrderNotReady(Forbidden):
    """The order cannot be finalized in its state."""

    reason = "orderNotReady"


class WrongState(Conflict):
    """The thing is in a state from which this does not follow."""

    reason = "malformed"


class KeyInUse(Conflict):
    """The new key belongs to an account (RFC 8555, 7.3.5). ``account`` is its id."""

    reason = "malformed"

    def __init__(self, detail: str, *, account: str) -> None:
        """Keep whose key it is."""
        super().__init__(detail)
        self.account = account


class AlreadyReplaced(Conflict):
    """Another order replaces this certificate (RFC 9773, 5)."""

    reason = "alreadyReplaced"


class NotHere(NotFound):
    """There is no such account, order, authorization, challenge or certificate for whoever asks."""

    reason = "malformed"


class TooMany(Unavailable):
    """More than may be asked for in a while; ``after`` is in how many seconds to come back."""

    reason = "rateLimited"

    def __init__(self, detail: str, *, after: int) -> None:
        """Keep when to come back."""
        super().__init__(detail, hint=f"come back in {after} s")
        self.after = after


class NotShown(Rejected):
    """The machine did not show what the challenge asks for."""

    reason = "incorrectResponse"


class NotReached(Rejected):
    """The machine could not be reached."""

    reason = "connection"


class NotResolved(Rejected):
    """The name could not be resolved."""

    reason = "dns"


class NoTls(Rejected):
    """The machine did not speak TLS as the challenge asks for."""

    reason = "tls"


class OutsideDomain(Rejected):
    """The machine lies outside the addresses of the application's domain."""

    reason = "unauthorized"
