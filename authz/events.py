"""The events of this package: wire names, never renamed."""

from core.identity import Principal, SubjectKind

DECISION_MADE = "authz.decision.made"
DECISION_EXPLAINED = "authz.decision.explained"
GATEWAY_REQUEST_REFUSED = "gateway.request.refused"


#: Who acted, when nobody proved who it was.
ANONYMOUS = "anonymous"


def actor(principal: Principal) -> str:
    """Return how evidence names a principal: a person by id, a machine as ``device:NAME``."""
    if principal.kind in (SubjectKind.PERSON, SubjectKind.BOOTSTRAP):
        return principal.identifier
    return f"device:{principal.identifier}"


def shortened(text: str, most: int = 200) -> str:
    """Return a caller's text so that it fits into a record, without control characters."""
    printable = "".join(one if one.isprintable() else "�" for one in text[:most])
    return printable if len(text) <= most else f"{printable}…"
