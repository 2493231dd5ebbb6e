"""Bad province files, kind by kind: each is refused whole, in its line, with its field and what to do about it.

The sample province is spoiled at one place; the property tests spoil it at a random place of the same kind.
"""

import functools
import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.registry import difference, loader
from core.registry.errors import Fault, RegisterRejected
from tests.people import PROVINCE

SAMPLE = PROVINCE.read_text(encoding="utf-8")
LINES = SAMPLE.split("\n")

#: (line in the file from 1, the file, the field that is named, a word of the fault)
Spoiled = tuple[int, str, str, str]
Choose = Callable[[Sequence[int]], int]


def faults(text: str) -> Sequence[Fault]:
    with pytest.raises(RegisterRejected) as refused:
        loader.parse_province(text)
    assert "nothing was loaded" in refused.value.detail
    return refused.value.faults


def places(pattern: str) -> list[int]:
    """The indices of the lines that match."""
    return [index for index, line in enumerate(LINES) if re.search(pattern, line)]


def with_line(index: int, line: str) -> str:
    return "\n".join([*LINES[:index], line, *LINES[index + 1 :]])


def replaced(choose: Choose, pattern: str, new: str, field: str, word: str) -> Spoiled:
    """Spoil one line: replace what matches ``pattern`` in it."""
    index = choose(places(pattern))
    return index + 1, with_line(index, re.sub(pattern, new, LINES[index], count=1)), field, word


def spoil(name: str, choose: Choose) -> Spoiled:
    return replaced(choose, *REPLACED[name])


def section(name: str) -> tuple[int, int]:
    """The indices of the first and after the last line of a section."""
    first = LINES.index(f"{name}:") + 1
    end = next((at for at in range(first, len(LINES)) if re.match(r"[a-z#]", LINES[at])), len(LINES))
    return first, end


def entry_lines(name: str) -> list[int]:
    first, end = section(name)
    return [index for index in range(first, end) if re.match(r"  - ", LINES[index])]


def duplicate(choose: Choose, name: str) -> Spoiled:
    first, end = section(name)
    index = choose([at for at in entry_lines(name) if LINES[at].endswith("}")])
    spoiled = [*LINES[:end], LINES[index], *LINES[end:]]
    assert first < end
    return end + 1, "\n".join(spoiled), "id", "stands already in line"


def dropped(choose: Choose, pattern: str, field: str, word: str) -> Spoiled:
    """Leave one whole line of a block entry out; the fault stands where the entry begins."""
    index = choose(places(pattern))
    begin = max(at for at in range(index) if re.match(r"  - ", LINES[at]))
    return begin + 1, "\n".join([*LINES[:index], *LINES[index + 1 :]]), field, word


def swapped(choose: Choose, pattern: str, field: str, word: str, value: Callable[[str], str]) -> Spoiled:
    """Give one line the value of another line of the same kind."""
    indices = places(pattern)
    index = choose(indices[1:])
    return index + 1, with_line(index, re.sub(pattern, value(LINES[indices[0]]), LINES[index], count=1)), field, word


def cycle(choose: Choose) -> Spoiled:
    index = LINES.index("  - {id: beichen, name: 北辰省人民政府, tier: province}")
    return index + 1, with_line(index, LINES[index].replace("}", ", parent: qinghe-czj}")), "parent", "its own ancestor"


def other_source(choose: Choose) -> Spoiled:
    """An agreement in which somebody gives what another department is the source of."""
    index = choose(places(r"^    elements: \["))
    other = "budget-item" if "person-basic" in LINES[index] else "person-basic"
    line = f"    elements: [{other}]"
    return index + 1, with_line(index, line), "elements", "cannot give"


def twin_element(choose: Choose) -> Spoiled:
    index = choose(entry_lines("elements"))
    name = re.search(r"name: ([^,]+),", LINES[index])
    assert name is not None
    end = section("elements")[1]
    twin = f"  - {{id: twin, name: {name[1]}, source: bc-xxb, system: trust-service, sharing: conditional}}"
    return end + 1, "\n".join([*LINES[:end], twin, *LINES[end:]]), "name", "has two sources"


#: name: (what is replaced in one line, by what, the field that is named, a word of the fault)
REPLACED: dict[str, tuple[str, str, str, str]] = {
    "unknown tier": (r"tier: \w+", "tier: empire", "tier", "`tier` is `empire`"),
    "unknown parent organisation": (
        r"tier: department, parent: [\w-]+",
        "tier: department, parent: no-such",
        "parent",
        "no organisation `no-such`",
    ),
    "unknown holder": (r"holder: [\w-]+", "holder: no-such", "holder", "no person `no-such`"),
    "empty holder": (r"holder: [\w-]+", "holder: ''", "holder", "`holder` is not a text"),
    "unknown organisation of a post": (
        r"organisation: [\w-]+, holder",
        "organisation: no-such, holder",
        "organisation",
        "no organisation `no-such`",
    ),
    "unknown organisation of a person": (
        r"organisation: [\w-]+, domain",
        "organisation: no-such, domain",
        "organisation",
        "no organisation `no-such`",
    ),
    "unknown domain of a person": (
        r", domain: [\w-]+, clearance",
        ", domain: no-such, clearance",
        "domain",
        "no domain `no-such`",
    ),
    "unknown membership": (r"member_of: \[", "member_of: [no-such, ", "member_of", "no domain `no-such`"),
    "membership twice": (r"member_of: \[([\w-]+)", r"member_of: [\1, \1", "member_of", "stands twice in `member_of`"),
    "nobody's name space": (r"name_space: .*", "name_space: a.invalid", "name_space", "is a name that nobody can have"),
    "unknown clearance": (r"clearance: \w+", "clearance: 超密", "clearance", "`clearance` is `超密`"),
    "role without a domain": (r'roles: \["', 'roles: ["reader", "', "roles", "not written `domain:role`"),
    "role in an unknown domain": (r'roles: \["', 'roles: ["no-such:reader", "', "roles", "no domain `no-such`"),
    "id in capitals": (r"\{id: ([a-z])", r"{id: Ä\1", "id", "is not an id"),
    "reserved person": (
        r"\{id: [\w-]+, name: [^,]+, organisation: [\w-]+, domain",
        "{id: founding, name: 某, organisation: bc-xxb, domain",
        "id",
        "means something else",
    ),
    "no name": (r"name: [^,}]+", "name: ''", "name", "`name` is not a text"),
    "unprintable name": (r"name: [^,}]+", r'name: "\\u202Ea"', "name", "cannot be printed"),
    "unknown field": (r"\{id: ", "{shoe_size: 42, id: ", "shoe_size", "is not known here"),
    "field twice": (r"\{id: (?=.*\bname: )", "{name: 一, id: ", "name", "stands twice"),
    "level of words": (r"^    level: \d", "    level: three", "level", "not a number from 1 to 5"),
    "level six": (r"^    level: \d", "    level: 6", "level", "not a number from 1 to 5"),
    "unknown network": (r"network: \w+", "network: middle", "network", "`network` is `middle`"),
    "unknown ceiling": (r"ceiling: \w+", "ceiling: 很高", "ceiling", "`ceiling` is `很高`"),
    "bad name space": (r"name_space: .*", "name_space: Not..A..Name", "name_space", "is not a DNS name"),
    "no range": (r"addresses: \[", "addresses: [10.300.0.0/16, ", "addresses", "is not a range"),
    "host bits": (r"addresses: \[", "addresses: [172.16.0.1/16, ", "addresses", "is not a range"),
    "unknown post": (r"operating: [\w-]+", "operating: no-such", "operating", "no post `no-such`"),
    "unknown domain of a system": (r"^    domain: .*", "    domain: no-such", "domain", "no domain `no-such`"),
    "unknown system of a device": (
        r"kind: (\w+), name: ([^,]+), system: [\w-]+",
        r"kind: \1, name: \2, system: no-such",
        "system",
        "no system `no-such`",
    ),
    "unknown kind of device": (r"kind: \w+", "kind: teapot", "kind", "`kind` is `teapot`"),
    "unknown object of damage": (r"object: [^,]+", "object: planet", "object", "`object` is `planet`"),
    "unknown degree of damage": (r"degree: [^,]+", "degree: slight", "degree", "`degree` is `slight`"),
    "no reason": (r", reason: [^}]+", "", "reason", "`reason` is missing"),
    "level above its domain's": (
        r"object: citizens, degree: \w+",
        "object: national-security, degree: especially-serious",
        "level",
        "above level",
    ),
    "application without its device": (r"device: [\w-]+", "device: gw-1", "device", "is no application of"),
    "host in another name space": (r"host: [\w.-]+", "host: www.example.org", "host", "is not in the name space"),
    "unknown source": (r"source: [\w-]+", "source: no-such", "source", "no organisation `no-such`"),
    "element above the ceiling": (
        r"classification: \w+",
        "classification: top-secret",
        "classification",
        "above the ceiling",
    ),
    "unknown sharing": (r"sharing: [\w-]+", "sharing: maybe", "sharing", "`sharing` is `maybe`"),
    "party that there is not": (r"^    to: .*", "    to: no-such", "to", "no organisation `no-such`"),
    "element that there is not": (r"^    elements: .*", "    elements: [no-such]", "elements", "no element `no-such`"),
    "agreement about nothing": (r"^    elements: .*", "    elements: []", "elements", "`elements` is empty"),
    "term that ends before it begins": (r"^    until: .*", "    until: 2025-01-01", "until", "ends before it begins"),
    "term that is no time": (r"^    until: .*", "    until: 明年", "until", "is not a time"),
    "term before the calendar": (r"^    until: .*", "    until: '0001-01-01'", "until", "is not a time"),
    "term after the calendar": (r"^    until: .*", "    until: '9999-12-31T23:59:59-12:00'", "until", "is not a time"),
    "post of a stranger": (r"^    received_by: .*", "    received_by: xxb-director", "received_by", "is not one of"),
}

KINDS: dict[str, Callable[[Choose], Spoiled]] = {
    **{name: functools.partial(spoil, name) for name in REPLACED},
    "name space of another": lambda choose: swapped(
        choose, r"name_space: .*", "name_space", "belongs to", lambda line: line.strip()
    ),
    "name space inside another": lambda choose: swapped(
        choose, r"name_space: .*", "name_space", "lies in that of", lambda line: line.strip().replace(": ", ": x.")
    ),
    "overlapping ranges": lambda choose: swapped(
        choose, r"addresses: \[[^,\]]+", "addresses", "overlaps", lambda line: line.strip().split(",")[0].rstrip("]")
    ),
    "no 主管": lambda choose: dropped(choose, r"^    in_charge: ", "in_charge", "nothing is without its 主管 post"),
    "no 运行": lambda choose: dropped(choose, r"^    operating: ", "operating", "nothing is without its 运行 post"),
    "cycle": cycle,
    "id twice among people": lambda choose: duplicate(choose, "people"),
    "id twice among organisations": lambda choose: duplicate(choose, "organisations"),
    "id twice among posts": lambda choose: duplicate(choose, "posts"),
    "two sources of one element": twin_element,
    "element of another source": other_source,
}


def middle(indices: Sequence[int]) -> int:
    return indices[len(indices) // 2]


def check(spoiled: Spoiled) -> None:
    line, text, field, word = spoiled
    found = faults(text)
    assert (line, field) in {(fault.line, fault.field) for fault in found if word in fault.message}, found
    assert all(fault.hint and fault.message and len(str(fault)) < 600 for fault in found)


def test_there_are_enough_kinds() -> None:
    assert len(KINDS) >= 25


@pytest.mark.parametrize("name", KINDS)
def test_a_bad_file_is_refused_in_its_line_with_field_and_hint(name: str) -> None:
    check(KINDS[name](middle))


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_wherever_it_is_bad(name: str, data: st.DataObject) -> None:
    check(KINDS[name](lambda indices: data.draw(st.sampled_from(list(indices)))))


def test_a_stated_level_that_contradicts_its_worksheet() -> None:
    index = LINES.index("  - id: fin-budget")
    at = next(place for place in range(index, len(LINES)) if LINES[place] == "    level: 3")
    found = faults(with_line(at, "    level: 2"))
    assert [(fault.line, fault.field) for fault in found] == [(at + 1, "level")]
    assert "its worksheet gives S3A2 and so level 3" in found[0].message


def test_a_level_without_a_worksheet() -> None:
    text = SAMPLE + "\n"
    begin = text.index("    grading:", text.index("- id: fin-budget"))
    end = text.index("  - id: office-docs")
    found = faults(text[:begin] + text[end:])
    assert ["has no worksheet" in fault.message for fault in found] == [True]


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_line_left_out_is_read_or_refused(data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(LINES) - 1))
    assume(LINES[index].strip())
    found: Sequence[Fault] = ()
    try:
        loader.parse_province("\n".join([*LINES[:index], *LINES[index + 1 :]]))
    except RegisterRejected as refused:
        found = refused.faults
    assert all(fault.hint for fault in found)


names = st.text("甲乙丙丁ab ", min_size=1, max_size=6).filter(lambda text: bool(text.strip()))


@st.composite
def provinces(draw: st.DrawFn) -> str:
    """A valid province of any size: departments in a chain, posts, domains, people, systems, devices, elements."""
    count = draw(st.integers(1, 5))
    organisations = [f"org-{number}" for number in range(count)]
    people = [f"person-{number}" for number in range(draw(st.integers(1, 8)))]
    domains = [f"domain-{number}" for number in range(draw(st.integers(1, 5)))]
    levels = {domain: draw(st.integers(1, 5)) for domain in domains}
    lines = ["province: 演练样本", "organisations:"]
    for number, name in enumerate(organisations):
        above = draw(st.sampled_from([*organisations[:number], ""]))
        lines.append(f"  - {{id: {name}, name: '{draw(names)}', tier: department{f', parent: {above}' * bool(above)}}}")
    lines.append("posts:")
    for post in ("post-a", "post-b"):
        where, who = draw(st.sampled_from(organisations)), draw(st.sampled_from(people))
        lines.append(f"  - {{id: {post}, title: '{draw(names)}', organisation: {where}, holder: {who}}}")
    lines.append("domains:")
    for number, domain in enumerate(domains):
        lines.append(
            f"  - {{id: {domain}, name: '{draw(names)}', network: {draw(st.sampled_from(['inner', 'outer']))}, "
            f"level: {levels[domain]}, ceiling: {draw(st.sampled_from(['public', '内部', 'secret']))}, "
            f"name_space: d{number}.example, organisation: {draw(st.sampled_from(organisations))}, in_charge: post-a, "
            f"operating: post-b, addresses: [10.{number}.0.0/16]}}"
        )
    lines.append("people:")
    for person in people:
        member = draw(st.lists(st.sampled_from(domains), unique=True))
        lines.append(
            f"  - {{id: {person}, name: '{draw(names)}', organisation: {draw(st.sampled_from(organisations))}, "
            f"domain: {draw(st.sampled_from(domains))}, member_of: [{', '.join(member)}], "
            f"roles: [{', '.join(f'{chr(34)}{one}:reader{chr(34)}' for one in member)}]}}"
        )
    lines.append("systems:")
    for number, domain in enumerate(domains):
        degree = "general" if levels[domain] < 3 else draw(st.sampled_from(["general", "serious"]))
        worksheet = (
            f"{{object: citizens, degree: {degree if levels[domain] > 1 else 'general'}, reason: '{draw(names)}'}}"
        )
        lines.append(
            f"  - {{id: system-{number}, name: '{draw(names)}', domain: {domain}, organisation: {organisations[0]}, "
            f"in_charge: post-a, operating: post-b, grading: {{information: [{worksheet}], service: [{worksheet}]}}}}"
        )
    lines += ["devices:", "  - {id: device-a, kind: gateway, name: a, system: system-0}"]
    return "\n".join(lines) + "\n"


@settings(max_examples=15, deadline=None)
@given(text=provinces())
def test_a_valid_province_is_read_and_differs_from_itself_in_nothing(text: str) -> None:
    province = loader.parse_province(text)
    assert difference.compare(province, loader.parse_province(text)).is_empty
    assert difference.compare(loader.parse_province("province: 空\n"), province).changed == ()
