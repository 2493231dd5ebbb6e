"""Why a path is refused: each reason is a stable word and the section of RFC 5280 that asks for it. Pure."""

from enum import Enum

from pki.errors import RefusedPath


class Why(Enum):
    """The word, and the section; a word whose rule stands at two places has two members."""

    MALFORMED = ("malformed", "4.1")
    TOO_MUCH = ("too-much", "8")
    ALGORITHM = ("algorithm-not-allowed", "6.1.3 (a)(1)")
    SIGNATURE = ("bad-signature", "6.1.3 (a)(1)")
    NOT_YET_VALID = ("not-yet-valid", "6.1.3 (a)(2)")
    EXPIRED = ("expired", "6.1.3 (a)(2)")
    REVOKED = ("revoked", "6.1.3 (a)(3)")
    UNDETERMINED = ("status-undetermined", "6.3.3")
    CHAINING = ("name-chaining", "6.1.3 (a)(4)")
    NOT_PERMITTED = ("name-not-permitted", "6.1.3 (b)")
    EXCLUDED = ("name-excluded", "6.1.3 (c)")
    NO_POLICY = ("no-valid-policy", "6.1.3 (f)")
    NO_POLICY_LEFT = ("no-valid-policy", "6.1.5 (g)")
    ANY_MAPPED = ("any-policy-mapped", "6.1.4 (a)")
    NOT_AUTHORITY = ("not-an-authority", "6.1.4 (k)")
    TOO_LONG = ("path-too-long", "6.1.4 (l)")
    KEY_USAGE = ("key-usage", "6.1.4 (n)")
    CRITICAL = ("critical-extension", "6.1.4 (o)")
    CRITICAL_LAST = ("critical-extension", "6.1.5 (f)")
    PURPOSE = ("wrong-purpose", "4.2.1.12")


def refused(why: Why, detail: str) -> RefusedPath:
    """Return the error to raise."""
    word, section = why.value
    return RefusedPath(detail, reason=word, section=section)
