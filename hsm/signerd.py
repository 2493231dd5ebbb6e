"""The signer process: the only one that loads the PKCS#11 module, behind a unix socket that only its owner reaches."""

import ctypes
import fcntl
import os
import resource
import secrets
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from core.clock import Clock, SystemClock
from core.errors import Conflict, TrustError
from hsm import protocol, recovery
from hsm.errors import BadRequest, NoToken
from hsm.keys import KeyStore
from hsm.models import KeyAlgorithm, KeyInfo, KeyPurpose
from hsm.module import Module
from hsm.pool import SessionPool
from hsm.settings import HsmSettings

#: The key of the self-test: signs nothing that anybody relies on.
SELF_TEST_KEY = "self-test"

#: Seconds between self-tests, and most connections at once.
_EVERY, _CONNECTIONS = 60.0, 64

_PR_SET_DUMPABLE = 4


class Signer:
    """Answers requests from the keys of one token."""

    def __init__(self, keys: KeyStore, pool: SessionPool, clock: Clock) -> None:
        """Generate the self-test key on first use, and test."""
        self._keys = keys
        self._pool = pool
        self._clock = clock
        self._tested: datetime | None = None
        keys.generate(SELF_TEST_KEY, KeyAlgorithm.P256, KeyPurpose.SELF_TEST)
        self.test()

    def test(self) -> None:
        """Sign in the token and verify; raises when it cannot."""
        self._keys.sign(SELF_TEST_KEY, secrets.token_bytes(32))
        self._tested = self._clock.now()

    def answer(self, content: bytes) -> protocol.Answer:
        """Return the answer to one request, errors included."""
        try:
            return self._act(protocol.parse_request(content))
        except TrustError as error:
            return protocol.failure(error)

    def _act(self, request: protocol.Request) -> protocol.Answer:
        match request:
            case protocol.Sign():
                return protocol.Answer(made=[self._keys.sign(request.label, one) for one in request.data])
            case protocol.Generate():
                info = self._keys.generate(request.label, request.algorithm, request.purpose)
                return protocol.Answer(keys=[_key(info)])
            case protocol.Keys():
                return protocol.Answer(keys=[_key(info) for info in self._keys.list()])
            case protocol.Ask():
                return protocol.Answer(
                    generation=self._pool.generation,
                    sessions=self._pool.size,
                    signatures=self._keys.signatures,
                    last_self_test=self._tested,
                )


def serve(settings: HsmSettings, *, stop: threading.Event) -> None:
    """Serve until ``stop``. Raises ``NoToken``, ``Conflict`` when it has a signer, ``PinRefused``, ``KeyMismatch``."""
    if not settings.inventory.exists():
        raise NoToken(f"there is no token of ours in `{settings.state}`", hint="make the site with `guosuo init`")
    lock = _lock(settings)
    _harden()
    recovery.secure(settings)
    pool = SessionPool(Module(settings.module, settings.configuration), settings)
    pool.open()
    signer = Signer(KeyStore(pool, settings, secrets.token_bytes), pool, SystemClock())
    settings.socket.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        # Bound under another name and renamed, so that whoever sees the socket can use it.
        unready = settings.socket.with_suffix(".new")
        unready.unlink(missing_ok=True)
        listener.bind(str(unready))
        unready.chmod(0o600)
        listener.listen(_CONNECTIONS)
        unready.rename(settings.socket)
        # A crash here leaves a socket that nobody listens on: clients are told so, and the next start replaces it.
        threading.Thread(target=_test_for_ever, args=(signer, stop), daemon=True).start()
        _accept(listener, signer, stop)
    settings.socket.unlink(missing_ok=True)
    os.close(lock)


def _accept(listener: socket.socket, signer: Signer, stop: threading.Event) -> None:
    listener.settimeout(0.2)
    slots = threading.BoundedSemaphore(_CONNECTIONS)
    while not stop.is_set():
        try:
            connection, _address = listener.accept()
        except TimeoutError:
            continue
        if _peer(connection) != os.geteuid() or not slots.acquire(blocking=False):
            connection.close()
            continue
        threading.Thread(target=_converse, args=(connection, signer, slots.release), daemon=True).start()


def _converse(connection: socket.socket, signer: Signer, done: Callable[[], None]) -> None:
    try:
        with connection:
            connection.settimeout(None)
            _answer_all(connection, signer)
    except OSError:
        # The other side is gone; it asks again over another connection.
        return
    finally:
        done()


def _answer_all(connection: socket.socket, signer: Signer) -> None:
    """Answer until the other side closes; whoever sends nonsense once is told so, and not listened to any further."""
    try:
        while (content := protocol.receive(connection)) is not None:
            answer = signer.answer(content)
            protocol.send(connection, answer)
            if answer.kind == BadRequest.__name__:
                return
    except BadRequest as error:
        protocol.send(connection, protocol.failure(error))


def _test_for_ever(signer: Signer, stop: threading.Event) -> None:
    while not stop.wait(_EVERY):
        try:
            signer.test()
        except TrustError as error:
            print(f"self-test: {error.detail}", file=sys.stderr, flush=True)  # noqa: T201


def _peer(connection: socket.socket) -> int:
    """Return the user id of the process at the other end (SO_PEERCRED)."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, _gid = struct.unpack("3i", packed)
    return int(uid)


def _lock(settings: HsmSettings) -> int:
    handle = os.open(settings.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        # Two processes that log in to one SoftHSM token at the same time can lose it.
        raise Conflict("this token has a signer already", hint="stop it first") from error
    return handle


def _harden() -> None:
    """No core dump, no ptrace by others of this user, and what can be kept out of the swap is kept out."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_DUMPABLE, 0)
    # Best effort: an ordinary user may lock only a little.
    libc.mlockall(1)


def _key(info: KeyInfo) -> protocol.Key:
    return protocol.Key(
        label=info.label,
        algorithm=info.algorithm,
        purpose=info.purpose,
        spki=info.spki,
        spki_sha256=info.spki_sha256,
        extractable=info.extractable,
        sensitive=info.sensitive,
        never_extractable=info.never_extractable,
        local=info.local,
        private=info.private,
    )


def main() -> None:
    """Run as ``python -m hsm.signerd STATE`` until a signal ends it."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    try:
        serve(HsmSettings(state=Path(sys.argv[1])), stop=stop)
    except TrustError as error:
        print(f"{error.detail}; {error.hint}", file=sys.stderr, flush=True)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    main()
