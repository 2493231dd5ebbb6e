"""A folder with one key and its certificate, which are always a pair, whatever happens in between.

    trust.pem          the root, pinned by its fingerprint
    site.json          where the service is
    current            a link to the pair that counts: it is replaced by one rename
    pairs/SERIAL/      key.pem (0600, or key.uri for a key on a token) and chain.pem
    pending/           a key that waits for its certificate: key.pem or key.uri, renews, request.pem, ticket

Programs read ``current/key.pem`` and ``current/chain.pem``. A pair is never changed once it is there; the one before
the current stays, for whoever still reads it.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core import durable
from core.errors import Conflict, Malformed, NotFound

#: Pairs that are kept: the current one, and the one before it.
_KEPT = 2

_DUE = "command-due"


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair that is whole; ``key`` is a file, or a PKCS#11 URI."""

    folder: Path
    key: str
    certificate: x509.Certificate

    @property
    def chain(self) -> Path:
        """Return the certificate with its chain (PEM)."""
        return self.folder / "chain.pem"

    @property
    def serial(self) -> str:
        """Return the serial number, 40 digits."""
        return f"{self.certificate.serial_number:040x}"

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Return when it begins and ends."""
        return self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc

    @property
    def spki(self) -> bytes:
        """Return its key (DER SubjectPublicKeyInfo)."""
        return self.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True)
class Pending:
    """A key that waits for its certificate; ``request`` (PEM) is what is sent, always the same.

    ``renews`` is the serial number that it follows (empty: none), ``ticket`` what asks how far the request is.
    """

    key: str
    request: bytes
    renews: str = ""
    ticket: str = ""

    @property
    def spki(self) -> bytes:
        """Return the key (DER SubjectPublicKeyInfo)."""
        key = x509.load_pem_x509_csr(self.request).public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class PairFolder:
    """One such folder."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is made yet."""
        self.folder = folder
        self.trust = folder / "trust.pem"
        self._current = folder / "current"
        self._pairs = folder / "pairs"
        self._pending = folder / "pending"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other programs from working in the folder meanwhile. Raises ``Conflict``, ``NotFound``."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise NotFound(f"`{self.folder}` cannot be used: {(error.strerror or '').lower()}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise Conflict(f"another program works in `{self.folder}`", hint="end it, or wait for it") from error
        finally:
            os.close(handle)

    def url(self) -> str:
        """Return where the service is. Raises ``NotFound``, ``Malformed``."""
        try:
            found = json.loads((self.folder / "site.json").read_text(encoding="utf-8"))["url"]
        except OSError as error:
            raise NotFound(f"nobody was enrolled in `{self.folder}`", hint="begin with `guosuo cert enroll`") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Malformed(f"`{self.folder / 'site.json'}` is damaged") from error
        return str(found)

    def remember(self, url: str) -> None:
        """Keep where the service is."""
        durable.write(self.folder / "site.json", f"{json.dumps({'url': url})}\n".encode(), mode=0o644)

    def current(self) -> Pair | None:
        """Return the pair that counts. Raises ``Malformed`` when it is damaged."""
        return self._read(self._current.resolve()) if self._current.is_symlink() else None

    def pending(self) -> Pending | None:
        """Return the key that waits, when it is whole; one without its request was never shown to anybody."""
        try:
            request = (self._pending / "request.pem").read_bytes()
            x509.load_pem_x509_csr(request)
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise Malformed(f"`{self._pending}` is damaged", hint="remove it and begin again") from error
        renews, ticket = (_text(self._pending / name) for name in ("renews", "ticket"))
        return Pending(_key(self._pending), request, renews, ticket)

    def begin(self, make: Callable[[Path], bytes], *, uri: str = "", renews: str = "") -> Pending:
        """Make a key that waits: ``make`` writes it to the path that it is given, and returns its request (PEM).

        With ``uri`` the key is on a token, and only its name is kept. ``renews`` is the serial number that it follows.
        """
        self.drop()
        self._pending.mkdir(mode=0o700)
        durable.write(self._pending / "renews", f"{renews}\n".encode())
        if uri:
            durable.write(self._pending / "key.uri", f"{uri}\n".encode())
        request = make(self._pending / "key.pem")
        # A crash here leaves a key without a request, which nobody was shown: the next run makes another.
        durable.write(self._pending / "request.pem", request, mode=0o644)
        durable.sync_folder(self.folder)
        return Pending(_key(self._pending), request, renews)

    def remember_ticket(self, ticket: str) -> None:
        """Keep what asks how far the request is."""
        durable.write(self._pending / "ticket", f"{ticket}\n".encode())

    def drop(self) -> None:
        """Forget the key that waits."""
        shutil.rmtree(self._pending, ignore_errors=True)

    def install(self, chain: bytes, *, command: bool = False) -> Pair:
        """Make the key that waits, and its chain (PEM, checked), the pair that counts.

        ``command``: something is to be run afterwards, also by whoever goes on after a crash.
        """
        own = x509.load_pem_x509_certificates(chain)[0]
        name = f"{own.serial_number:040x}"
        self._lay(name, chain, command=command)
        # A crash here leaves a whole pair that nothing points to: the next run gets the same certificate and goes on.
        link = self.folder / ".current.new"
        link.unlink(missing_ok=True)
        link.symlink_to(Path("pairs") / name)
        link.replace(self._current)
        durable.sync_folder(self.folder)
        # A crash here leaves the new pair in force, and its key still waiting: the next run clears it away.
        self.clear()
        return self._read(self._pairs / name)

    def clear(self) -> None:
        """Forget a waiting key that has its certificate already, and the pairs of long ago."""
        present, waiting = self.current(), self.pending()
        if present is None:
            return
        if waiting is not None and waiting.spki == present.spki and waiting.renews != present.serial:
            self.drop()
        whole = [one for one in self._pairs.iterdir() if not one.name.startswith(".")]
        read = [self._read(one) for one in whole if one.name != present.serial]
        for old in sorted(read, key=lambda one: one.span, reverse=True)[_KEPT - 1 :]:
            shutil.rmtree(old.folder, ignore_errors=True)

    def is_command_due(self) -> bool:
        """Say whether the command after a renewal has not been run to its end."""
        return (self._current / _DUE).exists()

    def command_done(self) -> None:
        """Remember that the command was run."""
        (self._current / _DUE).unlink(missing_ok=True)

    def _lay(self, name: str, chain: bytes, *, command: bool) -> None:
        """Write a pair beside the others, whole or not at all."""
        part, target = self._pairs / f".{name}.new", self._pairs / name
        if target.is_dir():
            # Laid by a run that ended before it counted: it is whole, for it has its name.
            if command:
                durable.write(target / _DUE, b"")
            return
        self._pairs.mkdir(exist_ok=True, mode=0o700)
        durable.sync_folder(self.folder)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        for file in ("key.pem", "key.uri"):
            if (self._pending / file).is_file():
                durable.write(part / file, (self._pending / file).read_bytes())
        durable.write(part / "chain.pem", chain, mode=0o644)
        if command:
            durable.write(part / _DUE, b"")
        part.replace(target)
        durable.sync_folder(self._pairs)

    def _read(self, folder: Path) -> Pair:
        try:
            certificate = x509.load_pem_x509_certificates((folder / "chain.pem").read_bytes())[0]
        except (OSError, ValueError) as error:
            raise Malformed(
                f"`{folder}` holds no certificate with its key", hint="enrol anew in a new folder"
            ) from error
        return Pair(folder, _key(folder), certificate)


def _key(folder: Path) -> str:
    """Return the key of a folder: the URI that it names, or the file."""
    return _text(folder / "key.uri") or str(folder / "key.pem")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
