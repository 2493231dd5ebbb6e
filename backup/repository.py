"""The repository: a folder that outlives the site, with sealed points, their proofs, and the mirrored evidence.

    points/ID.age         one recovery point, encrypted; whole or absent
    points/ID.proof.json  what the last drill over exactly that file found
    evidence/             the mirrored evidence log, written by the sequencer

Whether a point is sealed is not said here: the evidence says so, with the hash of the file.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from backup.errors import PointUnderWay
from core import durable
from core.ledger.entry import JsonValue

#: A point's identifier: the time of its beginning and eight hexadecimal digits.
IDENTIFIER = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")


class Repository:
    """One repository."""

    def __init__(self, path: Path) -> None:
        """Use the folder ``path``."""
        self.path = path

    @property
    def points(self) -> Path:
        """Where sealed points are."""
        return self.path / "points"

    @property
    def evidence(self) -> Path:
        """Where the sequencer mirrors the evidence."""
        return evidence_mirror(self.path)

    def point(self, identifier: str) -> Path:
        """Return the file of a point."""
        return self.points / f"{identifier}.age"

    def identifiers(self) -> list[str]:
        """Return the points that have a file, sealed or not, the oldest first."""
        return sorted(path.stem for path in self.points.glob("*.age") if IDENTIFIER.fullmatch(path.stem))

    def unfinished(self, identifier: str) -> Path:
        """Return the file of a point that is being written."""
        return self.points / f".{identifier}.age.new"

    def proof(self, identifier: str) -> Path:
        """Return the file of a point's proof."""
        return self.points / f"{identifier}.proof.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who makes a point. Raises ``PointUnderWay``."""
        self.points.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.points, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise PointUnderWay("another recovery point is being made", hint="try again when it is done") from error
            yield
        finally:
            os.close(handle)

    def record_proof(self, identifier: str, proof: Mapping[str, JsonValue]) -> None:
        """Keep what a drill found about a point."""
        durable.write(self.proof(identifier), json.dumps(proof, ensure_ascii=False, indent=1).encode())

    def is_proven(self, identifier: str, sha256: str) -> bool:
        """Say whether the last drill with a verdict about exactly this file was passed."""
        return self._verdict(identifier, sha256) is True

    def is_failed(self, identifier: str, sha256: str) -> bool:
        """Say whether the last drill with a verdict about exactly this file was not passed."""
        return self._verdict(identifier, sha256) is False

    def _verdict(self, identifier: str, sha256: str) -> bool | None:
        try:
            found = json.loads(self.proof(identifier).read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(found, dict) or found.get("sha256") != sha256:
            return None
        return found.get("ok") is True


def evidence_mirror(repository: Path) -> Path:
    """Return where in a repository the evidence is mirrored."""
    return repository / "evidence"
