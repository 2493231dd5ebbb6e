"""What a register must keep, as a whole: references that lead somewhere, no cycle, levels and terms in order. Pure.

Each rule gets the whole and says what is wrong with it; ``Places`` says in which line of the file that stands.
"""

import unicodedata
from collections.abc import Callable, Iterator, Mapping

from core.clock import from_rfc3339
from core.registry import ancestry, grading, spaces
from core.registry.errors import Fault
from core.registry.level import Classification
from core.registry.places import Places
from core.registry.province import ElementEntry, Province, SystemEntry, references

Rule = Callable[[Province, Places], Iterator[Fault]]


def check(whole: Province, places: Places) -> list[Fault]:
    """Return every fault of the whole."""
    return [fault for rule in RULES for fault in rule(whole, places)]


def _references(whole: Province, places: Places) -> Iterator[Fault]:
    known = {(kind, entry.id) for kind, entry in whole.entries()}
    for kind, entry in whole.entries():
        for field, target, identifier in references(entry):
            if (target, identifier) not in known and not places.is_ending(target, identifier):
                line = places.line(kind, entry.id, field, _written(kind, entry.id, field, identifier, places))
                hint = f"correct the id, or add the {target} `{identifier[:80]}`"
                yield Fault(line, f"there is no {target} `{identifier[:80]}`", field, hint)


def _written(kind: str, owner: str, field: str, identifier: str, places: Places) -> str:
    """Return the item of a list as it stands in the file: a role is written with its domain before it."""
    if (kind, field) != ("person", "roles"):
        return identifier
    return next((item for item in places.items(kind, owner, field) if item.startswith(f"{identifier}:")), "")


def _ending(whole: Province, places: Places) -> Iterator[Fault]:
    for kind, entry in whole.entries():
        for field, target, identifier in references(entry):
            if places.is_ending(target, identifier):
                complaint = f"{target} `{identifier}` cannot end: {kind} `{entry.id}` refers to it (`{field}`)"
                hint = f"change or end {kind} `{entry.id}` first, or in the same file"
                yield Fault(places.line_of_end(target, identifier), complaint, field, hint)


def _cycles(whole: Province, places: Places) -> Iterator[Fault]:
    for kind, parents in (
        ("organisation", {entry.id: entry.parent for entry in whole.organisations}),
        ("domain", {entry.id: entry.parent for entry in whole.domains}),
    ):
        circular = ancestry.circular(parents)
        for start in parents:
            if start in circular:
                line = places.line(kind, start)
                hint = "one of them must have another `parent`, or none"
                yield Fault(line, f"{kind} `{start}` is its own ancestor", "parent", hint)


def _spaces(whole: Province, places: Places) -> Iterator[Fault]:
    above = {entry.id: entry.parent for entry in whole.domains}
    yield from spaces.ranges(whole.domains, places)
    yield from spaces.name_spaces(whole.domains, above, places)


def _grading(whole: Province, places: Places) -> Iterator[Fault]:
    levels = {entry.id: entry.level for entry in whole.domains}
    for system in whole.systems:
        graded = grading.grade(system.information, system.service)
        yield from _stated(system, graded, places)
        most, level = levels.get(system.domain, 5), graded.level or system.level
        if level > most:
            line = _line_of_highest(system, graded, places) or places.line("domain", system.domain, "level")
            complaint = f"system `{system.id}` has level {level}, above level {most} of its domain `{system.domain}`"
            hint = "raise the domain's level (a two-person act), or put the system into a domain of its level"
            yield Fault(line, complaint, "level", hint)


def _line_of_highest(system: SystemEntry, graded: grading.Grade, places: Places) -> int:
    """Return the line of the damage that gives the level."""
    part = "information" if graded.information == graded.level else "service"
    damages = system.information if part == "information" else system.service
    reached = [place for place, one in enumerate(damages) if grading.grade((one,), ()).level == graded.level]
    return places.line_of_nth("system", system.id, part, reached[0]) if reached else 0


def _stated(system: SystemEntry, graded: grading.Grade, places: Places) -> Iterator[Fault]:
    line = places.line("system", system.id, "level")
    if system.level and not graded.level:
        hint = "add `grading:` with `information:` and `service:`, each with object, degree and reason"
        yield Fault(line, f"the level {system.level} of `{system.id}` has no worksheet", "level", hint)
    elif system.level and system.level != graded.level:
        complaint = (
            f"`{system.id}` states level {system.level}, its worksheet gives {graded} and so level {graded.level}"
        )
        yield Fault(line, complaint, "level", "leave `level` out, or correct the worksheet and its reasons")


def _elements(whole: Province, places: Places) -> Iterator[Fault]:
    ceilings = {entry.id: entry.ceiling for entry in whole.domains}
    homes = {entry.id: entry.domain for entry in whole.systems}
    first: dict[str, ElementEntry] = {}
    for element in whole.elements:
        # Full width or half, capital or small, with or without spaces: people read one name (Unicode TR 15).
        alike = "".join(unicodedata.normalize("NFKC", element.name).casefold().split())
        other = first.setdefault(alike, element)
        if other is not element:
            line = places.first(("element", element.id, "name"), ("element", other.id, "name"))
            sources = f"`{other.source}` (`{other.id}`) and `{element.source}` (`{element.id}`)"
            complaint = f"`{element.name}` has two sources: {sources}"
            yield Fault(line, complaint, "name", "one number, one source (一数一源): keep one of the two elements")
        ceiling = ceilings.get(homes.get(element.system, ""), 4)
        if element.classification > ceiling:
            line = places.first(
                ("element", element.id, "classification"),
                ("element", element.id, ""),
                ("domain", homes[element.system], "ceiling"),
            )
            marking, most = (Classification(number).marking or "公开" for number in (element.classification, ceiling))
            complaint = f"`{element.id}` is {marking}, above the ceiling {most} of the domain of `{element.system}`"
            yield Fault(line, complaint, "classification", "put it into a system of a domain that may hold it")


def _is_within(organisation: str, party: str, parents: Mapping[str, str | None]) -> bool:
    """Return whether an organisation is ``party``, or below it."""
    return organisation == party or party in ancestry.ancestors(organisation, parents)


def _agreements(whole: Province, places: Places) -> Iterator[Fault]:
    sources = {entry.id: entry.source for entry in whole.elements}
    offices = {entry.id: entry.organisation for entry in whole.posts}
    parents = {entry.id: entry.parent for entry in whole.organisations}
    for one in whole.agreements:
        if one.from_ == one.to:
            line = places.line("agreement", one.id, "to")
            yield Fault(line, f"`{one.id}` is between `{one.to}` and itself", "to", "name the two departments")
        if one.since and one.until and from_rfc3339(one.until) <= from_rfc3339(one.since):
            line = places.first(("agreement", one.id, "until"), ("agreement", one.id, "since"))
            yield Fault(line, f"the term of `{one.id}` ends before it begins", "until", "give a later `until`")
        for field, post, party in (("in_charge", one.in_charge, one.from_), ("received_by", one.received_by, one.to)):
            # A party or a post that there is not is a fault of its own.
            if party in parents and not _is_within(offices.get(post, party), party, parents):
                line = places.line("agreement", one.id, field)
                complaint = f"the post `{post}` is not one of `{party}` and cannot answer for it"
                yield Fault(line, complaint, field, f"name a post of `{party}`")
        for element in one.elements:
            if sources.get(element, one.from_) != one.from_:
                line = places.line("agreement", one.id, "elements", element)
                complaint = f"`{one.from_}` cannot give `{element}`: its source is `{sources[element]}`"
                yield Fault(
                    line, complaint, "elements", "an agreement gives only what its giver is the source of (一数一源)"
                )


def _applications(whole: Province, places: Places) -> Iterator[Fault]:
    systems, devices = ({entry.id: entry for entry in found} for found in (whole.systems, whole.devices))
    names = {entry.id: entry.name_space for entry in whole.domains}
    owners = {entry.name_space: entry.id for entry in whole.domains if entry.name_space}
    yield from _hosts(whole, places)
    for one in whole.applications:
        device = devices.get(one.device or "")
        if device is not None and (getattr(device, "system", ""), getattr(device, "kind", "")) != (
            one.system,
            "application",
        ):
            line = places.line("application", one.id, "device")
            complaint = f"the device `{one.device}` is no application of the system `{one.system}`"
            yield Fault(line, complaint, "device", "name a device of kind application of the same system")
        system = systems.get(one.system)
        space = names.get(getattr(system, "domain", ""), "")
        if one.host and space and not one.host.endswith(f".{space}"):
            line = places.line("application", one.id, "host")
            yield Fault(
                line, f"the host `{one.host}` is not in the name space `{space}`", "host", f"end it with `.{space}`"
            )
        elif one.host and space and (inner := spaces.owner(one.host, owners)) not in ("", owners[space]):
            line = places.line("application", one.id, "host")
            complaint = f"the host `{one.host}` is in the name space of `{inner}`, not in that of its own domain"
            yield Fault(line, complaint, "host", f"give it a name that belongs to `{owners[space]}` alone")


def _hosts(whole: Province, places: Places) -> Iterator[Fault]:
    first: dict[str, str] = {}
    for one in whole.applications:
        if one.host and (other := first.setdefault(one.host, one.id)) != one.id:
            line = places.first(("application", one.id, "host"), ("application", other, "host"))
            complaint = f"the host `{one.host}` belongs to `{other}` already"
            yield Fault(line, complaint, "host", "give each application a host of its own")


#: Every rule, in the order in which their faults are of interest.
RULES: tuple[Rule, ...] = (_references, _ending, _cycles, _spaces, _grading, _elements, _agreements, _applications)
