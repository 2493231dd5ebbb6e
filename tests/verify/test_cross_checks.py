"""Records that are signed and in place, yet contradict each other: each contradiction is named by its record."""

import base64
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import guosuo_verify
from core.ledger.entry import Event, encode
from tests.verify import bundles, story
from tests.verify.story import Authority, Issue, alert, crl, decision, founding

Told = list[Event]

LI, WANG = Issue(1), Issue(2, "wang-fang")

STRANGER = Authority("Issuing CA", 0x11 << 152 | 2, Authority("Root CA", 0x11 << 152 | 1))


def judged(events: Told, *, times: list[datetime] | None = None, now: datetime | None = None) -> dict[str, list[str]]:
    """Go through ``events`` as the verifier does and return the faults by check."""
    report = guosuo_verify.Report()
    chronicle = guosuo_verify.Chronicle(report, now or datetime(2026, 11, 21, tzinfo=UTC))
    for number, event in enumerate(events):
        at = times[number] if times else story.START
        content = encode(event, identifier=f"{number:032x}", at=at)
        chronicle.see(guosuo_verify.parse_record(number, content))
    chronicle.conclude()
    return {check.name: check.faults for check in report.checks if check.faults}


def test_a_sound_history_resolves() -> None:
    assert judged(story.whole()) == {}


def without_intention() -> Told:
    return [*founding(), LI.issued()]


def intention_after() -> Told:
    return [*founding(), LI.issued(), LI.intended()]


def serial_twice() -> Told:
    return [*founding(), LI.intended(), LI.issued(), LI.issued()]


def intention_twice() -> Told:
    return [*founding(), LI.intended(), LI.intended(), LI.issued()]


def issued_after_giving_up() -> Told:
    return [*founding(), LI.intended(), LI.abandoned(), LI.issued()]


def given_up_after_issuing() -> Told:
    return [*founding(), LI.intended(), LI.issued(), LI.abandoned()]


def two_serials() -> Told:
    return [*founding(), LI.intended(), dataclasses.replace(LI.issued(serial=WANG.serial), object=LI.object)]


def other_certificate() -> Told:
    der = base64.b64encode(WANG.der).decode()
    return [*founding(), LI.intended(), LI.issued(certificate=der)]


def other_hash() -> Told:
    return [*founding(), LI.intended(), LI.issued(certificate_sha256="0" * 64)]


def longer_life() -> Told:
    return [*founding(), LI.intended(), LI.issued(not_after="2036-01-01T00:00:00.000Z")]


def broken_certificate() -> Told:
    return [*founding(), LI.intended(), LI.issued(certificate=base64.b64encode(LI.der[:-9]).decode())]


def no_certificate() -> Told:
    return [*founding(), LI.intended(), LI.issued(certificate="***")]


def foreign_issuer() -> Told:
    forged = Issue(5, issuer=STRANGER)
    return [*founding(), forged.intended(), forged.issued()]


def unknown_issuer() -> Told:
    return [*founding(), LI.intended(), LI.issued(issuer="nobody")]


def before_its_issuer() -> Told:
    return [LI.intended(), LI.issued(), *founding()]


def a_new_authority() -> Told:
    forged = Issue(6, authority=True)
    return [*founding(), forged.intended(), forged.issued()]


def second_root() -> Told:
    made = founding()[1]
    other = Authority("Root CA", 0x11 << 152 | 9)
    told = story.made("root", other, "root")
    assert made.type == told[1].type
    return [*founding(), *told]


def root_that_nobody_certified() -> Told:
    return [*founding(), *story.made("root-2", Authority("Root CA", 0x11 << 152 | 9), "root-2")]


def root_with_another_key_than_was_certified() -> Told:
    linked = Authority("Root CA", 0x11 << 152 | 8, above=story.ROOT)
    return [
        *founding(),
        *story.made("cross-root-2-new", linked, "root"),
        *story.made("root-2", Authority("Root CA", 0x11 << 152 | 9), "root-2"),
    ]


def authority_under_an_issuing_one() -> Told:
    below = Authority("Issuing CA finance", 0x11 << 152 | 9, above=story.ISSUING)
    return [*founding(), *story.made("issuing-finance", below, "issuing")]


def responder_that_is_an_authority() -> Told:
    below = Authority("OCSP", 0x11 << 152 | 9, above=story.ISSUING)
    return [*founding(), *story.made("ocsp-finance", below, "issuing")]


def issuing_of_another_root() -> Told:
    told = founding()
    der = base64.b64encode(STRANGER.der).decode()
    spki = guosuo_verify._facts(STRANGER.certificate)["spki_sha256"]
    return [*told[:3], story.with_details(told[3], {"certificate": der, "spki_sha256": spki})]


def revoked_unissued() -> Told:
    return [*founding(), LI.intended(), LI.revoked()]


def revoked_twice() -> Told:
    return [*founding(), LI.intended(), LI.issued(), LI.revoked(), LI.revoked()]


def allowed_on_hold() -> Told:
    return [*founding(), LI.intended(), LI.issued(), LI.held(), decision(LI, 1)]


def held_after_its_end() -> Told:
    return [*founding(), LI.intended(), LI.issued(), LI.revoked(), LI.held()]


def revoked_for_another() -> Told:
    return [*founding(), LI.intended(), LI.issued(), LI.revoked(holder="wang-fang")]


def allowed_after_revocation() -> Told:
    return [*founding(), LI.intended(), LI.issued(), LI.revoked(), decision(LI, 1)]


def allowed_unissued() -> Told:
    return [*founding(), decision(LI, 1), LI.intended(), LI.issued()]


def alert_without_decision() -> Told:
    return [*founding(), LI.intended(), LI.issued(), alert(LI, 1)]


def alert_after_a_refusal() -> Told:
    return [*founding(), LI.intended(), LI.issued(), decision(LI, 1, allowed=False), alert(LI, 1)]


def alert_before_the_decision() -> Told:
    return [*founding(), LI.intended(), LI.issued(), alert(LI, 1), decision(LI, 1)]


def alert_with_another_certificate() -> Told:
    both = [LI.intended(), LI.issued(), WANG.intended(), WANG.issued()]
    return [*founding(), *both, decision(WANG, 1), alert(LI, 1)]


def alert_naming_another() -> Told:
    return [*founding(), LI.intended(), LI.issued(), decision(LI, 1), alert(LI, 1, person="wang-fang")]


def allowed_to_another() -> Told:
    return [*founding(), LI.intended(), LI.issued(), decision(LI, 1, actor="wang-fang"), alert(LI, 1)]


def amended_without_decision() -> Told:
    told = alert(LI, 1)
    return [*founding(), LI.intended(), LI.issued(), dataclasses.replace(told, type="monitor.leak.attributed")]


def list_number_twice() -> Told:
    return [*founding(), crl(1), crl(2), crl(2)]


def list_without_number() -> Told:
    return [*founding(), story.with_details(crl(1), {"number": "1"})]


@pytest.mark.parametrize(
    ("history", "check", "number"),
    [
        (without_intention, "issuance", 4),
        (intention_after, "issuance", 4),
        (serial_twice, "issuance", 6),
        (intention_twice, "issuance", 5),
        (issued_after_giving_up, "issuance", 6),
        (given_up_after_issuing, "issuance", 6),
        (two_serials, "issuance", 5),
        (other_certificate, "certificates", 5),
        (other_hash, "certificates", 5),
        (longer_life, "certificates", 5),
        (broken_certificate, "certificates", 5),
        (no_certificate, "certificates", 5),
        (foreign_issuer, "certificates", 5),
        (unknown_issuer, "certificates", 5),
        (before_its_issuer, "certificates", 1),
        (a_new_authority, "certificates", 5),
        (second_root, "certificates", 5),
        (issuing_of_another_root, "certificates", 3),
        (root_that_nobody_certified, "certificates", 5),
        (root_with_another_key_than_was_certified, "certificates", 7),
        (authority_under_an_issuing_one, "certificates", 5),
        (responder_that_is_an_authority, "certificates", 5),
        (revoked_unissued, "revocation", 5),
        (allowed_on_hold, "decisions", 7),
        (held_after_its_end, "revocation", 7),
        (revoked_twice, "revocation", 7),
        (revoked_for_another, "revocation", 6),
        (allowed_after_revocation, "decisions", 7),
        (allowed_unissued, "decisions", 4),
        (alert_without_decision, "alerts", 6),
        (alert_after_a_refusal, "alerts", 7),
        (alert_before_the_decision, "alerts", 6),
        (alert_with_another_certificate, "alerts", 9),
        (alert_naming_another, "alerts", 7),
        (allowed_to_another, "alerts", 7),
        (amended_without_decision, "alerts", 6),
        (list_number_twice, "crl numbers", 6),
        (list_without_number, "crl numbers", 4),
    ],
)
def test_a_contradiction_is_named(history: Callable[[], Told], check: str, number: int) -> None:
    found = judged(history())
    assert next(iter(found)) == check
    assert len(found) == 1 or history is two_serials
    assert found[check][0].startswith(f"record {number} (id {number:032x}")


def test_a_root_that_the_one_before_certified_and_an_authority_below_it() -> None:
    new = Authority("Root CA", 0x11 << 152 | 7)
    linked = Authority("Root CA", 0x11 << 152 | 8, above=story.ROOT, key=new.key)
    back = Authority("Root CA", 0x11 << 152 | 6, above=new, key=story.ROOT.key)
    below = Authority("Issuing CA finance", 0x11 << 152 | 9, above=new)
    told = [*founding(), *story.made("cross-root-2-new", linked, "root"), *story.made("root-2", new, "root-2")]
    told += [*story.made("cross-root-2-old", back, "root-2"), *story.made("issuing-finance", below, "root-2")]
    assert judged(told) == {}


def test_records_from_before_there_were_several_authorities() -> None:
    told = [
        dataclasses.replace(one, details={name: value for name, value in one.details.items() if name != "issuer"})
        for one in founding()
    ]
    assert judged([*told, LI.intended(), LI.issued()]) == {}


def minutes(*offsets: float) -> list[datetime]:
    return [story.START + timedelta(minutes=offset) for offset in offsets]


def test_times_that_go_back_or_lie_ahead() -> None:
    told = [Event("a.b", "li", "x:1")] * 3
    assert judged(told, times=minutes(0, 30, 0)) == {}
    assert "record 2 (" in judged(told, times=minutes(0, 90, 29))["times"][0]
    ahead = judged(told, times=minutes(0, 1, 60 * 25), now=story.START)
    assert "which is in the future" in ahead["times"][0]


def test_a_list_that_finished_late_is_no_contradiction_but_one_from_the_past_is() -> None:
    told = [crl(1), crl(3), crl(2)]
    assert judged(told, times=minutes(0, 1, 1)) == {}
    assert "goes back to list number 2" in judged(told, times=minutes(0, 1, 4))["crl numbers"][0]


@pytest.mark.parametrize(
    ("seconds", "details", "sound"),
    [
        (0.05, {"fast": True}, True),
        # The revocation took its time before its transaction began, the answer after it.
        (-0.05, {"fast": True}, True),
        (1.5, {"fast": True}, False),
        (-1.5, {"fast": True}, False),
        (0.05, {}, False),
        (0.05, {"fast": 1}, False),
    ],
)
def test_an_answer_stored_after_the_revocation_is_sound_only_where_it_was_given_before_it(
    seconds: float, details: dict[str, bool], sound: bool
) -> None:
    allowed = decision(LI, 1)
    told = [*founding(), LI.intended(), LI.issued(), LI.revoked()]
    told.append(dataclasses.replace(allowed, details={**allowed.details, **details}))
    times = [story.START + timedelta(minutes=1)] * (len(told) - 1)
    found = judged(told, times=[*times, times[0] - timedelta(seconds=seconds)])
    assert found.keys() == (set() if sound else {"decisions"})


def test_an_id_twice() -> None:
    report = guosuo_verify.Report()
    chronicle = guosuo_verify.Chronicle(report, datetime(2026, 11, 21, tzinfo=UTC))
    content = encode(Event("a.b", "li", "x:1"), identifier="7" * 32, at=story.START)
    for number in range(2):
        chronicle.see(guosuo_verify.parse_record(number, content))
    assert report.checks[0].faults == [f"record 1 (id {'7' * 32}, a.b) has the id of record 0"]


@pytest.mark.parametrize(
    "details",
    [
        {},
        {"serial": 1, "holder": None},
        {"serial": [], "request_id": {}, "person": 7, "state": "named"},
        {"number": True},
        {"number": 2**53 - 1, "certificate": "AAAA"},
    ],
)
@pytest.mark.parametrize("kind", sorted(guosuo_verify._HANDLERS))
def test_details_of_any_shape_are_never_a_traceback(kind: str, details: dict[str, object]) -> None:
    for thing in ("", "certificate:", "certificate", "authority:root", "x" * 200):
        judged([Event(kind, "li", thing, details=details), Event(kind, "li", thing, details=details)])  # type: ignore[arg-type]


def test_the_story_is_told_to_the_verifier_whole(tmp_path: Path) -> None:
    path, fingerprint = bundles.told(tmp_path, allowed_after_revocation())
    report = bundles.verify(path, fingerprint)
    assert list(bundles.failures(report)) == ["decisions"]
    assert any(line.startswith("FAIL  decisions     record 7 (id ") for line in report.lines())
