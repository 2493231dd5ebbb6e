"""Errors of certificates; each reason is a stable word that a page, a log and a test can rely on."""

from core.errors import Conflict, Malformed, NotFound, Rejected, Unauthenticated


class BadRequest(Malformed):
    """The certification request cannot be read."""

    reason = "malformed-request"


class RequestTooLarge(Malformed):
    """The certification request is larger than any honest one."""

    reason = "request-too-large"


class BrokenProof(Rejected):
    """The request's own signature does not verify: nobody has shown to hold the key (RFC 2986)."""

    reason = "broken-proof-of-possession"


class WeakKey(Rejected):
    """The key is too short or of a kind that is not accepted."""

    reason = "weak-key"


class WildcardName(Rejected):
    """A wildcard stands in a name."""

    reason = "wildcard-name"


class BadHostName(Rejected):
    """What is given as a host name is none, or is not spelled as names are compared."""

    reason = "bad-host-name"


class ForeignName(Rejected):
    """The request names somebody else than the register does."""

    reason = "foreign-name"


class ForbiddenExtension(Rejected):
    """The request asks for what nobody may ask for."""

    reason = "forbidden-extension"


class RevokedKey(Rejected):
    """The key belongs to a revoked certificate."""

    reason = "revoked-key"


class ReusedKey(Rejected):
    """The key belongs to somebody else's certificate."""

    reason = "reused-key"


class SameKey(Rejected):
    """A renewal keeps its key, and the profile does not let it."""

    reason = "same-key"


class RenewedTooOften(Rejected):
    """So many renewals in a day are a fault, or worse."""

    reason = "renewed-too-often"


class WrongProfile(Rejected):
    """The profile is not for this holder."""

    reason = "wrong-profile"


class NeedsSecond(Rejected):
    """One officer alone may not have this issued."""

    reason = "needs-second-officer"


class LintFailed(Rejected):
    """What would be signed is not what was meant, or not what a certificate must be."""

    reason = "lint-failed"


class NotPrepared(Rejected):
    """Was not prepared and linted here for this request, or was signed before."""

    reason = "not-prepared"


class Lapsed(Conflict):
    """The intention was given up in the meantime."""

    reason = "issuance-lapsed"


class NotEstablished(NotFound):
    """There is no such authority."""

    reason = "no-authority"


class AuthorityExpired(Conflict):
    """The authority's own certificate has no time left to issue under."""

    reason = "authority-expired"


class AlreadyRevoked(Conflict):
    """Revoked before; there is no way back, and no second time."""

    reason = "already-revoked"


class NotOnHold(Conflict):
    """Only what is on hold can be released."""

    reason = "not-on-hold"


class NothingChosen(Conflict):
    """Nothing is left to be revoked."""

    reason = "nothing-chosen"


class NeedsTwo(Conflict):
    """So many certificates take two people."""

    reason = "needs-two-people"


class BadCode(Malformed):
    """A one-time code cannot be made so."""

    reason = "bad-code"


class NotRenewable(Conflict):
    """The certificate that is to be renewed is not good (any more)."""

    reason = "not-renewable"


class NotOpen(Conflict):
    """The one-time code is used, locked or withdrawn."""

    reason = "not-open"


class BadHold(Malformed):
    """A hold needs an end that is still to come, and not too far away."""

    reason = "bad-hold"


class UnknownReason(Malformed):
    """No revocation reason of RFC 5280."""

    reason = "unknown-revocation-reason"


class CodeRefused(Unauthenticated):
    """A one-time code opens nothing. Whoever shows one is never told whether it is wrong, used, over or none."""

    reason = "code-refused"


class BadCertificate(Unauthenticated):
    """The certificate cannot be read, or carries what nobody understands."""

    reason = "bad-certificate"


class Expired(Unauthenticated):
    """The certificate's time is over."""

    reason = "expired"


class NotYetValid(Unauthenticated):
    """The certificate's time has not come."""

    reason = "not-yet-valid"


class ForeignIssuer(Unauthenticated):
    """Issued by an authority that is none of ours."""

    reason = "foreign-issuer"


class LookAlikeIssuer(Unauthenticated):
    """The issuer bears our authority's name, and has not its key."""

    reason = "look-alike-issuer"


class WrongPurpose(Unauthenticated):
    """The certificate is not for authenticating a client."""

    reason = "wrong-purpose"


class Revoked(Unauthenticated):
    """The certificate was revoked."""

    reason = "revoked"


class OnHold(Unauthenticated):
    """The certificate is on hold."""

    reason = "on-hold"


class UnknownCertificate(Unauthenticated):
    """Our key signed it, but we have no record of handing it out."""

    reason = "unknown-certificate"


class DepartedHolder(Unauthenticated):
    """The certificate's holder has left."""

    reason = "holder-left"


class OutgrownCertificate(Unauthenticated):
    """Issued for a domain of a lower level than that of the holder's domain now."""

    reason = "issued-at-lower-level"


class SuspendedHolder(Unauthenticated):
    """The holder is suspended."""

    reason = "suspended"


class RefusedPath(Unauthenticated):
    """The certification path is not valid (RFC 5280, 6), or what it is made of cannot be read.

    ``word`` is the reason, ``section`` where RFC 5280 asks for it, ``place`` the certificate's place from 1 (the one
    that the trust anchor issued); 0 where no single certificate is at fault.
    """

    reason = "invalid-path"

    def __init__(self, detail: str, *, reason: str, section: str, place: int = 0) -> None:
        """Keep all of it."""
        super().__init__(detail, reason=reason)
        self.section = section
        self.place = place
