"""What happens over ACME, as evidence; names of machines and public keys, never a contact or a secret."""

import json
from collections.abc import Mapping, Sequence

from core.clock import to_rfc3339
from core.ledger.entry import Event, JsonValue
from pki.acme.identifier import Identifier
from pki.acme.models import AcmeAccount, AcmeAuthorization, AcmeKey, AcmeOrder, AcmeRenewal


def actor_of(holder: str) -> str:
    """Return who acts when an account does."""
    return f"device:{holder}"


def key_made(key: AcmeKey) -> Event:
    """A registration officer made a key that binds an account; the key itself is written down nowhere."""
    details = {"holder_kind": key.holder_kind, "holder": key.holder, "ends_at": to_rfc3339(key.ends_at)}
    return Event("pki.acme.key-made", key.actor, f"acme-key:{key.id}", key.domain, details=details)


def key_withdrawn(key: AcmeKey, *, actor: str) -> Event:
    """A key that was not used yet binds no account any more."""
    return Event("pki.acme.key-withdrawn", actor, f"acme-key:{key.id}", key.domain, details={"holder": key.holder})


def account_made(account: AcmeAccount) -> Event:
    """An account was bound to a holder; its public key is in the record, so that a restore can rebuild it."""
    details = {
        "holder_kind": account.holder_kind,
        "holder": account.holder,
        "key": account.key,
        "jwk": json.loads(account.jwk),
        "thumbprint": account.thumbprint,
    }
    return _of(account, "pki.acme.account-made", details)


def account_changed(account: AcmeAccount) -> Event:
    """An account's contacts were changed; they stand in the store alone."""
    return _of(account, "pki.acme.account-changed", {"holder": account.holder})


def account_rekeyed(account: AcmeAccount) -> Event:
    """An account has another key from now on."""
    details = {"holder": account.holder, "jwk": json.loads(account.jwk), "thumbprint": account.thumbprint}
    return _of(account, "pki.acme.account-rekeyed", details)


def account_closed(account: AcmeAccount, *, actor: str) -> Event:
    """An account was deactivated, for ever."""
    details = {"holder": account.holder}
    return Event("pki.acme.account-closed", actor, f"acme-account:{account.id}", account.domain, details=details)


def order_made(order: AcmeOrder, account: AcmeAccount, identifiers: Sequence[Identifier]) -> Event:
    """An order was taken for names that are the holder's."""
    listed = [f"{one.kind}:{one.value}" for one in identifiers]
    details = {"order": order.id, "identifiers": listed, "replaces": order.replaces}
    return _of(account, "pki.acme.order-made", details)


def order_concluded(order: AcmeOrder, account: AcmeAccount, why: str = "") -> Event:
    """A finalized order came to its end: with a serial number, or without, and then why."""
    details = {"order": order.id, "state": order.status, "serial": order.serial, "why": why}
    return _of(account, "pki.acme.order-concluded", details, result="done" if order.serial else "refused")


def authorization_ended(authorization: AcmeAuthorization, account: AcmeAccount, challenge: str, why: str = "") -> Event:
    """A machine showed what its challenge asks for, or did not (``why``), or its holder gave it up."""
    details = {
        "order": authorization.order,
        "identifier": f"{authorization.kind}:{authorization.value}",
        "state": authorization.status,
        "challenge": challenge,
        "why": why,
    }
    return _of(account, "pki.acme.authorization-ended", details, result="refused" if why else "done")


def refused(path: str, reason: str, detail: str, *, holder: str, account: str, domain: str) -> Event:
    """A request was refused; nothing was changed by it."""
    details = {"reason": reason, "detail": detail[:500], "path": path[:200]}
    about = f"acme-account:{account}" if account else "acme-account:unknown"
    who = actor_of(holder) if holder else "anonymous"
    return Event("pki.acme.request-refused", who, about, domain, result="refused", details=details)


def renewal_moved(row: AcmeRenewal, *, holder: str, domain: str) -> Event:
    """Somebody moved the time at which a certificate is to be renewed."""
    details = {
        "holder": holder,
        "starts_at": to_rfc3339(row.starts_at),
        "ends_at": to_rfc3339(row.ends_at),
        "explanation": row.explanation,
    }
    return Event("pki.renewal.moved", row.actor, f"certificate:{row.serial}", domain, details=details)


def _of(account: AcmeAccount, name: str, details: Mapping[str, JsonValue], *, result: str = "done") -> Event:
    return Event(
        name,
        actor_of(account.holder),
        f"acme-account:{account.id}",
        account.domain,
        result=result,
        details=details,
    )
