"""One reviewed YAML for a province: parsed, checked as a whole, refused whole. Pure; ``change.py`` applies it."""

import hashlib

from core.registry import document, rules
from core.registry.document import Entry as Node
from core.registry.document import Reading
from core.registry.errors import Fault, RegisterRejected
from core.registry.places import Places
from core.registry.province import KINDS, Entry, Kind, Province, assemble


def parse_province(text: str) -> Province:
    """Return the province that ``text`` describes. Raises ``RegisterRejected`` naming every fault with its line."""
    return province(document.read(text))


def province(reading: Reading) -> Province:
    """Return the province that a file which was read describes. Raises as ``parse_province`` does."""
    root, faults = reading.root, reading.faults
    places = Places()
    entries = {kind.name: read_section(kind, root, faults, places) for kind in KINDS.values()}
    root.text("province")
    root.close()
    whole = assemble(entries, digest=digest(reading.text), places=places)
    faults += rules.check(whole, places)
    if faults:
        raise RegisterRejected(faults)
    return whole


def digest(text: str) -> str:
    """Return the SHA-256 of a file's text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def read_section(kind: Kind, root: Node, faults: list[Fault], places: Places) -> list[Entry]:
    """Return every entry of a kind; an id that stands twice is a fault."""
    found: dict[str, Entry] = {}
    for node in root.entries(kind.section):
        made = kind.make({name: form.read(node, name) for name, form in kind.forms().items()})
        if made.id in found and made.id:
            complaint = f"{kind.name} `{made.id}` stands already in line {places.line(kind.name, made.id)}"
            faults.append(Fault(node.line_of("id"), complaint, "id", "give each entry an id of its own"))
        places.note(kind.name, made.id, node)
        found.setdefault(made.id, made)
    return list(found.values())
