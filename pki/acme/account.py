"""Accounts (RFC 8555, 7.3): made once by a binding, changed and closed by their own key, or closed by an officer."""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, select

from core.errors import NotFound
from core.identity import DomainId, SubjectKind
from core.ledger import evidence
from core.registry import domain
from core.registry.errors import NotInRegister
from pki import holder as holders
from pki.acme import events, state
from pki.acme.errors import BadContact, ClosedAccount, KeyInUse, NoAccount
from pki.acme.jwk import Jwk
from pki.acme.models import AcmeAccount, AcmeKey
from pki.acme.state import State
from pki.names import Holder

#: Most contacts of an account, and most characters of one.
MOST_CONTACTS, LONGEST_CONTACT = 5, 200


def find(session: Session, thumbprint: str) -> AcmeAccount | None:
    """Return the account with a key, or nothing."""
    return session.exec(select(AcmeAccount).where(AcmeAccount.thumbprint == thumbprint)).first()


def get(session: Session, identifier: str) -> AcmeAccount:
    """Return an account; raises ``NoAccount``."""
    row = session.get(AcmeAccount, identifier)
    if row is None:
        raise NoAccount(f"there is no account `{identifier[:40]}`")
    return row


def hold(session: Session, identifier: str) -> AcmeAccount:
    """Return an account that is valid, and stays so until the transaction ends. Raises ``ClosedAccount``."""
    row = session.get(AcmeAccount, identifier, with_for_update=True, populate_existing=True)
    if row is None or row.status != State.VALID:
        raise ClosedAccount("the account was deactivated")
    return row


def holder_of(session: Session, account: AcmeAccount) -> Holder:
    """Return whom an account acts for, as the register says now. Raises ``ClosedAccount``."""
    if account.status != State.VALID:
        raise ClosedAccount("the account was deactivated", hint="ask the registration officer for a new key")
    try:
        found = holders.find(session, SubjectKind(account.holder_kind), account.holder)
        home = domain.get(session, DomainId(found.domain))
    except NotInRegister as error:
        raise ClosedAccount(f"`{account.holder}` is not in the register any more") from error
    if home.suspended:
        raise ClosedAccount(f"the domain `{home.id}` of `{account.holder}` is suspended")
    return found


def make(
    session: Session, identifier: str, key: Jwk, bound: AcmeKey, contact: Sequence[str], *, at: datetime
) -> AcmeAccount:
    """Enter an account that was just bound. Raises ``BadContact``."""
    row = AcmeAccount(
        id=identifier,
        thumbprint=key.thumbprint,
        jwk=key.text,
        status=State.VALID.value,
        contact=_contact(contact),
        holder_kind=bound.holder_kind,
        holder=bound.holder,
        domain=bound.domain,
        key=bound.id,
        made_at=at,
    )
    session.add(row)
    evidence.append(session, events.account_made(row), at=at)
    return row


def change(session: Session, account: AcmeAccount, contact: Sequence[str], *, at: datetime) -> None:
    """Replace an account's contacts. Raises ``BadContact``."""
    account.contact = _contact(contact)
    session.add(account)
    evidence.append(session, events.account_changed(account), at=at)


def close(session: Session, account: AcmeAccount, *, actor: str, at: datetime) -> None:
    """Deactivate an account, for ever; its certificates stay (RFC 8555, 7.3.6). Raises ``WrongState``."""
    account.status = state.move(state.ACCOUNT, account.status, State.DEACTIVATED, "account")
    session.add(account)
    evidence.append(session, events.account_closed(account, actor=actor), at=at)


def close_by_officer(session: Session, identifier: str, *, actor: str, at: datetime) -> AcmeAccount:
    """As ``close``; raises ``NotFound``, ``WrongState``."""
    row = session.get(AcmeAccount, identifier, with_for_update=True)
    if row is None:
        raise NotFound(f"no account has the id `{identifier[:40]}`", hint="see `guosuo acme list`")
    close(session, row, actor=actor, at=at)
    return row


def rekey(session: Session, account: AcmeAccount, key: Jwk, *, at: datetime) -> None:
    """Give an account another key. Raises ``KeyInUse`` when it belongs to one already, also to this one."""
    owner = find(session, key.thumbprint)
    if owner is not None:
        raise KeyInUse("the new key belongs to an account", account=owner.id)
    account.jwk, account.thumbprint = key.text, key.thumbprint
    session.add(account)
    evidence.append(session, events.account_rekeyed(account), at=at)


def contacts(account: AcmeAccount) -> list[str]:
    """Return an account's contacts."""
    found = json.loads(account.contact)
    assert isinstance(found, list)
    return found


def _contact(listed: Sequence[str]) -> str:
    if len(listed) > MOST_CONTACTS:
        raise BadContact(f"an account has at most {MOST_CONTACTS} contacts")
    for one in listed:
        # One address and no header fields (RFC 8555, 7.3): `?` and `,` would bring those.
        name, _, host = one.removeprefix("mailto:").rpartition("@")
        fits = one.startswith("mailto:") and name and host and len(one) <= LONGEST_CONTACT and one.isprintable()
        if not fits or any(letter in one for letter in "?, "):
            raise BadContact(f"`{one[:80]!a}` is no address of electronic mail", hint="`mailto:NAME@HOST`")
    return json.dumps(list(listed), ensure_ascii=False)
