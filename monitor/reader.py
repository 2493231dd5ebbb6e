"""Reads a log file that grows, from a bookmark that survives anything: rotation, truncation, lines split anywhere.

A bookmark names a file by inode, by its first octets (an inode may be given to a new file) and by an ``epoch`` drawn
when its reading began; (epoch, offset) is therefore the name of a line for ever. The reader itself stores nothing:
whoever uses a batch commits the bookmark together with what the batch led to.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

#: How many octets of a file's beginning are compared to tell it from another with the same inode.
_HEAD = 64


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Everything before ``offset`` of this file is done; ``head`` is the file's beginning as far as it was read."""

    inode: int
    offset: int
    epoch: str
    head: bytes = b""
    modified: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One complete line without its end, or the mark of one that was too long (``content`` empty, ``oversized``)."""

    epoch: str
    offset: int
    content: bytes
    oversized: bool = False


@dataclass(slots=True)
class Batch:
    """Lines and the bookmark after them. ``lost`` says in words what was there and could not be read."""

    lines: list[Line] = field(default_factory=list)
    bookmark: Bookmark | None = None
    lost: list[str] = field(default_factory=list)


class Reader:
    """Follows ``path``; ``random`` gives the octets of a new epoch."""

    def __init__(
        self,
        path: Path,
        *,
        bookmark: Bookmark | None,
        random: Callable[[int], bytes],
        chunk: int = 1 << 20,
        longest: int = 64 << 20,
    ) -> None:
        """Prepare to read on from ``bookmark`` (from the very beginning without one). Opens nothing yet."""
        self._path = path
        self._mark = bookmark
        self._random = random
        self._chunk = chunk
        self._longest = longest
        self._file: int | None = None

    def read(self) -> Batch:
        """Return what is new, at most about one chunk of it; an empty batch when there is nothing.

        The batch has a bookmark only when it differs from the last one. Raises ``OSError`` when the disk fails.
        """
        batch = Batch()
        before = self._mark
        if self._file is None and not self._open(batch):
            return batch
        self._check_truncated(batch)
        if not self._take(batch):
            self._follow_rotation(batch)
        if self._mark != before:
            batch.bookmark = self._mark
        return batch

    def finished(self) -> list[Path]:
        """Return the rotated files that lie wholly before the bookmark: once that is committed they may go."""
        present = self._present()
        inodes = [one.stat().st_ino for one in present]
        if self._mark is None or self._mark.inode not in inodes:
            return []
        return present[: inodes.index(self._mark.inode)]

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def _open(self, batch: Batch) -> bool:
        """Open the file that the bookmark names, or else the oldest one that is not older; say whether there is one."""
        present = self._present()
        if self._mark is None:
            return self._start(present[0]) if present else False
        for candidate in present:
            if candidate.stat().st_ino == self._mark.inode and self._attach(candidate):
                return True
        newer = [one for one in present if one.stat().st_mtime_ns >= self._mark.modified]
        if not newer:
            return False
        batch.lost.append(f"the file that was read up to octet {self._mark.offset} is gone")
        return self._start(newer[0])

    def _attach(self, path: Path) -> bool:
        assert self._mark is not None
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # Same inode but another beginning: the file was replaced, and the inode given out again.
        if os.pread(file, len(self._mark.head), 0) != self._mark.head:
            os.close(file)
            return False
        self._file = file
        return True

    def _start(self, path: Path) -> bool:
        self.close()
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(self._file)
        self._mark = Bookmark(status.st_ino, 0, self._random(8).hex(), b"", status.st_mtime_ns)
        return True

    def _present(self) -> list[Path]:
        """Return the file and its rotated ancestors (``NAME.*``), oldest first."""
        found = [one for one in self._path.parent.glob(f"{self._path.name}*") if one.is_file()]
        return sorted(found, key=lambda one: (one == self._path, one.stat().st_mtime_ns, one.name))

    def _check_truncated(self, batch: Batch) -> None:
        assert self._mark is not None
        assert self._file is not None
        size = os.fstat(self._file).st_size
        head = os.pread(self._file, len(self._mark.head), 0)
        if size >= self._mark.offset and head == self._mark.head:
            return
        batch.lost.append(f"the file was cut behind the reader's back at octet {self._mark.offset}")
        self._mark = replace(self._mark, offset=0, epoch=self._random(8).hex(), head=b"")

    def _take(self, batch: Batch) -> bool:
        """Read complete lines into ``batch``; say whether there were any."""
        assert self._mark is not None
        assert self._file is not None
        offset = self._mark.offset
        content = self._complete(offset)
        if not content:
            return self._skip_oversized(batch)
        for text in content.split(b"\n")[:-1]:
            oversized = len(text) > self._longest
            batch.lines.append(Line(self._mark.epoch, offset, b"" if oversized else text, oversized))
            offset += len(text) + 1
        self._advance(offset)
        return True

    def _complete(self, offset: int) -> bytes:
        """Return the complete lines from ``offset`` on: a chunk, or more when one line is longer."""
        assert self._file is not None
        size = self._chunk
        while True:
            content = os.pread(self._file, size, offset)
            end = content.rfind(b"\n") + 1
            if end or len(content) < size or size > self._longest:
                return content[:end]
            size *= 2

    def _skip_oversized(self, batch: Batch) -> bool:
        """Step over a line that is longer than allowed, once it is complete."""
        assert self._mark is not None
        assert self._file is not None
        start = position = self._mark.offset
        if os.fstat(self._file).st_size - start <= self._longest:
            return False
        while content := os.pread(self._file, self._chunk, position):
            end = content.find(b"\n") + 1
            if end:
                batch.lines.append(Line(self._mark.epoch, start, b"", oversized=True))
                self._advance(position + end)
                return True
            position += len(content)
        return False

    def _advance(self, offset: int) -> None:
        assert self._mark is not None
        assert self._file is not None
        head = os.pread(self._file, min(offset, _HEAD), 0)
        modified = os.fstat(self._file).st_mtime_ns
        self._mark = replace(self._mark, offset=offset, head=head, modified=modified)

    def _follow_rotation(self, batch: Batch) -> None:
        """Go on to the next file when this one is finished: another stands at the path, and nothing was added here."""
        assert self._mark is not None
        assert self._file is not None
        inode = self._mark.inode
        if not self._path.exists() or self._path.stat().st_ino == inode:
            return
        # The writer had moved on before we looked: one more read sees everything that it wrote here.
        if self._take(batch):
            return
        rest = os.fstat(self._file).st_size - self._mark.offset
        if rest:
            batch.lost.append(f"the last {rest} octets before a rotation are no complete line")
        self._start(self._next(inode))

    def _next(self, inode: int) -> Path:
        present = self._present()
        inodes = [one.stat().st_ino for one in present]
        if inode in inodes:
            return present[inodes.index(inode) + 1]
        assert self._mark is not None
        modified = self._mark.modified
        newer = [one for one in present if one.stat().st_mtime_ns >= modified]
        return newer[0] if newer else self._path
