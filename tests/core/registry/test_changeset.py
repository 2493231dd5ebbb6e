"""Change sets: single entries against the register, judged by the whole that results, refused whole."""

import pytest

from core.database import Database
from core.registry import change, changeset, document, history, loader
from core.registry.credential import Credential
from core.registry.difference import Change
from core.registry.errors import RegisterRejected
from core.registry.models import SecurityDomain
from tests.clock import ManualClock
from tests.core.registry.files import SOUND, line_of


@pytest.fixture
def sound(sqlite_database: Database, clock: ManualClock) -> Database:
    with sqlite_database.write() as session:
        change.apply(session, loader.parse_province(SOUND), actor="zhao-min", at=clock.now())
    clock.advance(days=1)
    return sqlite_database


def apply(database: Database, text: str, clock: ManualClock) -> Change:
    with database.write() as session:
        asked = changeset.parse_change_set(text, history.whole(session, clock.now()))
        change.check_levels(session, asked.wanted, clock.now())
        return change.apply(session, asked.wanted, actor="zhao-min", at=clock.now(), ends=asked.ends, basis=asked.basis)


GOOD = """\
basis: 北辰信办〔2026〕5号 演练样本
add:
  organisations:
    - {id: county, name: 清河县, tier: county, parent: prov}
  people:
    - {id: new-one, name: 新人, organisation: county, domain: outer-pub, member_of: [outer-pub]}
  elements:
    - {id: income, name: 财政收入, source: fin, system: budget, sharing: conditional}
change:
  posts:
    - {id: fin-ops, title: 运行值班}
  people:
    - {id: sun-jing, contact: 电话一}
end:
  devices: [gate]
"""


def test_single_entries_are_added_changed_and_ended(sound: Database, clock: ManualClock) -> None:
    made = apply(sound, GOOD, clock)
    assert made.added == ("organisation:county", "person:new-one", "element:income")
    assert made.changed == ("post:fin-ops", "person:sun-jing")
    assert made.ended == ("device:gate",)
    assert made.fields == {
        "post:fin-ops": {"title": ("运行", "运行值班")},
        "person:sun-jing": {"contact": ("-", "电话一")},
    }
    with sound.read() as session:
        whole = history.whole(session, clock.now())
    assert {entry.id for entry in whole.people} == {"li-wen", "wang-fang", "sun-jing", "new-one"}
    assert whole.devices == ()


#: name: (what is wrong, text, the piece in whose line it stands, field, word of the fault)
BAD = {
    "no act": ("add:\n  people: []\n", "add", "basis", "`basis` is missing"),
    "nothing": ("basis: x\n", "basis", "", "nothing is changed"),
    "unknown part": ("basis: x\nremove: {}\nadd: {}\n", "remove", "remove", "is not known here"),
    "unknown section": ("basis: x\nadd:\n  planets: []\n", "planets", "planets", "is not known here"),
    "added twice": (
        "basis: x\nadd:\n  people:\n    - {id: li-wen, name: a, organisation: fin, domain: outer-fin}\n",
        "li-wen",
        "id",
        "is in the register already",
    ),
    "not there": ("basis: x\nchange:\n  people:\n    - {id: nobody, name: a}\n", "nobody", "id", "there is no person"),
    "end nothing": (
        "basis: x\nend:\n  devices:\n    - other\n",
        "other",
        "devices",
        "there is no device `other` to end",
    ),
    "still referred to": (
        "basis: x\nend:\n  posts:\n    - fin-ops\n",
        "fin-ops",
        "operating",
        "cannot end: domain `outer-fin` refers to it",
    ),
    "a person": ("basis: x\nend:\n  people:\n    - sun-jing\n", "sun-jing", "", "leaves, and is not ended by a file"),
    "ended and added": (
        "basis: x\nadd:\n  devices:\n    - {id: gate, kind: sensor, name: a, system: budget}\nend: {devices: [gate]}\n",
        "id: gate",
        "id",
        "ends in the same file",
    ),
    "changed twice": (
        "basis: x\nchange:\n  people:\n    - {id: sun-jing, name: a}\n    - {id: sun-jing,\n       contact: b}\n",
        "{id: sun-jing,\n",
        "id",
        "stands already in line 4",
    ),
    "added and changed": (
        "basis: x\nadd: {devices: [\n\n {id: gate-b, kind: sensor, name: a, system: budget}]}\n"  # noqa: ISC004  # one text
        "change:\n  devices:\n    - {id: gate-b, name: b}\n",
        "{id: gate-b, name: b}",
        "id",
        "stands already in line 4",
    ),
    "no officer": (
        "basis: x\nadd:\n  systems: [{id: sys-a, name: a, domain: outer-pub, organisation: fin, in_charge: fin-ops}]\n",
        "sys-a",
        "operating",
        "nothing is without its 运行 post",
    ),
    "overlapping addresses": (
        "basis: x\nchange:\n  domains:\n    - {id: outer-pub, addresses: [10.20.9.0/24]}\n",
        "10.20.9.0",
        "addresses",
        "overlaps `10.20.0.0/16` of `outer-fin`",
    ),
    "overlapping names": (
        "basis: x\nchange:\n  domains:\n    - {id: outer-pub, name_space: x.fin.example}\n",
        "x.fin.example",
        "name_space",
        "lies in that of `outer-fin`",
    ),
    "a cycle": (
        "basis: x\nchange:\n  organisations:\n    - {id: prov, parent: fin}\n",
        "prov",
        "parent",
        "is its own ancestor",
    ),
    "a level": (
        "basis: x\nchange:\n  domains:\n    - {id: outer-fin,\n       level: 2}\n",
        "level: 2",
        "level",
        "a file cannot make it 2",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named_and_nothing_is_done(sound: Database, clock: ManualClock, name: str) -> None:
    text, piece, field, words = BAD[name]
    with sound.read() as session:
        before = history.whole(session, clock.now())
    with pytest.raises(RegisterRejected) as refused:
        apply(sound, text, clock)
    found = {(fault.line, fault.field) for fault in refused.value.faults if words in fault.message}
    assert (line_of(text, piece), field) in found, refused.value.faults
    assert all(fault.hint for fault in refused.value.faults)
    with sound.read() as session:
        assert history.whole(session, clock.now()) == before


def test_a_certificate_keeps_its_device(sound: Database, clock: ManualClock) -> None:
    with sound.write() as session:
        session.add(
            Credential(
                serial="ab" * 20, issuer="issuing-ca", holder_kind="gateway", holder="gate", domain="outer-fin",
                profile="gateway", certificate_sha256="1" * 64, spki_sha256="2" * 64,
                not_before=clock.now(), not_after=clock.now().replace(year=2030),
            )
        )  # fmt: skip
    with pytest.raises(RegisterRejected, match=r"device `gate` cannot end: 1 good certificate"):
        apply(sound, "basis: x\nend: {devices: [gate]}\n", clock)


def test_a_domain_ends_when_nothing_rests_on_it(sound: Database, clock: ManualClock) -> None:
    text = "basis: x\nchange:\n  people: [{id: sun-jing, domain: outer-fin}]\nend:\n  domains: [outer-pub]\n"
    assert apply(sound, text, clock).ended == ("domain:outer-pub",)
    with sound.read() as session:
        assert session.get_one(SecurityDomain, "outer-pub").ended_at == clock.now()
    clock.advance(days=1)
    # Its name space and its addresses are free.
    again = (
        "basis: x\nadd:\n  domains:\n    - {id: third, name: 三, network: outer, level: 2, ceiling: public,\n"
        "       name_space: pub.example, organisation: prov, in_charge: fin-head, operating: fin-ops}\n"
    )
    assert apply(sound, again, clock).added == ("domain:third",)


def test_a_file_is_a_change_set_or_a_province() -> None:
    assert changeset.is_change_set(document.read(GOOD).root)
    assert not changeset.is_change_set(document.read(SOUND).root)
