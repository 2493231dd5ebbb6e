"""A province file is right, or refused whole with every fault in its line."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.registry import difference, loader, spaces
from core.registry.errors import RegisterRejected
from core.registry.places import Places
from core.registry.province import Province
from tests.core.registry.files import SOUND, changed, line_of
from tests.people import PROVINCE


def faults(text: str) -> list[tuple[int, str]]:
    with pytest.raises(RegisterRejected) as refused:
        loader.parse_province(text)
    assert refused.value.faults
    assert "nothing was loaded" in refused.value.detail
    return [(fault.line, fault.message) for fault in refused.value.faults]


def test_the_sound_file_is_read() -> None:
    province = loader.parse_province(SOUND)
    assert isinstance(province, Province)
    assert [entry.id for entry in province.domains] == ["outer-fin", "outer-pub"]
    assert province.domains[0].addresses == ("10.20.0.0/16", "fd00:20::/64")
    assert (province.domains[0].ceiling, province.people[0].clearance) == (1, 3)
    assert province.people[0].roles == (("outer-fin", "reader"),)
    assert province.posts[1].basis == "-"


def test_the_shipped_province_is_read() -> None:
    assert len(loader.parse_province(PROVINCE.read_text(encoding="utf-8")).people) > 20


SPOILED: list[tuple[str, str, str]] = [
    ("tier: province}", "tier: empire}", "`tier` is `empire`, none of province"),
    ("parent: prov}", "parent: nowhere}", "there is no organisation `nowhere`"),
    (
        "{id: prov, name: 省政府, tier: province}",
        "{id: prov, name: 省政府, tier: province, parent: fin}",
        "its own anc",
    ),
    ("{id: fin-ops, title: 运行", "{id: fin-head, title: 运行", "post `fin-head` stands already in line 6"),
    ("holder: wang-fang}", "holder: nobody}", "there is no person `nobody`"),
    ("holder: wang-fang}", "holder: }", "`holder` is not a text"),
    ("level: 3", "level: 6", "`level` is `6`, not a number from 1 to 5"),
    ("level: 3", "level: 0", "not a number"),
    ("level: 3", "level: ３", "not a number"),
    ("level: 3", "level: 3.0", "not a number"),
    ("level: 3", "level: -3", "not a number"),
    ("level: 3", f"level: {'3' * 900}", "not a number"),
    ("ceiling: 内部", "ceiling: 绝对机密", "none of public"),
    ("network: outer\n    level: 3", "network: middle\n    level: 3", "`network` is `middle`"),
    ("name_space: fin.example", "name_space: Fin.example", "is not a DNS name"),
    ("name_space: fin.example", "name_space: fin..example", "is not a DNS name"),
    ("name_space: pub.example", "name_space: fin.example", "belongs to `outer-fin` already"),
    ("name_space: pub.example", "name_space: pub.fin.example", "lies in that of `outer-fin`, which is not above"),
    ("[10.20.0.0/16,", "[10.20.0.1/16,", "is not a range of addresses"),
    ("[10.20.0.0/16,", "[10.20.0.0/33,", "is not a range of addresses"),
    ("[10.20.0.0/16,", "[10.20.0.0/016,", "is written `10.20.0.0/16`"),
    ("[10.20.0.0/16,", "[10.20.0.0/255.255.0.0,", "is written `10.20.0.0/16`"),
    ("[10.20.0.0/16,", "[10.20.0.0/16, 10.20.3.0/24,", "overlaps `10.20.0.0/16` of `outer-fin`"),
    ("[10.20.0.0/16,", "[10.20.0.0/16, 10.20.0.0/16,", "stands twice in `addresses`"),
    ("addresses: [10.20.0.0/16,", "addresses: [[10.20.0.0/16],", "holds something that is not a text"),
    ('roles: ["outer-fin:reader"]', 'roles: ["reader"]', "is not written `domain:role`"),
    ('roles: ["outer-fin:reader"]', 'roles: ["outer-fin:"]', "is not written `domain:role`"),
    ('roles: ["outer-fin:reader"]', 'roles: ["outer-fin:Reader One"]', "is not written `domain:role`"),
    ('roles: ["outer-fin:reader"]', 'roles: ["site:auditor"]', "there is no domain `site`"),
    ("member_of: [outer-fin]", "member_of: [elsewhere]", "there is no domain `elsewhere`"),
    ("member_of: [outer-fin]", "member_of: outer-fin", "`member_of` is not a list"),
    ("{id: sun-jing,", "{id: Sun-jing,", "`Sun-jing` is not an id"),
    ("{id: sun-jing,", "{id: s,", "`s` is not an id"),
    ("{id: sun-jing,", "{id: 孙静,", "is not an id"),
    ("{id: sun-jing,", "{id: founding,", "means something else"),
    ("{id: sun-jing,", "{id: wang-fang,", "person `wang-fang` stands already"),
    ("{id: sun-jing, name: 孙静,", "{id: sun-jing, name: '',", "`name` is not a text"),
    ("{id: sun-jing, name: 孙静,", '{id: sun-jing, name: "孙\\0静",', "cannot be printed"),
    ("{id: sun-jing, name: 孙静,", '{id: sun-jing, name: "\\e[2J",', "cannot be printed"),
    ("{id: sun-jing, name: 孙静,", "{id: sun-jing, name: 孙静, name: 孙静,", "`name` stands twice"),
    ("{id: sun-jing, name: 孙静,", "{id: sun-jing, name: 孙静, shoe_size: 42,", "`shoe_size` is not known here"),
    ("{id: sun-jing, name: 孙静,", "{id: sun-jing, name: 孙静, [a, b]: c,", "a field's name is not a text"),
    ("clearance: 机密", "clearance: 机密的", "`clearance` is `机密的`"),
    ("kind: gateway", "kind: teapot", "`kind` is `teapot`"),
    ("system: budget}", "system: other}", "there is no system `other`"),
    ("in_charge: fin-head, operating: fin-ops}", "in_charge: fin-head}", "nothing is without its 运行 post"),
    ("in_charge: fin-head, operating: fin-ops}", "operating: fin-ops}", "nothing is without its 主管 post"),
    ("in_charge: fin-head, operating: fin-ops}", "in_charge: x-post, operating: fin-ops}", "there is no post `x-post`"),
]


@pytest.mark.parametrize(("old", "new", "message"), SPOILED)
def test_a_fault_is_named_with_its_line(old: str, new: str, message: str) -> None:
    text = changed(old, new)
    found = faults(text)
    assert (line_of(SOUND, old), True) in {(line, message in told) for line, told in found}, found


def test_a_domain_without_an_operating_post_is_named_in_the_line_where_it_begins() -> None:
    text = changed("    operating: fin-ops\n    addresses", "    addresses")
    assert faults(text) == [(9, "`operating` is missing: nothing is without its 运行 post")]


def test_a_domain_cannot_be_called_like_the_installation() -> None:
    """Else a file could appoint administrators: roles on `site` are given by an act of their own."""
    text = SOUND.replace("outer-pub", "site").replace('"outer-fin:reader"', '"site:security-administrator"')
    assert [told for _line, told in faults(text)] == ["`site` means something else and cannot be an id here"]


def test_every_fault_is_told_in_the_order_of_lines() -> None:
    text = (
        SOUND.replace("level: 3", "level: 9").replace("tier: province}", "tier: x}").replace("kind: gateway", "kind: x")
    )
    lines = [line for line, _told in faults(text)]
    assert lines == sorted(lines) == [3, 12, 41]


def test_a_cycle_of_three_is_named_at_each() -> None:
    text = SOUND.replace(
        "  - {id: fin, name: 财政厅, tier: department, parent: prov}",
        "  - {id: fin, name: 财政厅, tier: department, parent: sub}\n"
        "  - {id: sub, name: 处, tier: department, parent: low}\n"
        "  - {id: low, name: 科, tier: department, parent: fin}",
    )
    assert faults(text) == [
        (4 + place, f"organisation `{name}` is its own ancestor") for place, name in enumerate(("fin", "sub", "low"))
    ]


def test_a_subdomain_may_lie_in_the_name_space_of_its_parent() -> None:
    text = SOUND.replace("name_space: pub.example", "name_space: pub.fin.example\n    parent: outer-fin")
    assert loader.parse_province(text).domains[1].parent == "outer-fin"


def test_a_host_belongs_to_the_narrowest_name_space() -> None:
    """What lies in the name space of a domain below is not the domain's own any more."""
    text = SOUND.replace("name_space: pub.example", "name_space: pub.fin.example\n    parent: outer-fin")
    last = text.count("\n") + 2
    for host, sound in (("desk.fin.example", True), ("desk.pub.fin.example", False), ("pub.fin.example", False)):
        more = f"{text}applications:\n  - {{id: one, name: 一, system: budget, host: {host}}}\n"
        if sound:
            assert loader.parse_province(more).applications[0].host == host
        else:
            told = f"the host `{host}` is in the name space of `outer-pub`, not in that of its own domain"
            assert faults(more) == [(last, told)]


def test_domains_one_in_the_other_are_compared_quickly() -> None:
    """Each in the name space of the one above, a hundred deep, and a chain of parents below them."""
    parents: dict[str, str | None] = {f"d{n}": f"d{n - 1}" if n else None for n in range(6_000)}
    template = loader.parse_province(SOUND).domains[0]
    names = ["a." * min(n, 99) + "x" for n in range(6_000)]
    domains = [
        replace(template, id=f"d{n}", name_space=name if n < 100 else f"b{n}.{name}") for n, name in enumerate(names)
    ]
    began = time.monotonic()
    assert not list(spaces.name_spaces(domains, parents, Places()))
    assert time.monotonic() - began < 3


APPLICATIONS = """\
applications:
  - {id: one, name: 一, system: budget, host: desk.fin.example}
  - {id: two, name: 二, system: budget, host: desk.fin.example}
"""

ELEMENTS = """\
elements:
  - {id: one, name: 统一 ID 号, source: fin, system: budget, sharing: conditional}
  - {id: two, name: 统一ｉｄ号, source: prov, system: budget, sharing: conditional}
"""


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (APPLICATIONS, "the host `desk.fin.example` belongs to `one` already"),
        (ELEMENTS, "`统一ｉｄ号` has two sources: `fin` (`one`) and `prov` (`two`)"),
    ],
)
def test_what_is_one_is_not_given_twice(more: str, told: str) -> None:
    last = SOUND.count("\n") + 3
    assert [(line, told in message) for line, message in faults(SOUND + more)] == [(last, True)]


HOSTILE: dict[str, str] = {
    "empty": "",
    "only a comment": "# nothing",
    "a list": "- a\n- b",
    "a text": "hello",
    "null": "~",
    "not YAML": "a: [1, 2",
    "tabs": "a:\n\t- b",
    "two documents": f"{SOUND}---\n{SOUND}",
    "control character": "province: a\x00b",
    "lone surrogate": "province: \ud800",
    "escape beyond Unicode": 'province: "\\UFFFFFFFF"',
    "escape above Unicode": 'province: "\\U00110000"',
    "half a character": 'province: "\\ud800"',
    "field of half a character": 'province: a\n"\\ud800": b',
    "alias": "a: &x [1]\nb: *x",
    "bomb": "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]",
    "tag": "province: !!python/object/apply:os.system ['true']",
    "local tag": "province: !evil text",
    "binary": "province: !!binary aGVsbG8=",
    "deep": "a: " + "[" * 5000 + "]" * 5000,
    "deep block": "".join(f"{' ' * depth}a:\n" for depth in range(50)),
    "huge": "#" + "x" * 1_048_577,
    "merge": "organisations:\n  - {<<: {id: x}}",
    "directive": "%TAG ! tag:evil,2026:\n---\nprovince: !x y",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_refused_quickly(name: str) -> None:
    began = time.monotonic()
    # What is told can be written in an answer.
    assert all(len(told.encode("utf-8")) < 600 for _line, told in faults(HOSTILE[name]))
    assert time.monotonic() - began < 5


def test_a_long_chain_of_parents_is_read_and_ordered_quickly() -> None:
    """Children before parents, one below the other: the time grows with their number and no faster."""
    chain = [f"  - {{id: o{number}, name: a, tier: county, parent: o{number + 1}}}" for number in range(1500)]
    text = "\n".join(["province: p", "organisations:", *chain, "  - {id: o1500, name: a, tier: province}"])
    began = time.monotonic()
    whole = loader.parse_province(text)
    ordered = difference.parents_first("organisation", whole.organisations)
    assert time.monotonic() - began < 5
    assert [entry.id for entry in ordered] == [f"o{number}" for number in range(1500, -1, -1)]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: 1\nb: &x 2\n", 2), ("a: 1\nb: !t 2\n", 2), ("a: 1\n\nb: [1, 2\n", 4), ("a: 1\nb: [[[[[[[[1]]]]]]]]\n", 2)],
)
def test_what_cannot_be_read_is_named_with_its_line_too(text: str, line: int) -> None:
    assert [where for where, _told in faults(text)] == [line]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_change_is_read_or_refused(data: st.DataObject) -> None:
    """No other error, whatever one line becomes."""
    lines = SOUND.split("\n")
    place = data.draw(st.integers(0, len(lines) - 1))
    lines[place] = data.draw(
        st.one_of(
            st.text(max_size=40),
            st.sampled_from(lines),
            st.sampled_from(["", "  - ", "  - {}", "- a", "systems: {}", "people: 3", "domains: [1, ~, {}]", "? a"]),
        )
    )
    try:
        loader.parse_province("\n".join(lines))
    except RegisterRejected:
        return


def test_the_same_text_has_the_same_digest() -> None:
    assert loader.parse_province(SOUND).digest == loader.parse_province(SOUND).digest
    assert loader.parse_province(SOUND).digest != loader.parse_province(SOUND + "\n").digest
    assert Path(PROVINCE).exists()
