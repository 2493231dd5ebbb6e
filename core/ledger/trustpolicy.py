"""Which checkpoints are believed: known logs, witnesses, and the quorum that must have cosigned (C2SP tlog-policy).

Pure. A policy is a file of octets; names are opaque, so that it needs no table of Unicode.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.ledger import checkpoint, cosignature
from core.ledger.checkpoint import COSIGNER_KEY, VerifierKey
from core.ledger.errors import BadCheckpoint, BadCheckpointSignature, BadPolicy, QuorumMissed

#: The name of the quorum that asks nobody.
NONE = b"none"

#: Most octets of a policy, and most logs, witnesses and groups each; the standard asks for 32 at least.
LARGEST_POLICY, MOST_NAMES = 262_144, 256

#: Octets of a note that cosignatures may take: the rest is for the checkpoint of the longest name, and its signature.
ROOM = checkpoint.LARGEST_NOTE - 2048

_OCTETS = re.compile(rb"[\t\n\x20-\x7e\x80-\xff]*")
_NUMBER = re.compile(rb"[1-9][0-9]{0,2}")


@dataclass(frozen=True, slots=True)
class KnownLog:
    """A log that is believed; ``url`` may be empty."""

    key: VerifierKey
    url: str


@dataclass(frozen=True, slots=True)
class KnownWitness:
    """A witness; ``name`` means something only inside the policy, ``url`` is the submission prefix or empty."""

    name: bytes
    key: VerifierKey
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses when at least ``threshold`` of its members do."""

    threshold: int
    members: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """A whole policy. Made by ``parse_policy`` only."""

    logs: tuple[KnownLog, ...]
    witnesses: dict[bytes, KnownWitness]
    groups: dict[bytes, Group]
    quorum: bytes

    def is_quorum(self, cosigned: Iterable[bytes]) -> bool:
        """Return whether these witnesses, by their names here, are enough."""
        return self.quorum == NONE or self._witnesses(self.quorum, frozenset(cosigned))

    def _witnesses(self, name: bytes, cosigned: frozenset[bytes]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in cosigned
        # A group names only what stands before it, so this ends.
        return sum(self._witnesses(member, cosigned) for member in group.members) >= group.threshold

    def verify(self, note: bytes) -> list[bytes]:
        """Verify that a known log signed ``note`` and a quorum cosigned it; return who did, by name.

        Raises ``BadCheckpoint``, ``BadCheckpointSignature`` (no known log), ``QuorumMissed``.
        """
        checkpoint.verify_checkpoint(note, self.key_of(note))
        cosigned = self.cosigned(note)
        if not self.is_quorum(cosigned):
            count = f"{len(cosigned)} of {len(self.witnesses)} witnesses"
            raise QuorumMissed(f"{count} cosigned the checkpoint, which is no quorum `{_shown(self.quorum)}`")
        return cosigned

    def cosigned(self, note: bytes) -> list[bytes]:
        """Return the names of the witnesses with a valid cosignature in ``note``. Raises ``BadCheckpoint``."""
        names = {witness.key: name for name, witness in self.witnesses.items()}
        return [names[one.key] for one in cosignature.find_cosignatures(note, names)]

    def key_of(self, note: bytes) -> VerifierKey:
        """Return the key of the log that ``note`` says it is of.

        Raises ``BadCheckpoint``, and ``BadCheckpointSignature`` when the policy does not know that log.
        """
        origin = checkpoint.parse_checkpoint(note).origin
        for log in self.logs:
            if log.key.name == origin:
                return log.key
        raise BadCheckpointSignature(f"the policy does not know the log `{origin}`")


@dataclass
class _Reading:
    """What has been read so far; names are of witnesses and groups together."""

    logs: list[KnownLog] = field(default_factory=list)
    witnesses: dict[bytes, KnownWitness] = field(default_factory=dict)
    groups: dict[bytes, Group] = field(default_factory=dict)
    members: set[bytes] = field(default_factory=set)
    quorum: bytes | None = None

    def line(self, words: list[bytes]) -> None:
        """Take one line that is neither empty nor a comment. Raises ``BadPolicy``."""
        match words:
            case [b"log", key, *url] if len(url) <= 1:
                self._log(key, url)
            case [b"witness", name, key, *url] if len(url) <= 1:
                self._witness(name, key, url)
            case [b"group", name, threshold, *members] if members:
                self._group(name, threshold, members)
            case [b"quorum", name]:
                self._quorum(name)
            case _:
                raise BadPolicy(f"`{_shown(b' '.join(words))}` is no line of a policy")
        if max(len(self.logs), len(self.witnesses), len(self.groups)) > MOST_NAMES:
            raise BadPolicy(f"a policy has at most {MOST_NAMES} logs, witnesses and groups each")

    def _log(self, key: bytes, url: list[bytes]) -> None:
        known = KnownLog(_key(key, checkpoint.LOG_KEY), _url(url))
        if known.key.public_key in [one.key.public_key for one in self.logs]:
            raise BadPolicy("two logs have the same key")
        if known.key.name in [one.key.name for one in self.logs]:
            raise BadPolicy(f"two keys are given for the log `{known.key.name}`")
        self.logs.append(known)

    def _witness(self, name: bytes, key: bytes, url: list[bytes]) -> None:
        self._check_new(name)
        known = KnownWitness(name, _key(key, COSIGNER_KEY), _url(url))
        if known.key.public_key in [one.key.public_key for one in self.witnesses.values()]:
            raise BadPolicy("two witnesses have the same key: one could vote twice")
        self.witnesses[name] = known
        self._check_asked()

    def _check_asked(self) -> None:
        """Whoever has an address is asked for a line: kept under its key's name, and one note holds them all."""
        asked = [one.key for one in self.witnesses.values() if one.url]
        if len({key.name for key in asked}) < len(asked):
            raise BadPolicy(f"two witnesses with addresses have keys named `{asked[-1].name}`: which one answered?")
        if sum(cosignature.line_length(key) for key in asked) > ROOM:
            raise BadPolicy(f"the lines of all witnesses with addresses are longer than the {ROOM} octets of a note")

    def _group(self, name: bytes, threshold: bytes, members: list[bytes]) -> None:
        self._check_new(name)
        for member in members:
            self._check_known(member)
            if member in self.members:
                raise BadPolicy(f"`{_shown(member)}` is a member twice: it could vote twice")
            self.members.add(member)
        words = {b"any": 1, b"all": len(members)}
        count = words.get(threshold, int(threshold) if _NUMBER.fullmatch(threshold) else 0)
        if not 1 <= count <= len(members):
            raise BadPolicy(f"`{_shown(threshold)}` is no threshold for a group of {len(members)}")
        self.groups[name] = Group(count, tuple(members))

    def _quorum(self, name: bytes) -> None:
        if self.quorum is not None:
            raise BadPolicy("there is a second quorum")
        if name != NONE:
            self._check_known(name)
        self.quorum = name

    def _check_new(self, name: bytes) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise BadPolicy(f"the name `{_shown(name)}` is taken")

    def _check_known(self, name: bytes) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise BadPolicy(f"no line before names `{_shown(name)}`")


def parse_policy(content: bytes) -> TrustPolicy:
    """Read a policy. Raises ``BadPolicy`` with the line."""
    if len(content) > LARGEST_POLICY or not _OCTETS.fullmatch(content):
        raise BadPolicy(f"a policy is text without control characters, at most {LARGEST_POLICY} octets")
    reading = _Reading()
    for number, line in enumerate(content.split(b"\n"), 1):
        words = [word for word in re.split(rb"[ \t]+", line) if word]
        if not words or words[0].startswith(b"#"):
            continue
        try:
            reading.line(words)
        except BadPolicy as error:
            raise BadPolicy(f"line {number}: {error.detail}") from error
    if reading.quorum is None:
        raise BadPolicy("there is no quorum", hint="end the policy with `quorum NAME`, or `quorum none`")
    return TrustPolicy(tuple(reading.logs), reading.witnesses, reading.groups, reading.quorum)


def _key(text: bytes, kind: bytes) -> VerifierKey:
    try:
        return checkpoint.parse_verifier_key(text.decode(), kind)
    except UnicodeDecodeError as error:
        raise BadPolicy("a key's name is UTF-8") from error
    except BadCheckpoint as error:
        raise BadPolicy(error.detail) from error


def _url(words: list[bytes]) -> str:
    try:
        return words[0].decode() if words else ""
    except UnicodeDecodeError as error:
        raise BadPolicy("a URL is UTF-8") from error


def _shown(name: bytes) -> str:
    return name.decode(errors="backslashreplace")[:120]
