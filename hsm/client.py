"""A client of the signer process: what every other package knows of keys."""

import socket
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from core.errors import Unavailable
from hsm import protocol
from hsm.errors import BadRequest, SignerUnavailable, UnknownKey
from hsm.models import Health, KeyAlgorithm, KeyInfo, KeyPurpose

#: How many signatures are asked for at once: nobody else waits longer for the token than these take.
AT_ONCE = 64


class SignerClient:
    """Safe for many threads: a connection is used by one at a time, and kept for the next."""

    def __init__(self, path: Path, timeout: float = 10.0) -> None:
        """Prepare; ``path`` is the signer's socket, ``timeout`` seconds for one answer."""
        self._path = path
        self._timeout = timeout
        self._idle: deque[socket.socket] = deque()

    def generate(self, label: str, algorithm: KeyAlgorithm, purpose: KeyPurpose) -> KeyInfo:
        """Generate a key, or return the one that this request made before."""
        answer = self._ask(protocol.Generate(label, algorithm, purpose))
        return _infos(answer)[0]

    def keys(self) -> list[KeyInfo]:
        """Return every key."""
        return _infos(self._ask(protocol.Keys()))

    def get(self, label: str) -> KeyInfo:
        """Return one key; raises ``UnknownKey``."""
        for info in self.keys():
            if info.label == label:
                return info
        raise UnknownKey(f"there is no key `{label}`")

    def sign(self, label: str, data: bytes) -> bytes:
        """Sign: a 32-octet SHA-256 digest gives a DER ECDSA-Sig-Value, a message gives 64 octets of Ed25519."""
        (signature,) = self.sign_all(label, [data])
        return signature

    def sign_all(self, label: str, data: Sequence[bytes]) -> list[bytes]:
        """Sign each, as ``sign`` does, many with one question; all or none."""
        signatures: list[bytes] = []
        for first in range(0, len(data), AT_ONCE):
            asked = list(data[first : first + AT_ONCE])
            made = self._ask(protocol.Sign(label, asked)).made
            if made is None or len(made) != len(asked):
                raise SignerUnavailable("what answers is not the signer", hint="see `guosuo doctor`")
            signatures += made
        return signatures

    def health(self) -> Health:
        """Return how the signer is."""
        answer = self._ask(protocol.Ask())
        assert answer.generation is not None
        return Health(answer.generation, answer.sessions, answer.signatures, answer.last_self_test)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    def _ask(self, request: protocol.Request) -> protocol.Answer:
        """Ask, and once more over a new connection: every request of this protocol may be repeated."""
        for last in (False, True):
            connection = None
            try:
                connection = self._connect() if last or not self._idle else self._idle.pop()
                protocol.send(connection, request)
                content = protocol.receive(connection)
            except (OSError, IndexError, BadRequest) as error:
                # The last: a message longer than any of the signer's, so something else listens there.
                if connection is not None:
                    connection.close()
                if last:
                    raise self._unavailable() from error
                continue
            if content is not None:
                self._idle.append(connection)
                return protocol.parse_answer(content)
            connection.close()
        raise self._unavailable()

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._timeout)
        try:
            connection.connect(str(self._path))
        except OSError:
            connection.close()
            raise
        return connection

    def _unavailable(self) -> Unavailable:
        return SignerUnavailable("the signer does not answer", hint="is `guosuo serve` running?")


def _infos(answer: protocol.Answer) -> list[KeyInfo]:
    return [
        KeyInfo(
            label=key.label,
            algorithm=key.algorithm,
            purpose=key.purpose,
            spki=key.spki,
            spki_sha256=key.spki_sha256,
            extractable=key.extractable,
            sensitive=key.sensitive,
            never_extractable=key.never_extractable,
            local=key.local,
            private=key.private,
        )
        for key in answer.keys or []
    ]
