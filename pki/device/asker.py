"""Who asks: a machine that shows a good certificate of its own, or knows the initial secret that was made for it."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from sqlmodel import Session

from core.access import Authenticator
from core.clock import Clock
from core.database import Database
from core.errors import TrustError
from core.identity import DomainId, SubjectKind
from core.registry import domain
from core.registry.errors import NotInRegister
from pki import holder as holders
from pki.device import events, secret
from pki.device.errors import BadSecret, NotAMachine
from pki.device.models import DeviceSecret
from pki.names import Holder


@dataclass(frozen=True, slots=True)
class Asker:
    """A machine, and the names that its proof is good for; ``serial`` is its certificate's, or ``secret`` an id."""

    holder: Holder
    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    serial: str = ""
    secret: str = ""

    @property
    def actor(self) -> str:
        """Return how the record calls it."""
        return events.actor_of(self.holder.identifier)

    @property
    def proof(self) -> str:
        """Return what it showed, in a word for comparison."""
        return f"certificate:{self.serial}" if self.serial else f"secret:{self.secret}"


class Askers:
    """Finds out who asks. Safe for many threads."""

    def __init__(
        self, *, database: Database, authenticator: Authenticator, clock: Clock, installation: Callable[[], bytes]
    ) -> None:
        """``installation`` returns what initial secrets follow from."""
        self._database = database
        self._authenticator = authenticator
        self._clock = clock
        self._installation = installation

    def by_certificate(self, content: bytes) -> Asker:
        """Return whose certificate (DER) this is, now. Raises an ``Unauthenticated``, or ``NotAMachine``."""
        principal = self._authenticator.authenticate(content)
        if principal.kind not in secret.KINDS:
            raise NotAMachine(
                f"`{principal.identifier}` is a {principal.kind}, and not a machine of the register",
                hint="people file requests at the desk (`guosuo request add`)",
            )
        with self._database.read() as session:
            found = _serving(session, principal.kind, principal.identifier)
        hosts, addresses = certified_names(content)
        return Asker(found, hosts, addresses, serial=principal.serial)

    def by_secret(self, identifier: str, value: str) -> Asker:
        """Return whose secret this is. Raises ``BadSecret``, one and the same for all that could be guessed at."""
        asker, known = self.by_reference(identifier)
        if not hmac.compare_digest(known.encode(), value.encode()):
            raise _unknown()
        return asker

    def by_reference(self, identifier: str) -> tuple[Asker, str]:
        """Return for whom the secret of this id was made, and the secret; who asks must still show that they know it.

        Raises ``BadSecret``. That it was used is for ``secret.take`` to say.
        """
        with self._database.read() as session:
            row = session.get(DeviceSecret, identifier)
            over = row is None or row.state == "withdrawn"
            if row is None or over or (row.state == "open" and self._clock.now() >= row.ends_at):
                raise _unknown()
            try:
                found = _serving(session, SubjectKind(row.holder_kind), row.holder)
            except TrustError as error:
                raise BadSecret(f"the machine of this secret gets no certificates: {error.detail}") from error
            hosts, addresses = secret.names_of(row)
            return Asker(found, hosts, addresses, secret=row.id), secret.value_of(row, self._installation())


def certified_names(content: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the host names and the addresses of a certificate of ours (DER)."""
    loaded = x509.load_der_x509_certificate(content)
    names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = tuple(str(one) for one in names.get_values_for_type(x509.IPAddress))
    return tuple(names.get_values_for_type(x509.DNSName)), addresses


def _serving(session: Session, kind: SubjectKind, identifier: str) -> Holder:
    found = holders.find(session, kind, identifier)
    if domain.get(session, DomainId(found.domain)).suspended:
        raise NotInRegister(f"the domain `{found.domain}` of `{identifier}` is suspended")
    return found


def _unknown() -> BadSecret:
    return BadSecret("the initial secret is not good", hint="ask the registration officer for a new one")
