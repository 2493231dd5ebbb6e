"""The objects that clients are shown (RFC 8555, 7.1; RFC 9773, 4.2); what is not there is left out, never ``null``."""

import json
from collections.abc import Sequence

from core.clock import to_rfc3339
from core.ledger.entry import JsonValue
from pki.acme import account as accounts
from pki.acme import order as orders
from pki.acme.directory import Urls
from pki.acme.models import AcmeAccount, AcmeAuthorization, AcmeChallenge, AcmeOrder
from pki.acme.state import State
from pki.acme.window import Window, name_of

Object = dict[str, JsonValue]


def account(row: AcmeAccount, urls: Urls) -> Object:
    """Return an account."""
    return {"status": row.status, "contact": accounts.contacts(row), "orders": urls.at("account", row.id, "orders")}


def order(
    row: AcmeOrder, state: State, authorizations: Sequence[AcmeAuthorization], urls: Urls, key_identifier: bytes
) -> Object:
    """Return an order in the state that it is in now."""
    listed = orders.identifiers_of(row)
    found: Object = {
        "status": state.value,
        "expires": to_rfc3339(row.ends_at),
        "identifiers": [{"type": one.kind.value, "value": one.value} for one in listed],
        "authorizations": [urls.at("authorization", one.id) for one in authorizations],
        "finalize": urls.at("order", row.id, "finalize"),
    }
    if row.serial:
        found["certificate"] = urls.at("certificate", row.serial)
    if row.replaces:
        found["replaces"] = name_of(key_identifier, row.replaces)
    if row.error:
        found["error"] = json.loads(row.error)
    return found


def authorization(row: AcmeAuthorization, owner: AcmeOrder, challenges: Sequence[AcmeChallenge], urls: Urls) -> Object:
    """Return an authorization; once it is decided, with the challenge alone that decided it (RFC 8555, 7.1.4)."""
    tried = [one for one in challenges if one.status in (State.VALID, State.INVALID)]
    decided = row.status in (State.VALID, State.INVALID) and tried
    return {
        "identifier": {"type": row.kind, "value": row.value},
        "status": row.status,
        "expires": to_rfc3339(owner.ends_at),
        "challenges": [challenge(one, urls) for one in (tried if decided else challenges)],
    }


def challenge(row: AcmeChallenge, urls: Urls) -> Object:
    """Return a challenge."""
    found: Object = {"type": row.kind, "url": urls.at("challenge", row.id), "status": row.status, "token": row.token}
    if row.validated_at is not None:
        found["validated"] = to_rfc3339(row.validated_at)
    if row.error:
        found["error"] = json.loads(row.error)
    return found


def renewal(window: Window) -> Object:
    """Return when a certificate is to be renewed."""
    found: Object = {"suggestedWindow": {"start": to_rfc3339(window.start), "end": to_rfc3339(window.end)}}
    if window.explanation:
        found["explanationURL"] = window.explanation
    return found
