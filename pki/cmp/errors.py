"""Errors of CMP; ``failure.py`` has the protocol's word for each."""

from core.errors import Conflict, Forbidden, Malformed, Rejected, Unauthenticated


class NoMessage(Malformed):
    """The octets are no PKIMessage that could be answered."""

    reason = "no-message"


class BadMessage(Malformed):
    """The message's header can be read, its body or something else cannot."""

    reason = "bad-message"


class BadRequest(Malformed):
    """The message is well-formed and asks for what there is not."""

    reason = "bad-request"


class BadVersion(Malformed):
    """The message is of a version that is not spoken."""

    reason = "unsupported-version"


class BadTime(Rejected):
    """The message was made long ago, or will be."""

    reason = "bad-time"


class BadNonce(Rejected):
    """The message has no nonce that would do."""

    reason = "bad-sender-nonce"


class OtherNonce(Rejected):
    """The message does not answer the one that was sent last."""

    reason = "bad-recipient-nonce"


class BadProtection(Unauthenticated):
    """The message is not protected, or its protection does not hold."""

    reason = "bad-message-check"


class WrongProtection(Unauthenticated):
    """The message is protected in a way that is not for what it asks."""

    reason = "wrong-integrity"


class BadAlgorithm(Unauthenticated):
    """The protection is of a kind, or has parameters, that are not taken."""

    reason = "bad-algorithm"


class TransactionInUse(Conflict):
    """A transaction with this identifier was begun before."""

    reason = "transaction-in-use"


class NoTransaction(Conflict):
    """There is no such transaction of this machine that would wait for this message."""

    reason = "no-transaction"


class Confirmed(Conflict):
    """The certificate was confirmed before."""

    reason = "certificate-confirmed"


class OtherCertificate(Rejected):
    """The message names another certificate than the one it is about."""

    reason = "bad-certificate-id"


class NotYours(Forbidden):
    """The certificate is somebody else's."""

    reason = "not-yours"


class WrongAuthority(Rejected):
    """The certificate or the request is for an authority that is none of ours."""

    reason = "wrong-authority"
