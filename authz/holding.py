"""What somebody holds in access (``core.registry.holding.Holder``): roles in domains; of a domain, its applications."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session

from authz.application import Application
from core.identity import SITE, PersonId
from core.registry import role
from core.registry.holding import Holding


class Access:
    """Implements ``core.registry.holding.Holder``."""

    def __init__(self, applications: Sequence[Application] = ()) -> None:
        """Answer for ``applications``, the reviewed descriptions of the site."""
        self._applications = applications

    def holdings(self, session: Session, kind: str, identifier: str, at: datetime) -> Sequence[Holding]:
        """Return a person's roles in domains, or the roles held in a domain and the applications in it."""
        held = [one for one in role.held(session, at) if one[1] != SITE]
        match kind:
            case "person":
                mine = sorted((domain, name) for person, domain, name in held if person == identifier)
                return [Holding("role", f"{domain}/{name}", name, domain, ends=True) for domain, name in mine]
            case "domain":
                here = sorted((person, name) for person, domain, name in held if domain == identifier)
                return [
                    *(Holding("role", f"{person}/{name}", name, identifier, ends=True) for person, name in here),
                    *(
                        Holding("application", one.app, one.host, identifier, ends=False)
                        for one in self._applications
                        if one.domain == identifier
                    ),
                ]
            case _:
                return []

    def relinquish(
        self,
        session: Session,
        person: PersonId,
        *,
        successor: PersonId | None,  # noqa: ARG002  # a role is given by who may give it, and never inherited
        actor: str,
        at: datetime,
    ) -> Sequence[Holding]:
        """Withdraw every role in a domain."""
        held = self.holdings(session, "person", person, at)
        for one in held:
            role.withdraw(session, person=person, domain=one.domain, role=one.title, actor=actor, at=at)
        return held
