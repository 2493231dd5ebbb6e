"""People and devices as a table (CSV, RFC 4180): read against the present register, refused whole. Pure.

UTF-8 with or without a byte order mark, or GB18030; the header names fields in Chinese or English; a list in one cell
is parted by semicolons. A cell that a spreadsheet would run as a formula is written with an apostrophe before it.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence

import yaml

from core.registry import changeset
from core.registry.document import LARGEST, MANY
from core.registry.document import Entry as Node
from core.registry.errors import Fault, RegisterRejected
from core.registry.form import Form, Value
from core.registry.loader import digest
from core.registry.places import Places
from core.registry.province import KINDS, Entry, Kind, Province, values

#: Kinds that come as tables, and the Chinese names of their columns.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "person": {
        "标识": "id", "姓名": "name", "单位": "organisation", "安全域": "domain", "涉密等级": "clearance",
        "联系方式": "contact", "可进入域": "member_of", "角色": "roles",
    },
    "device": {"标识": "id", "类型": "kind", "名称": "name", "系统": "system"},
}  # fmt: skip

_LISTS = frozenset({"member_of", "roles"})

#: What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Row = tuple[int, Sequence[str]]


def decode(content: bytes) -> str:
    """Return a file's text. Raises ``RegisterRejected`` for what is neither UTF-8 nor GB18030, or too large."""
    if len(content) > LARGEST:
        _refuse(1, f"the file is larger than {LARGEST} octets", "import it in several files")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = codecs.decode(content, encoding)
        except UnicodeDecodeError as error:
            place = content.count(b"\n", 0, error.start) + 1
        else:
            return str(text)
    _refuse(place, "the file is neither UTF-8 nor GB18030", "save it as `CSV UTF-8`")
    raise AssertionError


def parse_table(text: str, kind: str, present: Province) -> Province:
    """Return the whole that results from entering every row: new ids are added, known ones changed in what is given.

    Raises ``RegisterRejected`` naming every bad row with its line and field.
    """
    if kind not in COLUMNS:
        _refuse(1, f"a table of `{kind[:40]}` cannot be imported", f"one of {', '.join(COLUMNS)}; use a change set")
    rows, faults = list(_rows(text)), list[Fault]()
    header = _header(rows, kind, faults)
    held, places = changeset.hold(present), Places()
    seen: dict[str, int] = {}
    for line, cells in rows[1:]:
        if len(cells) > len(header):
            hint = f"the header has {len(header)}; quote a cell that holds a comma"
            faults.append(Fault(line, f"the row has {len(cells)} cells", "", hint))
            continue
        node = _node(line, header, cells, faults)
        _enter(KINDS[kind], node, held, places)
        _note_twice(node, seen, kind, faults)
        node.close()
    return changeset.complete(held, places, digest(text), faults)


def write_table(kind: str, entries: Sequence[Entry]) -> str:
    """Return entries as a table that a spreadsheet opens without running anything."""
    names = list(COLUMNS[kind].values())
    forms = KINDS[kind].forms()
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    for entry in entries:
        held = values(entry)
        writer.writerow([_safe(_cell(forms[name], held[name])) for name in names])
    return out.getvalue()


def _cell(shape: Form, value: Value) -> str:
    """Return a value as one cell; a list is parted by semicolons, and a comma in a text is the text's own."""
    return ";".join(shape.show((item,)) for item in value) if isinstance(value, tuple) else shape.show(value)


def _rows(text: str) -> Iterator[Row]:
    """Return each row with the line in which it begins; empty lines are passed over."""
    # A mark is no part of the first column's name, whoever decoded the file.
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        _refuse(text.count("\n", 0, text.index("\0")) + 1, "the file holds a NUL", "save it again as `CSV UTF-8`")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line, count = 1, 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                count += 1
                yield line, cells
            if count > MANY:
                _refuse(line, f"the file has more than {MANY} rows", "import it in several files")
            line = reader.line_num + 1
    except csv.Error as error:
        _refuse(line, f"not readable as CSV: {error}", "look at the quotes of this row")


def _header(rows: Sequence[Row], kind: str, faults: list[Fault]) -> list[str]:
    if not rows:
        _refuse(1, "the file is empty", f"begin with the header: {','.join(COLUMNS[kind].values())}")
    known, found = COLUMNS[kind], list[str]()
    line, cells = rows[0]
    for cell in cells:
        name = known.get(cell.strip(), cell.strip())
        hint = f"one of {', '.join(known.values())}, or {', '.join(known)}"
        if name not in known.values():
            faults.append(Fault(line, f"`{name[:40]}` is no column of a {kind}", name[:40], hint))
        if name in found:
            faults.append(Fault(line, f"the column `{name[:40]}` stands twice", name[:40], "keep one of the two"))
        found.append(name)
    if "id" not in found:
        faults.append(Fault(line, "the column `id` is missing", "id", "add a column `id` or `标识`"))
    if faults:
        raise RegisterRejected(faults)
    return found


def _node(line: int, header: Sequence[str], cells: Sequence[str], faults: list[Fault]) -> Node:
    """Return a row as a mapping of the document, so that it is read and judged like any other entry."""
    mark = yaml.Mark("", 0, line - 1, 0, None, 0)
    pairs: list[tuple[yaml.Node, yaml.Node]] = []
    for name, cell in zip(header, cells, strict=False):
        text = _plain(cell)
        if text and name in _LISTS:
            parts = [part.strip() for part in text.replace("；", ";").split(";") if part.strip()]
            nodes = [yaml.ScalarNode("", part, mark, mark) for part in parts]
            pairs.append((yaml.ScalarNode("", name, mark, mark), yaml.SequenceNode("", nodes, mark, mark)))
        elif text:
            pairs.append((yaml.ScalarNode("", name, mark, mark), yaml.ScalarNode("", text, mark, mark)))
    return Node(yaml.MappingNode("", pairs, mark, mark), faults)


def _enter(kind: Kind, node: Node, held: changeset.Held, places: Places) -> None:
    before = held[kind.name].get(node.peek("id"))
    if before is not None:
        changeset.overlay(kind, node, before, held, places)
        return
    made = kind.make({name: form.read(node, name) for name, form in kind.forms().items()})
    places.note(kind.name, made.id, node)
    held[kind.name][made.id] = made


def _note_twice(node: Node, seen: dict[str, int], kind: str, faults: list[Fault]) -> None:
    identifier = node.peek("id")
    if identifier in seen:
        complaint = f"{kind} `{identifier[:80]}` stands already in line {seen[identifier]}"
        faults.append(Fault(node.line, complaint, "id", "keep one of the two rows"))
    seen.setdefault(identifier, node.line)


def _plain(cell: str) -> str:
    """Return a cell without surrounding space, and without the apostrophe that ``_safe`` put before it."""
    text = cell.strip()
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text


def _safe(text: str) -> str:
    # One that has an apostrophe of its own before a formula gets another, so that it comes back as it was.
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def _refuse(line: int, message: str, hint: str) -> None:
    raise RegisterRejected((Fault(line, message, "", hint),))
