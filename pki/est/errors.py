"""Errors of EST."""

from core.errors import Malformed, NotFound, Rejected


class BadBody(Malformed):
    """The body is no certification request in base64 (RFC 7030, 4.2.1; RFC 8951)."""

    reason = "malformed-body"


class WrongMedia(Malformed):
    """The body is announced as something else."""

    reason = "wrong-media-type"


class OtherNames(Rejected):
    """A re-enrolment asks for other names than its certificate has (RFC 7030, 4.2.2)."""

    reason = "foreign-name"


class NoSuchAuthority(NotFound):
    """The label of the address is no authority of ours."""

    reason = "no-authority"
