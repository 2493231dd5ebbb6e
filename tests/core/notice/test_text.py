"""The pure parts: when a post is told, what stands in a message, and that no text breaks out of its place."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.notice import channel, digest, jobs, outbox, rfc5424, schedule
from core.notice.digest import Mark, Told
from core.notice.message import clip
from core.text import clean
from tests.core.notice.messages import HOSTILE, NOW, TO, message

TEXTS = st.one_of(st.text(), st.sampled_from(HOSTILE))
DAY = timedelta(days=1)


@given(TEXTS, st.integers(1, 300))
def test_clean_text_is_one_line_and_bounded(text: str, most: int) -> None:
    found = clean(text, most)
    assert len(found) <= most
    assert found.splitlines() in ([found], [])
    found.encode()
    assert found.isprintable() or all(one.isspace() or one.isprintable() for one in found)
    assert clean(found, most) == found


@given(st.text(), st.integers(0, 50))
def test_clipped_text_is_never_half_a_character(text: str, most: int) -> None:
    text = text.encode(errors="ignore").decode()
    found = clip(text, most)
    assert len(found) <= most
    assert text.startswith(found.decode())


@given(TEXTS, st.integers(0, 300))
def test_a_digest_is_bounded_whatever_the_duties_say(title: str, count: int) -> None:
    made = message(title, count)
    assert len(made.lines) <= digest.MOST + 6
    assert len(made.subject) <= 160
    assert all(len(line.splitlines()) <= 1 and len(line) < 400 for line in made.lines)
    assert (f"and {count - digest.MOST} more" in made.text) == (count > digest.MOST)
    assert made.count == count


def told(kind: str = "proposal", *, overdue: bool = False, moved: timedelta = timedelta(0)) -> Told:
    return Told("1", kind, "t", None, overdue, NOW + moved)


@pytest.mark.parametrize(
    ("mark", "duties", "due"),
    [
        (Mark(), [], False),
        (Mark(), [told()], True),
        (Mark(NOW - DAY, NOW - digest.PAUSE), [told()], True),
        (Mark(NOW - DAY, NOW - digest.PAUSE + timedelta(seconds=1)), [told()], False),
        (Mark(None, NOW), [told()], False),
        (Mark(NOW - DAY + timedelta(seconds=1), NOW), [told()], False),
    ],
)
def test_one_digest_in_a_period(mark: Mark, duties: list[Told], due: bool) -> None:
    assert digest.is_due(mark, duties, NOW, DAY) is due


@pytest.mark.parametrize(
    ("last", "duty", "urgent"),
    [
        (None, told("alert"), True),
        (None, told(), False),
        (None, told(overdue=True), True),
        (timedelta(minutes=15), told("alert"), True),
        (timedelta(minutes=14, seconds=59), told("alert"), False),
        (timedelta(hours=2), told("alert", moved=-timedelta(hours=3)), False),
        (timedelta(hours=2), told("alert", moved=-timedelta(hours=1)), True),
    ],
)
def test_urgent_at_once_but_not_more_often_than_every_quarter_of_an_hour(
    last: timedelta | None, duty: Told, urgent: bool
) -> None:
    mark = Mark(NOW, None if last is None else NOW - last)
    assert digest.is_urgent(mark, [duty], NOW) is urgent


@given(TEXTS, TEXTS, TEXTS, st.sampled_from([rfc5424.LARGEST_STREAM, rfc5424.LARGEST_DATAGRAM]))
def test_a_syslog_message_reads_back_as_its_parts(text: str, value: str, name: str, largest: int) -> None:
    value, text = clean(value, 200), clean(text, 4000)
    made = rfc5424.encode(
        text, at=NOW, host=name, message_id=name, data={"id": "1", "post": value}, urgent=True, largest=largest
    )
    assert len(made) <= largest
    head = re.fullmatch(
        rb"<108>1 2026-11-20T08:00:00\.000Z ([!-~]{1,255}) guosuo - ([!-~]{1,32}) "
        rb'\[guosuo@32473 id="1" post="((?:[^"\\\]]|\\["\\\]])*)"\] \xef\xbb\xbf([^\r\n]*)',
        made,
    )
    assert head is not None
    assert re.sub(r'\\(["\\\]])', r"\1", head[3].decode()) == value
    assert text.startswith(head[4].decode())


def test_a_frame_counts_octets() -> None:
    assert rfc5424.frame("题".encode()) == b"3 \xe9\xa2\x98"


def test_pauses_grow_and_end() -> None:
    pauses = [schedule.pause(attempts) for attempts in range(1, 30)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (timedelta(minutes=2), timedelta(hours=4))
    assert pauses[0] >= schedule.HOLD
    assert [schedule.is_over(number, 3, for_good=False) for number in (1, 2, 3)] == [False, False, True]
    assert schedule.is_over(1, 3, for_good=True)


def test_a_message_has_ended_before_another_may_send_it_and_a_run_before_its_lease() -> None:
    assert timedelta(seconds=channel.WHOLE) * 2 < schedule.HOLD
    # At the worst, every message of a run takes all its time.
    assert timedelta(seconds=channel.WHOLE) * outbox.BATCH < jobs.SENDING


def test_the_trial_tells_nothing() -> None:
    made = digest.trial(TO, NOW, identifier="1", site="北辰省")
    assert (made.count, "duty" in made.text) == (0, False)
