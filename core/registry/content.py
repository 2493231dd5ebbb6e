"""What an entry says as canonical JSON (RFC 8785), its digest, and what of it the evidence may carry. Pure.

The digest of what is personal is salted: a name and a telephone number are guessed too easily from a bare hash.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields

import rfc8785

from core.ledger.entry import JsonValue
from core.registry import form
from core.registry.form import Form, Value
from core.registry.province import KINDS, Entry, values

#: The act by which an agreement is signed, as it stands in the signed text; the digest is that of its content.
SIGN = "register.agreement.sign"


def write(kind: str, entry: Entry) -> str:
    """Return an entry as canonical JSON, without what has a history of its own."""
    kept = {name: form.pack(value) for name, value in values(entry).items() if not _is_elsewhere(kind, name)}
    return rfc8785.dumps(kept).decode("utf-8")


def read(kind: str, text: str, elsewhere: Mapping[str, Value]) -> Entry:
    """Return the entry that ``write`` wrote, with what has a history of its own. Raises ``ValueError``, ``TypeError``.

    A field that came later than the text was written has its empty value.
    """
    kept = json.loads(text)
    held = {name: form.unpack(kept[name]) for name in KINDS[kind].forms() if name in kept}
    return KINDS[kind].make({**{name: shape.empty for name, shape in KINDS[kind].forms().items()}, **held, **elsewhere})


def digest(text: str, salt: str) -> str:
    """Return the SHA-256 of ``salt`` (hexadecimal, may be empty) and the text."""
    return hashlib.sha256(bytes.fromhex(salt) + text.encode("utf-8")).hexdigest()


def public(entry: Entry) -> dict[str, JsonValue]:
    """Return what the evidence may carry of an entry: everything that is not personal."""
    kept = values(entry)
    return {
        field.name.rstrip("_"): form.pack(kept[field.name.rstrip("_")])
        for field in fields(entry)
        if not form.is_personal(field)
    }


def personal(kind: str) -> frozenset[str]:
    """Return the names of the fields that are personal."""
    return frozenset(field.name.rstrip("_") for field in fields(KINDS[kind].entry) if form.is_personal(field))


def differences(before: Entry, after: Entry) -> dict[str, tuple[str, str]]:
    """Return (old, new), as people read them, of every field that differs."""
    old, new = values(before), values(after)
    forms = {field.name.rstrip("_"): form.of(field) for field in fields(after)}
    return {name: (forms[name].show(old[name]), forms[name].show(new[name])) for name in new if old[name] != new[name]}


def shown(entry: Entry) -> dict[str, str | int | bool | list[str] | None]:
    """Return every field as people read it; numbers stay numbers, lists stay lists, nothing stays nothing."""
    forms = {field.name.rstrip("_"): form.of(field) for field in fields(entry)}
    return {name: _shown(forms[name], value) for name, value in values(entry).items()}


def _shown(shape: Form, value: Value) -> str | int | list[str] | None:
    if isinstance(value, tuple):
        return [shape.show((item,)) for item in value]
    return value if value is None or (isinstance(shape, form.Number) and isinstance(value, int)) else shape.show(value)


def _is_elsewhere(kind: str, name: str) -> bool:
    return any(field.name.rstrip("_") == name and form.is_elsewhere(field) for field in fields(KINDS[kind].entry))
