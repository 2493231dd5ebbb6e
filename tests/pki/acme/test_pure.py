"""Identifiers, states, windows and problem documents: functions of values."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.errors import NotFound, TrustError, Unavailable
from pki.acme import errors, identifier, problem, state, window
from pki.acme.errors import RejectedIdentifier
from pki.acme.state import State
from pki.names import Holder

HOLDER = Holder(
    "application", "app", "应用", "厅", "outer-finance", "fin.example", ("10.20.0.0/16", "fd00:20::/64"), level=3
)

GOOD = [("dns", "fin.example"), ("dns", "a.fin.example"), ("ip", "10.20.0.1"), ("ip", "fd00:20::1")]
BAD = [
    ("dns", "example"),
    ("dns", "finfin.example"),
    ("dns", "fin.example.evil.example"),
    ("dns", "*.fin.example"),
    ("dns", "A.fin.example"),
    ("dns", "a..fin.example"),
    ("dns", "a.fin.example."),
    ("dns", "a_b.fin.example"),
    ("dns", "-a.fin.example"),
    ("dns", "财.fin.example"),
    ("dns", "a\0.fin.example"),
    ("dns", ""),
    ("dns", "10.20.0.1"),
    ("dns", "localhost"),
    ("ip", "10.30.0.1"),
    ("ip", "127.0.0.1"),
    ("ip", "::1"),
    ("ip", "010.20.0.1"),
    ("ip", "10.20.0.1/32"),
    ("ip", "fd00:0020::1"),
    ("ip", "::ffff:10.20.0.1"),
    ("ip", "fd00:20::1%eth0"),
    ("ip", ""),
]


def test_good_identifiers_pass() -> None:
    identifier.check(HOLDER, [identifier.read(*one) for one in GOOD])


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("place", range(len(GOOD) + 1))
def test_one_bad_identifier_at_any_place_is_named(bad: tuple[str, str], place: int) -> None:
    listed = [identifier.read(*one) for one in (*GOOD[:place], bad, *GOOD[place:])]
    with pytest.raises(RejectedIdentifier) as caught:
        identifier.check(HOLDER, listed)
    assert [(one.kind, one.value) for one in caught.value.subproblems] == [bad]
    assert problem.document(caught.value)["subproblems"]


@given(some.text(max_size=60))
def test_no_text_is_taken_that_does_not_end_in_the_name_space(text: str) -> None:
    try:
        identifier.check(HOLDER, [identifier.read("dns", text)])
    except RejectedIdentifier:
        return
    assert text == "fin.example" or text.endswith(".fin.example")


def test_other_kinds_are_not_supported() -> None:
    with pytest.raises(TrustError) as caught:
        identifier.read("email", "a@fin.example")
    assert caught.value.word == "unsupportedIdentifier"


@pytest.mark.parametrize("machine", [state.ACCOUNT, state.ORDER, state.AUTHORIZATION, state.CHALLENGE])
def test_only_what_the_table_says_follows(machine: state.Machine) -> None:
    for before, after in product(machine, State):
        if after in machine[before]:
            assert state.move(machine, before, after, "thing") == after
        else:
            with pytest.raises(errors.WrongState):
                state.move(machine, before, after, "thing")


def test_what_came_to_its_end_never_moves() -> None:
    assert [one for one in state.ORDER if not state.ORDER[one]] == [State.VALID, State.INVALID]
    assert not state.CHALLENGE[State.VALID]
    assert not state.CHALLENGE[State.INVALID]


@given(some.lists(some.sampled_from([one.value for one in state.AUTHORIZATION]), min_size=1, max_size=6))
def test_order_is_ready_only_when_all_is_shown(authorizations: list[str]) -> None:
    found = state.of_order(authorizations)
    assert (found is State.READY) == (set(authorizations) == {"valid"})
    assert (found is State.INVALID) == bool(set(authorizations) - {"valid", "pending"})


@given(some.integers(1, 400 * 86_400))
def test_usual_window_lies_in_the_last_third_of_a_life(seconds: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = window.usual(start, start + timedelta(seconds=seconds))
    assert start <= found.start <= found.end
    if seconds > 60:
        assert timedelta(seconds=seconds * 0.6) <= found.start - start
        assert found.end <= start + timedelta(seconds=seconds)


def test_name_of_a_certificate_as_rfc_9773_writes_it() -> None:
    # The example of 4.1: its key identifier, and the serial number with the zero octet that the INTEGER has.
    key, serial = bytes.fromhex("69885b6b87464041e1b37b847ba0ae2cde01c8d4"), "0087654321"
    assert window.name_of(key, serial) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
    assert window.parse_name("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", {key}) == serial
    for bad in ("", ".", "aYhba4dGQEHhs3uEe6CuLN4ByNQ", "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE=", "AAAA.AIdlQyE"):
        with pytest.raises(TrustError):
            window.parse_name(bad, {key})


def test_documents_have_the_types_of_the_protocol_and_never_null() -> None:
    for error in (NotFound("x"), Unavailable("x"), errors.BadNonce("x"), errors.TooMany("x", after=1)):
        found = problem.document(error)
        assert str(found["type"]).removeprefix(problem.TYPE) in problem.WORDS
        assert None not in found.values()
        assert "subproblems" not in found
