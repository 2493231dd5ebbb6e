"""Who may decide at the registration desk: looked at again at every decision, never taken from what was once true."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from core.errors import TrustError
from core.identity import PersonId, Serial
from core.registry import credential, person, role
from core.registry.credential import CredentialState
from pki.deskstate import NotYourRequest

#: The offices whose holders decide; the policies permit ``pki:request:decide`` to the same.
DECIDING = frozenset({"registration-officer", "security-administrator"})


@dataclass(frozen=True, slots=True)
class Officer:
    """A person at the desk, and the certificate that they decide with."""

    person: str
    serial: str

    def __str__(self) -> str:
        """Return both as a request names them."""
        return f"{self.person}/{self.serial}"


def read(text: str) -> tuple[Officer, ...]:
    """Return the officers that a request names, with spaces between."""
    return tuple(Officer(name, serial) for name, _slash, serial in (one.partition("/") for one in text.split()))


def check(session: Session, officer: Officer, at: datetime) -> None:
    """Raise ``NotYourRequest`` unless the officer may decide now: serves, is able, in office, their certificate good.

    Neither can end before the caller's transaction does.
    """
    name = officer.person
    try:
        person.get_able(session, PersonId(name), hold=True)
    except TrustError as error:
        raise NotYourRequest(error.detail, hint="another officer decides") from error
    # After the person, as where somebody leaves.
    held = credential.hold(session, Serial(officer.serial))
    if held is None or held.holder != name or held.state != CredentialState.GOOD:
        raise NotYourRequest(f"the certificate that `{name}` decided with is not good any more")
    offices = role.on_site(session, PersonId(name), at)
    if not DECIDING.intersection(offices) or role.conflict(offices) is not None:
        raise NotYourRequest(f"`{name}` may not decide on requests at this time", hint="another officer decides")


def find_lapsed(session: Session, officers: Sequence[Officer], at: datetime) -> list[Officer]:
    """Return those of ``officers`` who may not decide any more: what they agreed to does not count."""
    return [one for one in sorted(officers, key=str) if not _may(session, one, at)]


def _may(session: Session, officer: Officer, at: datetime) -> bool:
    try:
        check(session, officer, at)
    except NotYourRequest:
        return False
    return True
