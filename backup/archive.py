"""The sealed file of a point: a tar stream, manifest first, inside age (X25519, ChaCha20-Poly1305). Streamed.

age refuses a flipped or missing octet, but only after it has given out what came before: what is unpacked counts for
nothing until the end was reached and every member was held against the manifest.
"""

import hashlib
import os
import tarfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import pyrage
from pyrage import x25519

from backup import manifest
from backup.errors import Damaged, PointFailed, WrongIdentity
from backup.manifest import Manifest, Member

_BLOCK = 1 << 20


def seal(folder: Path, names: Sequence[str], recipients: Sequence[x25519.Recipient], target: Path) -> tuple[str, int]:
    """Write the files ``names`` of ``folder`` to ``target``, encrypted and flushed; return its SHA-256 and octets.

    Raises ``PointFailed``.
    """
    flow = _Flow(lambda sink: _pack(folder, names, sink))
    try:
        with target.open("xb") as file:
            sealed = _Hashed(file)
            pyrage.encrypt_io(flow.source, sealed, list(recipients))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise PointFailed(f"`{target}` cannot be written: {error.strerror or error}") from error
    finally:
        problem = flow.finish()
    if problem is not None:
        # What was encrypted ends where reading failed: it must not pass for a whole point.
        raise PointFailed(f"the files of the point cannot be read: {problem}") from problem
    return sealed.digest.hexdigest(), sealed.size


def unpack(sealed: Path, identity: x25519.Identity, into: Path) -> Manifest:
    """Decrypt and unpack ``sealed`` into ``into``; return its manifest when every member is what it says.

    Raises ``WrongIdentity``, ``BadManifest``, ``Damaged`` naming the file. On an error ``into`` holds rubbish.
    """
    flow = _Flow(lambda sink: _decrypt(sealed, identity, sink))
    caught: Damaged | None = None
    found: Manifest | None = None
    try:
        found = _read(flow.source, into, sealed)
    except (tarfile.TarError, EOFError) as error:
        caught = Damaged(f"`{sealed}` ends or breaks off in the middle: {error}")
    finally:
        problem = flow.finish()
    if isinstance(problem, pyrage.DecryptError):
        if "No matching keys" in str(problem):
            raise WrongIdentity(
                f"`{sealed}` was not encrypted to this recovery identity", hint="bring the identity of this site"
            )
        raise Damaged(f"`{sealed}` is no recovery point, or is cut short: {str(problem).lower()}")
    if isinstance(problem, BrokenPipeError) and caught is not None:
        raise caught
    if problem is not None:
        raise Damaged(f"`{sealed}` is damaged: it does not decrypt to its end")
    if caught is not None or found is None:
        raise caught or Damaged(f"`{sealed}` holds no manifest")
    return found


def describe(path: Path, name: str) -> Member:
    """Return a file as a member of the archive."""
    return Member(path=name, size=path.stat().st_size, sha256=hash_file(path), mode=path.stat().st_mode & 0o777)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Flow:
    """A pipe that another thread fills; what went wrong there is told when it is finished."""

    def __init__(self, fill: Callable[[IO[bytes]], None]) -> None:
        read, write = os.pipe()
        self.source = os.fdopen(read, "rb", buffering=_BLOCK)
        self._sink = os.fdopen(write, "wb", buffering=_BLOCK)
        self._fill = fill
        self._problem: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> Exception | None:
        """End the flow and return what failed in it."""
        self.source.close()
        self._thread.join()
        return self._problem

    def _run(self) -> None:
        try:
            self._fill(self._sink)
            self._sink.flush()
        except (OSError, tarfile.TarError, pyrage.DecryptError) as error:
            self._problem = error
        finally:
            self._close()

    def _close(self) -> None:
        try:
            self._sink.close()
        except OSError as error:
            # What was left in the buffer goes nowhere when the reader has gone.
            self._problem = self._problem or error


class _Hashed:
    """A file that is hashed as it is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self.digest = hashlib.sha256()
        self.size = 0
        self._file = file

    def write(self, content: bytes) -> int:
        self.digest.update(content)
        self.size += len(content)
        return self._file.write(content)

    def flush(self) -> None:
        self._file.flush()


def _pack(folder: Path, names: Sequence[str], sink: IO[bytes]) -> None:
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name in names:
            # Owner, time and permissions of the lost machine are not restored; the manifest says what counts.
            member = tarfile.TarInfo(name)
            with (folder / name).open("rb") as file:
                member.size = os.fstat(file.fileno()).st_size
                archive.addfile(member, file)


def _decrypt(sealed: Path, identity: x25519.Identity, sink: IO[bytes]) -> None:
    with sealed.open("rb") as file:
        pyrage.decrypt_io(file, sink, [identity])


def _read(source: IO[bytes], into: Path, sealed: Path) -> Manifest:
    with tarfile.open(fileobj=source, mode="r|") as archive:
        found = _read_manifest(archive, sealed)
        awaited = {member.path: member for member in found.members}
        while (entry := archive.next()) is not None:
            member = awaited.pop(entry.name, None)
            content = archive.extractfile(entry) if entry.isreg() else None
            if member is None or content is None:
                raise Damaged(f"`{sealed}` holds `{entry.name[:120]}`, which is not in its manifest")
            _write_member(member, content, into, sealed)
    if awaited:
        raise Damaged(f"`{sealed}` lacks `{min(awaited)}`, which is in its manifest")
    while source.read(_BLOCK):
        # To the very end: only there age has vouched for everything.
        pass
    return found


def _read_manifest(archive: tarfile.TarFile, sealed: Path) -> Manifest:
    entry = archive.next()
    content = archive.extractfile(entry) if entry is not None and entry.isreg() else None
    if entry is None or content is None or entry.name != manifest.NAME or entry.size > manifest.LARGEST:
        raise Damaged(f"`{sealed}` does not begin with a manifest")
    return manifest.parse(content.read())


def _write_member(member: Member, content: IO[bytes], into: Path, sealed: Path) -> None:
    target = into / member.path
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest, size = hashlib.sha256(), 0
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, member.mode)
    with os.fdopen(handle, "wb") as file:
        while block := content.read(_BLOCK):
            digest.update(block)
            size += len(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    if (digest.hexdigest(), size) != (member.sha256, member.size):
        raise Damaged(f"`{member.path}` in `{sealed}` is not what its manifest says")
