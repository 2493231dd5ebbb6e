"""One-time codes as values: written, read, hashed, judged."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.errors import Malformed
from pki import onetime
from pki.onetime import ALPHABET, TRIES, CodeState, Kept

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
MADE = onetime.make(secrets.token_bytes)
SALT = bytes(range(16))
VERIFIER = onetime.verifier(MADE.secret, SALT)


@given(octets=some.binary(min_size=23, max_size=23))
def test_what_is_made_is_read_again(octets: bytes) -> None:
    made = onetime.make(lambda count: octets[:count])
    assert len(made.text) == 27
    for spelt in (made.text, made.text.lower(), made.text.replace("-", ""), made.text.replace("-", " ")):
        assert onetime.parse_code(spelt) == made


def test_who_takes_a_letter_for_a_digit_is_understood() -> None:
    made = onetime.make(lambda count: bytes([0, 1] * count)[:count])
    assert onetime.parse_code(made.text.replace("0", "O").replace("1", "l")) == made


@given(text=some.text(max_size=80))
def test_anything_else_is_refused_and_nothing_breaks(text: str) -> None:
    try:
        found = onetime.parse_code(text)
    except Malformed:
        return
    assert set(found.name + found.secret) <= set(ALPHABET)


def test_nearly_every_typing_error_is_seen_before_anything_is_asked() -> None:
    plain, seen, tried = MADE.text.replace("-", ""), 0, 0
    for at in range(24):
        for other in ALPHABET:
            if other != plain[at]:
                tried += 1
                try:
                    onetime.parse_code(plain[:at] + other + plain[at + 1 :])
                except Malformed:
                    seen += 1
    assert seen / tried > 0.9


def test_only_the_code_itself_is_right() -> None:
    assert onetime.is_right(MADE, SALT, VERIFIER)
    other = onetime.Code(MADE.name, MADE.secret[:-1] + ("0" if MADE.secret[-1] != "0" else "1"))
    assert not onetime.is_right(other, SALT, VERIFIER)
    for code, salt, kept in ((None, SALT, VERIFIER), (MADE, None, None), (None, None, None)):
        assert not onetime.is_right(code, salt, kept)
    # Not even a secret whose hash were the stand-in's.
    assert not onetime.is_right(None, bytes(16), onetime.verifier("", bytes(16)))


def kept(state: CodeState = CodeState.OPEN, *, tries: int = 0, digest: str = "", minutes: int = 5) -> Kept:
    return Kept(state, NOW + timedelta(minutes=minutes), tries, digest)


@pytest.mark.parametrize(
    ("known", "right", "word"),
    [
        (kept(), True, ""),
        (kept(), False, "wrong"),
        (None, False, "unknown"),
        (kept(minutes=0), True, "expired"),
        (kept(CodeState.USED, digest="d"), True, ""),
        (kept(CodeState.USED, digest="d", minutes=-60), True, ""),
        (kept(CodeState.USED, digest="other"), True, "used"),
        (kept(CodeState.USED, digest="d"), False, "wrong"),
        (kept(CodeState.LOCKED), True, "locked"),
        (kept(CodeState.WITHDRAWN), True, "withdrawn"),
    ],
)
def test_when_a_code_is_good(known: Kept | None, right: bool, word: str) -> None:
    assert onetime.judge(known, right=right, digest="d", now=NOW) == word


@given(shown=some.lists(some.booleans(), max_size=20))
def test_after_so_many_wrong_tries_the_right_one_is_refused_too(shown: list[bool]) -> None:
    now, wrong = kept(), 0
    for right in shown:
        if onetime.judge(now, right=right, digest="", now=NOW) == "":
            assert right
            assert wrong < TRIES
        else:
            wrong += 1
            state, tries = onetime.after_try(now)
            now = Kept(state, now.expires_at, tries, "")
    assert (now.state is CodeState.LOCKED) == (wrong >= TRIES)
