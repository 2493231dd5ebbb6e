"""The principal that a question is about when it is not the one who asks: a certificate, or a person, by name.

What is returned proves nothing by itself. The decision asks the certificate's status again in its own transaction, and
a principal without a serial number is refused there for that reason.
"""

from datetime import datetime

from sqlmodel import Session

from authz import status
from authz.events import ANONYMOUS, shortened
from core.identity import DomainId, OrganisationId, Principal, Serial, SubjectKind
from core.registry import credential, person
from core.registry.credential import Credential

_LONGEST = 80


def by_serial(session: Session, serial: str) -> Principal:
    """Return the holder of a certificate as the register has it, good or not."""
    found = credential.find(session, Serial(serial))
    return _nobody(ANONYMOUS) if found is None else _holder(session, found)


def by_person(session: Session, identifier: str, at: datetime) -> Principal:
    """Return a person under the newest certificate that is good ``at`` that time, or else the newest there is."""
    held = credential.held_by(session, SubjectKind.PERSON.value, identifier)
    good = [one for one in held if not status.refusal_of(one, at)]
    newest = (good or held)[-1:]
    return _holder(session, newest[0]) if newest else _nobody(shortened(identifier, _LONGEST))


def _holder(session: Session, held: Credential) -> Principal:
    human = person.find(session, held.holder) if held.holder_kind == SubjectKind.PERSON.value else None
    return Principal(
        kind=SubjectKind(held.holder_kind),
        identifier=held.holder,
        name=human.name if human else held.holder,
        organisation=OrganisationId(human.organisation if human else ""),
        domain=DomainId(held.domain),
        issuer=held.issuer,
        serial=Serial(held.serial),
    )


def _nobody(identifier: str) -> Principal:
    return Principal(
        kind=SubjectKind.PERSON,
        identifier=identifier,
        name=identifier,
        organisation=OrganisationId(""),
        domain=DomainId(""),
        issuer="",
        serial=Serial(""),
    )
