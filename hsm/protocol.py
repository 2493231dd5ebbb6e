"""What travels over the signer's socket: length-prefixed MessagePack, small and bounded."""

import socket
from datetime import datetime

import msgspec

from core import errors
from hsm import errors as own
from hsm.models import KeyAlgorithm, KeyPurpose

#: Most octets of one message: the longest message to be signed, and some more.
LARGEST = 131_072

_PREFIX = 4


class Generate(msgspec.Struct, tag="generate", forbid_unknown_fields=True):
    """Generate a key."""

    label: str
    algorithm: KeyAlgorithm
    purpose: KeyPurpose


class Keys(msgspec.Struct, tag="keys", forbid_unknown_fields=True):
    """List the keys."""


class Sign(msgspec.Struct, tag="sign", forbid_unknown_fields=True):
    """Sign digests (P-256) or messages (Ed25519), all or none."""

    label: str
    data: list[bytes]


class Ask(msgspec.Struct, tag="health", forbid_unknown_fields=True):
    """Ask how the signer is."""


class Key(msgspec.Struct):
    """A key in an answer."""

    label: str
    algorithm: KeyAlgorithm
    purpose: KeyPurpose
    spki: bytes
    spki_sha256: str
    extractable: bool
    sensitive: bool
    never_extractable: bool
    local: bool
    private: bool


class Answer(msgspec.Struct, omit_defaults=True):
    """Exactly one of its fields is filled."""

    keys: list[Key] | None = None
    made: list[bytes] | None = None
    generation: int | None = None
    sessions: int = 0
    signatures: int = 0
    last_self_test: datetime | None = None
    error: str = ""
    kind: str = ""
    hint: str = ""


Request = Generate | Keys | Sign | Ask

_REQUESTS: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_ANSWERS = msgspec.msgpack.Decoder(Answer)
_ENCODER = msgspec.msgpack.Encoder()

#: Errors that keep their kind over the socket.
_KINDS: dict[str, type[errors.TrustError]] = {
    kind.__name__: kind
    for kind in (
        own.UnknownKey,
        own.BadLabel,
        own.KeyExists,
        own.KeyMismatch,
        own.MechanismRefused,
        own.UnsafeKey,
        own.BadRequest,
        own.TokenUnavailable,
        own.PinRefused,
    )
}


def parse_request(content: bytes) -> Request:
    """Return the request; raises ``BadRequest``."""
    try:
        return _REQUESTS.decode(content)
    except msgspec.DecodeError as error:
        raise own.BadRequest(f"the signer cannot read the request: {error}") from error


def parse_answer(content: bytes) -> Answer:
    """Return the answer, or raise the error it carries; ``SignerUnavailable`` for what no signer of ours says."""
    try:
        answer = _ANSWERS.decode(content)
    except msgspec.MsgspecError as error:
        raise own.SignerUnavailable("what answers is not the signer", hint="see `guosuo doctor`") from error
    if answer.error:
        raise _KINDS.get(answer.kind, errors.Unavailable)(answer.error, hint=answer.hint)
    return answer


def failure(error: errors.TrustError) -> Answer:
    """Return the answer that carries ``error``."""
    return Answer(error=error.detail, kind=type(error).__name__, hint=error.hint)


def send(connection: socket.socket, message: Request | Answer) -> None:
    """Send one message."""
    content = _ENCODER.encode(message)
    connection.sendall(len(content).to_bytes(_PREFIX, "big") + content)


def receive(connection: socket.socket) -> bytes | None:
    """Return one message's octets, or nothing when the other side has closed; raises ``BadRequest`` when too long."""
    prefix = _exactly(connection, _PREFIX)
    if prefix is None:
        return None
    length = int.from_bytes(prefix, "big")
    if length > LARGEST:
        raise own.BadRequest(f"a message of {length} octets is longer than {LARGEST}")
    return _exactly(connection, length)


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            return None
        parts += part
    return bytes(parts)
