"""The reader over real files: any writing, rotation and restart gives every line exactly once, in order."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.reader import Bookmark, Reader


@dataclass
class Log:
    """A writer as Suricata is one: appends, and on rotation renames and opens anew."""

    path: Path
    written: list[bytes] = field(default_factory=list)
    rotations: int = 0

    def write(self, content: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(content)

    def line(self, content: bytes) -> None:
        self.written.append(content)
        self.write(content + b"\n")

    def rotate(self) -> None:
        if self.path.exists():
            self.rotations += 1
            # Time passes between two rotations, which a file system of coarse times may not see.
            os.utime(self.path, ns=(self.rotations * 10**9,) * 2)
            self.path.rename(self.path.with_name(f"{self.path.name}.{self.rotations}"))
        self.path.touch()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "eve.json")


def reader(log: Log, bookmark: Bookmark | None = None, **more: int) -> Reader:
    return Reader(log.path, bookmark=bookmark, random=os.urandom, **more)


@dataclass
class Seen:
    lines: list[bytes] = field(default_factory=list)
    places: set[tuple[str, int]] = field(default_factory=set)
    lost: list[str] = field(default_factory=list)
    oversized: int = 0
    mark: Bookmark | None = None

    def drain(self, one: Reader) -> None:
        while True:
            batch = one.read()
            for line in batch.lines:
                place = (line.epoch, line.offset)
                assert place not in self.places
                self.places.add(place)
                self.oversized += line.oversized
                if not line.oversized:
                    self.lines.append(line.content)
            self.lost += batch.lost
            if batch.bookmark:
                self.mark = batch.bookmark
            if not (batch.lines or batch.bookmark or batch.lost):
                return


LINE = st.binary(min_size=0, max_size=30).map(lambda text: text.replace(b"\n", b"|"))
STEP = st.one_of(
    st.tuples(st.just("line"), LINE),
    st.tuples(st.just("half"), LINE),
    st.tuples(st.just("rotate"), st.just(b"")),
    st.tuples(st.just("read"), st.just(b"")),
    st.tuples(st.just("restart"), st.just(b"")),
)


@given(steps=st.lists(STEP, max_size=40), chunk=st.sampled_from([1, 3, 16, 4096]))
@settings(max_examples=150, deadline=None)
def test_every_line_once_and_in_order(steps: list[tuple[str, bytes]], chunk: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log, seen, open_half = Log(Path(folder) / "eve.json"), Seen(), b""
        one = reader(log, chunk=chunk)
        for step, content in [*steps, ("read", b"")]:
            if step == "line":
                log.written.append(open_half + content)
                log.write(content + b"\n")
                open_half = b""
            elif step == "half":
                open_half += content
                log.write(content)
            elif step == "rotate" and not open_half:
                log.rotate()
            elif step == "read":
                seen.drain(one)
            elif step == "restart":
                one.close()
                one = reader(log, seen.mark, chunk=chunk)
        seen.drain(one)
        one.close()
        assert seen.lines == log.written
        assert seen.lost == []


@given(
    lines=st.lists(LINE, min_size=1, max_size=30),
    kills=st.sets(st.integers(0, 60), max_size=5),
    chunk=st.sampled_from([8, 64, 4096]),
)
@settings(max_examples=80, deadline=None)
def test_killed_between_reading_and_commit_it_repeats_the_same_places(
    lines: list[bytes], kills: set[int], chunk: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Log(Path(folder) / "eve.json")
        for content in lines:
            log.line(content)
        committed: list[tuple[str, int, bytes]] = []
        mark: Bookmark | None = None
        one, batches = reader(log, chunk=chunk), 0
        while (batch := one.read()).bookmark:
            if batches in kills and mark is not None:
                # The batch was read, but its commit was not: the next process reads it again.
                one.close()
                one = reader(log, mark, chunk=chunk)
                again = one.read()
                assert [(line.epoch, line.offset) for line in again.lines] == [
                    (line.epoch, line.offset) for line in batch.lines
                ]
                batch = again
            committed += [(line.epoch, line.offset, line.content) for line in batch.lines]
            mark = batch.bookmark
            batches += 1
        one.close()
        assert [content for _epoch, _offset, content in committed] == lines
        assert len({epoch for epoch, _offset, _content in committed}) == 1


def test_half_a_line_waits_for_its_end(log: Log) -> None:
    seen = Seen()
    with reader(log) as one:
        seen.drain(one)
        log.write(b'{"a"')
        seen.drain(one)
        assert seen.lines == []
        log.write(b":1}\n")
        seen.drain(one)
    assert seen.lines == [b'{"a":1}']


def test_rotation_while_nobody_reads_loses_nothing(log: Log) -> None:
    seen = Seen()
    log.line(b"1")
    with reader(log) as one:
        seen.drain(one)
    for number in range(2, 6):
        log.rotate()
        log.line(b"%d" % number)
    with reader(log, seen.mark) as one:
        seen.drain(one)
        assert [path.name for path in one.finished()] == ["eve.json.1", "eve.json.2", "eve.json.3", "eve.json.4"]
    assert seen.lines == log.written
    assert seen.lost == []


def test_what_is_not_yet_read_is_not_finished(log: Log) -> None:
    log.line(b"1")
    log.rotate()
    log.line(b"2")
    with reader(log) as one:
        assert one.finished() == []
        one.read()
        assert one.finished() == []


def test_a_writer_that_goes_on_after_the_rename_is_followed(log: Log) -> None:
    log.line(b"1")
    held = log.path.open("ab")
    seen = Seen()
    with reader(log) as one:
        seen.drain(one)
        log.path.rename(log.path.with_name("eve.json.1"))
        held.write(b"2\n")
        held.flush()
        seen.drain(one)
        assert seen.lines == [b"1", b"2"]
        held.write(b"3\n")
        held.close()
        log.write(b"4\n")
        seen.drain(one)
    assert seen.lines == [b"1", b"2", b"3", b"4"]


def test_a_cut_file_is_told_and_read_anew(log: Log) -> None:
    seen = Seen()
    log.line(b"first, a long line")
    with reader(log) as one:
        seen.drain(one)
        log.path.write_bytes(b"new\n")
        seen.drain(one)
    assert seen.lines == [b"first, a long line", b"new"]
    assert len(seen.lost) == 1
    assert "cut" in seen.lost[0]


def test_a_file_written_over_in_place_with_more_is_noticed(log: Log) -> None:
    seen = Seen()
    log.line(b"first")
    with reader(log) as one:
        seen.drain(one)
        log.path.write_bytes(b"other and longer\nthan before\n")
        seen.drain(one)
    assert seen.lines == [b"first", b"other and longer", b"than before"]
    assert len(seen.lost) == 1


@pytest.mark.parametrize("away", [True, False])
def test_a_replaced_file_is_told(log: Log, away: bool) -> None:
    seen = Seen()
    log.line(b"first")
    with reader(log) as one:
        seen.drain(one)
    log.path.unlink()
    if away:
        (log.path.parent / "filler").touch()  # so that the inode is not given out again
    log.line(b"second")
    with reader(log, seen.mark) as one:
        seen.drain(one)
    assert seen.lines == [b"first", b"second"]
    assert len(seen.lost) == 1


def test_no_file_is_no_error(log: Log) -> None:
    with reader(log) as one:
        assert one.read().lines == []
        log.line(b"1")
        assert [line.content for line in one.read().lines] == [b"1"]


def test_the_last_half_line_before_a_rotation_is_told(log: Log) -> None:
    seen = Seen()
    log.line(b"1")
    log.write(b"half")
    log.rotate()
    log.line(b"2")
    with reader(log) as one:
        seen.drain(one)
    assert seen.lines == [b"1", b"2"]
    assert seen.lost == ["the last 4 octets before a rotation are no complete line"]


@pytest.mark.parametrize("chunk", [7, 64, 100_000])
def test_a_line_that_is_too_long_is_stepped_over(log: Log, chunk: int) -> None:
    seen = Seen()
    log.line(b"1")
    log.write(b"x" * 5000)
    with reader(log, chunk=chunk, longest=1000) as one:
        seen.drain(one)
        assert (seen.lines, seen.oversized) == ([b"1"], 0)
        log.write(b"x" * 5000 + b"\n")
        log.line(b"2")
        seen.drain(one)
    assert seen.lines == [b"1", b"2"]
    assert seen.oversized == 1


def lines_of(log: Log) -> Iterator[bytes]:
    with reader(log) as one:
        for line in one.read().lines:
            yield line.content


def test_octets_that_are_no_text_pass_as_they_are(log: Log) -> None:
    log.line(bytes(octet for octet in range(256) if octet != 10))
    assert list(lines_of(log)) == log.written
