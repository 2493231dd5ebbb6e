"""A province as values: what one reviewed YAML says, or what the register says at a time. Pure.

Each kind of entry is a dataclass whose fields say by their form (``form.py``) how they are read, shown and compared.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from dataclasses import field as plain

from core.registry import form, reference, worksheet
from core.registry.form import Form, Value, own
from core.registry.places import Places
from core.registry.worksheet import Damages


@dataclass(frozen=True, slots=True)
class OrganisationEntry:
    """A government body: of a province, prefecture or county, or a department of one."""

    id: str = own(form.Identifier())
    name: str = own(form.Text())
    tier: str = own(form.Word(("province", "prefecture", "county", "department")))
    parent: str | None = own(reference.Reference("organisation", optional=True))


@dataclass(frozen=True, slots=True)
class PostEntry:
    """A post and who holds it now; holder and basis have a history of their own (``PostHolding``)."""

    id: str = own(form.Identifier())
    title: str = own(form.Text())
    organisation: str = own(reference.Reference("organisation"))
    holder: str = own(reference.Reference("person"), elsewhere=True)
    basis: str = own(form.Text(default="-"), elsewhere=True)


@dataclass(frozen=True, slots=True)
class DomainEntry:
    """A security domain. ``ceiling`` is a ``Classification``."""

    id: str = own(form.Identifier(reserved=("site",)))
    name: str = own(form.Text())
    network: str = own(form.Word(("inner", "outer")))
    level: int = own(form.Number(1, 5))
    ceiling: int = own(form.Classified())
    name_space: str = own(form.DnsName())
    organisation: str = own(reference.Reference("organisation"))
    parent: str | None = own(reference.Reference("domain", optional=True))
    in_charge: str = own(reference.Officer("主管"))
    operating: str = own(reference.Officer("运行"))
    addresses: tuple[str, ...] = own(form.Texts())


@dataclass(frozen=True, slots=True)
class PersonEntry:
    """A person; ``roles`` are pairs of domain and role (history of their own), ``member_of`` domains."""

    id: str = own(form.Identifier(reserved=("anonymous", "founding", "installation", "recovery")))
    name: str = own(form.Text(), personal=True)
    organisation: str = own(reference.Reference("organisation"))
    domain: str = own(reference.Reference("domain"))
    clearance: int = own(form.Classified(default=0))
    contact: str = own(form.Text(default="-"), personal=True)
    member_of: tuple[str, ...] = own(reference.References("domain"))
    roles: tuple[tuple[str, str], ...] = own(reference.Roles(), elsewhere=True)


@dataclass(frozen=True, slots=True)
class SystemEntry:
    """A system with its two officers' posts, and its grading worksheet (GB/T 22240): what is damaged, how much, why.

    ``information`` and ``service`` hold (object, degree, reason); ``level`` is 0 for what was not graded.
    """

    id: str = own(form.Identifier())
    name: str = own(form.Text())
    domain: str = own(reference.Reference("domain"))
    organisation: str = own(reference.Reference("organisation"))
    in_charge: str = own(reference.Officer("主管"))
    operating: str = own(reference.Officer("运行"))
    level: int = own(form.Number(1, 5, optional=True))
    information: Damages = own(worksheet.Worksheet("information"))  # noqa: RUF009  # a field
    service: Damages = own(worksheet.Worksheet("service"))  # noqa: RUF009  # a field


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """A machine subject."""

    id: str = own(form.Identifier())
    kind: str = own(form.Word(("gateway", "sensor", "application", "service")))
    name: str = own(form.Text())
    system: str = own(reference.Reference("system"))


@dataclass(frozen=True, slots=True)
class ApplicationEntry:
    """What people open: part of a system, shown by a device (its certificate), under a host name of the domain."""

    id: str = own(form.Identifier())
    name: str = own(form.Text())
    system: str = own(reference.Reference("system"))
    device: str | None = own(reference.Reference("device", optional=True))
    host: str | None = own(form.DnsName(optional=True))


@dataclass(frozen=True, slots=True)
class ElementEntry:
    """A data element with its one source department (一数一源) and the system that holds the original."""

    id: str = own(form.Identifier())
    name: str = own(form.Text())
    source: str = own(reference.Reference("organisation"))
    system: str = own(reference.Reference("system"))
    classification: int = own(form.Classified(default=1))
    sharing: str = own(form.Word(("unconditional", "conditional", "not-shared")))
    update: str = own(form.Text(default="-"))


@dataclass(frozen=True, slots=True)
class AgreementEntry:
    """A sharing agreement: content, method and responsibility (共享内容、方式和责任), for a purpose and a term.

    ``in_charge`` answers at the giver, ``received_by`` at the receiver: they sign; ``operating`` runs the exchange.
    """

    id: str = own(form.Identifier())
    title: str = own(form.Text())
    from_: str = own(reference.Reference("organisation"))
    to: str = own(reference.Reference("organisation"))
    elements: tuple[str, ...] = own(reference.References("element", least=1))
    fields: tuple[str, ...] = own(form.Texts(least=1))
    method: str = own(form.Word(("interface", "file", "copy", "query")))
    purpose: str = own(form.Text())
    since: str = own(form.Moment())
    until: str = own(form.Moment())
    in_charge: str = own(reference.Officer("主管"))
    operating: str = own(reference.Officer("运行"))
    received_by: str = own(reference.Officer("接收方主管"))
    responsibility: str = own(form.Text())


Entry = (
    OrganisationEntry
    | PostEntry
    | DomainEntry
    | PersonEntry
    | SystemEntry
    | DeviceEntry
    | ApplicationEntry
    | ElementEntry
    | AgreementEntry
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of entry: its name, the section of a file that holds it, and its dataclass.

    ``personal``: the digest of its content that goes into the evidence is salted.
    """

    name: str
    section: str
    entry: type[Entry]
    personal: bool = False

    def forms(self) -> Mapping[str, Form]:
        """Return the fields' forms by the fields' names in a file, in their order."""
        return {field.name.rstrip("_"): form.of(field) for field in fields(self.entry)}

    def make(self, values: Mapping[str, Value]) -> Entry:
        """Return the entry with these values, by the fields' names in a file."""
        return _made(self.entry, {field.name: values[field.name.rstrip("_")] for field in fields(self.entry)})


#: Every kind, in the order in which entries are entered: what is referred to comes before what refers to it.
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("organisation", "organisations", OrganisationEntry),
        Kind("post", "posts", PostEntry),
        Kind("domain", "domains", DomainEntry),
        Kind("person", "people", PersonEntry, personal=True),
        Kind("system", "systems", SystemEntry),
        Kind("device", "devices", DeviceEntry),
        Kind("application", "applications", ApplicationEntry),
        Kind("element", "elements", ElementEntry),
        Kind("agreement", "agreements", AgreementEntry),
    )
}


@dataclass(frozen=True, slots=True)
class Province:
    """A whole: every entry by kind. ``digest`` is the SHA-256 of the text it was read from, empty when from none."""

    digest: str
    organisations: tuple[OrganisationEntry, ...] = ()
    posts: tuple[PostEntry, ...] = ()
    domains: tuple[DomainEntry, ...] = ()
    people: tuple[PersonEntry, ...] = ()
    systems: tuple[SystemEntry, ...] = ()
    devices: tuple[DeviceEntry, ...] = ()
    applications: tuple[ApplicationEntry, ...] = ()
    elements: tuple[ElementEntry, ...] = ()
    agreements: tuple[AgreementEntry, ...] = ()
    places: Places = plain(default_factory=Places, compare=False, repr=False)

    def of(self, kind: str) -> Sequence[Entry]:
        """Return the entries of one kind, in their order."""
        found: Sequence[Entry] = getattr(self, KINDS[kind].section)
        return found

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Return (kind, entry) of everything, what is referred to before what refers to it."""
        return ((kind, entry) for kind in KINDS for entry in self.of(kind))


def assemble(entries: Mapping[str, Sequence[Entry]], *, digest: str = "", places: Places | None = None) -> Province:
    """Return the whole of these entries by kind."""
    sections = {KINDS[kind].section: tuple(held) for kind, held in entries.items()}
    return _whole(digest, sections, places or Places())


def values(entry: Entry) -> dict[str, Value]:
    """Return an entry's values by the fields' names in a file."""
    return {field.name.rstrip("_"): getattr(entry, field.name) for field in fields(entry)}


def references(entry: Entry) -> Iterator[tuple[str, str, str]]:
    """Return (field, kind, id) of everything that an entry refers to."""
    for field in fields(entry):
        shape = form.of(field)
        for target, identifier in shape.refers(getattr(entry, field.name)):
            yield field.name.rstrip("_"), target, identifier


def _made(entry: type[Entry], given: Mapping[str, Value]) -> Entry:
    return entry(**given)  # type: ignore[arg-type]  # each value was read by the form of its own field


def _whole(digest: str, sections: Mapping[str, tuple[Entry, ...]], places: Places) -> Province:
    return Province(digest, **sections, places=places)  # type: ignore[arg-type]  # each section holds its own kind, see ``KINDS``
