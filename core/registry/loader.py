"""One reviewed YAML for a province: parsed, checked as a whole, refused whole. Pure; ``change.py`` applies it."""

import hashlib
import re

from core.registry import document, rules
from core.registry.document import Entry
from core.registry.errors import Fault, RegisterRejected
from core.registry.province import (
    DeviceEntry,
    DomainEntry,
    OrganisationEntry,
    PersonEntry,
    PostEntry,
    Province,
    SystemEntry,
)

#: Words for a classification.
CLASSIFICATIONS = {
    "public": 0, "公开": 0, "internal": 1, "内部": 1, "secret": 2, "秘密": 2,
    "confidential": 3, "机密": 3, "top-secret": 4, "绝密": 4,
}  # fmt: skip
_TIERS = {"province": 0, "prefecture": 1, "county": 2, "department": 3}
_NETWORKS = {"inner": 0, "outer": 1}
_KINDS = {"gateway": 0, "sensor": 1, "application": 2, "service": 3}
#: Names that evidence and roles give to something else.
_RESERVED = {"domain": ("site",), "person": ("anonymous", "founding", "recovery")}
_ROLE = re.compile(r"[a-z][a-z0-9-]{0,79}")
_NAME_SPACE = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}")


def parse_province(text: str) -> Province:
    """Return the province that ``text`` describes. Raises ``RegisterRejected`` naming every fault with its line."""
    faults: list[Fault] = []
    root = document.read(text, faults)
    reader = _Reader(root, faults)
    province = Province(
        digest=hashlib.sha256(text.encode("utf-8")).hexdigest(),
        organisations=tuple(map(reader.organisation, root.entries("organisations"))),
        posts=tuple(map(reader.post, root.entries("posts"))),
        domains=tuple(map(reader.domain, root.entries("domains"))),
        people=tuple(map(reader.person, root.entries("people"))),
        systems=tuple(map(reader.system, root.entries("systems"))),
        devices=tuple(map(reader.device, root.entries("devices"))),
    )
    root.text("province")
    root.close()
    reader.check(province)
    if faults:
        raise RegisterRejected(tuple(faults))
    return province


class _Reader:
    """Reads entries and remembers what they refer to, so that references are checked when all are known."""

    def __init__(self, root: Entry, faults: list[Fault]) -> None:
        self._root = root
        self._faults = faults
        self._named: dict[str, list[tuple[str, int]]] = {}
        self._meant: list[tuple[str, str, int]] = []
        self._ranges: list[tuple[str, str, int]] = []
        self._spaces: list[tuple[str, str, int]] = []

    def organisation(self, entry: Entry) -> OrganisationEntry:
        made = OrganisationEntry(
            self._id("organisation", entry),
            entry.text("name"),
            self._word(entry, "tier", _TIERS),
            entry.optional("parent"),
        )
        self._refer("organisation", made.parent, entry, "parent")
        entry.close()
        return made

    def post(self, entry: Entry) -> PostEntry:
        made = PostEntry(
            id=self._id("post", entry),
            title=entry.text("title"),
            organisation=entry.text("organisation"),
            holder=entry.text("holder"),
            basis=entry.text("basis", default="-"),
        )
        self._refer("organisation", made.organisation, entry, "organisation")
        self._refer("person", made.holder, entry, "holder")
        entry.close()
        return made

    def domain(self, entry: Entry) -> DomainEntry:
        identifier = self._id("domain", entry)
        addresses = entry.texts("addresses")
        self._ranges += [(text, identifier, line) for text, line in addresses]
        made = DomainEntry(
            id=identifier,
            name=entry.text("name"),
            network=self._word(entry, "network", _NETWORKS),
            level=entry.number("level", 1, 5),
            ceiling=entry.choice("ceiling", CLASSIFICATIONS),
            name_space=entry.text("name_space"),
            organisation=entry.text("organisation"),
            parent=entry.optional("parent"),
            in_charge=self._officer(entry, "in_charge", "主管"),
            operating=self._officer(entry, "operating", "运行"),
            addresses=tuple(text for text, _line in addresses),
        )
        if made.name_space and not _NAME_SPACE.fullmatch(made.name_space):
            self._fault(entry, "name_space", f"`{made.name_space}` is not a DNS name")
        if made.name_space:
            self._spaces.append((made.name_space, identifier, entry.line_of("name_space")))
        self._refer("organisation", made.organisation, entry, "organisation")
        self._refer("domain", made.parent, entry, "parent")
        entry.close()
        return made

    def person(self, entry: Entry) -> PersonEntry:
        member_of, roles = entry.texts("member_of"), []
        for text, line in entry.texts("roles"):
            domain, _, role = text.partition(":")
            if not _ROLE.fullmatch(role):
                self._faults.append(Fault(line, f"`{text[:120]}` is not written `domain:role`"))
            self._meant.append(("domain", domain, line))
            roles.append((domain, role))
        self._meant += [("domain", domain, line) for domain, line in member_of]
        made = PersonEntry(
            id=self._id("person", entry),
            name=entry.text("name"),
            organisation=entry.text("organisation"),
            domain=entry.text("domain"),
            clearance=entry.choice("clearance", CLASSIFICATIONS, default=0),
            contact=entry.text("contact", default="-"),
            member_of=tuple(domain for domain, _line in member_of),
            roles=tuple(roles),
        )
        self._refer("organisation", made.organisation, entry, "organisation")
        self._refer("domain", made.domain, entry, "domain")
        entry.close()
        return made

    def system(self, entry: Entry) -> SystemEntry:
        made = SystemEntry(
            id=self._id("system", entry),
            name=entry.text("name"),
            domain=entry.text("domain"),
            organisation=entry.text("organisation"),
            in_charge=self._officer(entry, "in_charge", "主管"),
            operating=self._officer(entry, "operating", "运行"),
        )
        self._refer("domain", made.domain, entry, "domain")
        self._refer("organisation", made.organisation, entry, "organisation")
        entry.close()
        return made

    def device(self, entry: Entry) -> DeviceEntry:
        made = DeviceEntry(
            self._id("device", entry), self._word(entry, "kind", _KINDS), entry.text("name"), entry.text("system")
        )
        self._refer("system", made.system, entry, "system")
        entry.close()
        return made

    def check(self, province: Province) -> None:
        """Hold everything against everything else."""
        for kind, named in self._named.items():
            self._faults += rules.duplicates(kind, named)
        lines = {(kind, name): line for kind, named in self._named.items() for name, line in named}
        for kind, name, line in self._meant:
            if (kind, name) not in lines:
                self._faults.append(Fault(line, f"there is no {kind} `{name}`"))
        for kind, parents in (
            ("organisation", {entry.id: entry.parent for entry in province.organisations}),
            ("domain", {entry.id: entry.parent for entry in province.domains}),
        ):
            self._faults += rules.cycles(kind, parents, {name: lines.get((kind, name), 1) for name in parents})
        networks, unreadable = rules.parse_networks(self._ranges)
        self._faults += [*unreadable, *rules.overlaps(networks)]
        above = {entry.id: entry.parent for entry in province.domains}
        self._faults += rules.name_space_overlaps(self._spaces, above)

    def _id(self, kind: str, entry: Entry) -> str:
        identifier = entry.identifier()
        if identifier in _RESERVED.get(kind, ()):
            self._fault(entry, "id", f"`{identifier}` means something else and cannot be the id of a {kind}")
        if identifier:
            self._named.setdefault(kind, []).append((identifier, entry.line))
        return identifier

    def _officer(self, entry: Entry, name: str, title: str) -> str:
        """Read the post that answers; nothing may be without its 主管 and its 运行."""
        post = entry.optional(name)
        if post is None:
            entry.fault(f"`{name}` is missing: nothing is without its {title} post")
            return ""
        self._refer("post", post, entry, name)
        return post

    def _word(self, entry: Entry, name: str, words: dict[str, int]) -> str:
        entry.choice(name, words)
        return entry.text(name, default="-")

    def _refer(self, kind: str, name: str | None, entry: Entry, field: str) -> None:
        if name:
            self._meant.append((kind, name, entry.line_of(field)))

    def _fault(self, entry: Entry, field: str, message: str) -> None:
        self._faults.append(Fault(entry.line_of(field), message))
