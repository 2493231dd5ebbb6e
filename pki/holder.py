"""From the register to the names of a holder: persons, machines, and the one bootstrap administrator."""

from sqlmodel import Session

from core.identity import SITE, DomainId, OrganisationId, PersonId, SubjectKind, SystemId
from core.registry import domain, organisation, person, system
from core.registry.errors import NotInRegister
from core.registry.models import SecurityDomain
from pki.errors import WrongProfile
from pki.names import Holder

#: The only holder that is not in the register; it can only appoint the three administrators.
BOOTSTRAP = "bootstrap"


def find(session: Session, kind: SubjectKind, identifier: str) -> Holder:
    """Return a holder. Raises ``NotInRegister``, ``HasLeft``, or ``WrongProfile`` when it is something else."""
    if not identifier.isprintable():
        # No store can be asked for it, and no id holds such a character.
        raise NotInRegister("the holder's id holds a character that cannot be printed", hint="write it again by hand")
    if kind is SubjectKind.BOOTSTRAP:
        if identifier != BOOTSTRAP:
            raise WrongProfile(f"`{identifier}` is not the bootstrap administrator")
        return Holder(kind.value, BOOTSTRAP, "Bootstrap Administrator", "guosuo", SITE, "invalid", (), network=SITE)
    if kind is SubjectKind.PERSON:
        human = person.get_serving(session, PersonId(identifier))
        home = domain.get(session, DomainId(human.domain))
        return _holder(session, kind, (human.id, human.name, human.organisation), home)
    device = system.get_device(session, identifier)
    if device.kind != kind.value:
        raise WrongProfile(f"`{identifier}` is a {device.kind}, not a {kind.value}")
    owner = system.get(session, SystemId(device.system))
    home = domain.get(session, DomainId(owner.domain))
    return _holder(session, kind, (device.id, device.name, owner.organisation), home)


def _holder(session: Session, kind: SubjectKind, who: tuple[str, str, str], home: SecurityDomain) -> Holder:
    identifier, name, department = who
    return Holder(
        kind=kind.value,
        identifier=identifier,
        name=name,
        organisation=organisation.get(session, OrganisationId(department)).name,
        domain=home.id,
        name_space=home.name_space,
        ranges=domain.addresses(session, DomainId(home.id)),
        level=home.level,
        network=home.network,
    )
