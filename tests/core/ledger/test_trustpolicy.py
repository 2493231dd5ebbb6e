"""Trust policies: the example of the standard, every rule of it, and hostile ones."""

from datetime import UTC, datetime
from itertools import chain, combinations

import pytest

from core.ledger import checkpoint, cosignature, trustpolicy
from core.ledger.checkpoint import COSIGNER_KEY, Checkpoint
from core.ledger.errors import BadCheckpointSignature, BadPolicy, QuorumMissed
from tests.core.ledger.keys import MemoryCheckpointSigner

AT = datetime(2026, 11, 20, 8, tzinfo=UTC)
ORIGIN = "evidence.beichen.example/sample"
LOG = MemoryCheckpointSigner()
LOG_KEY = str(checkpoint.verifier_key(ORIGIN, LOG))
NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3")
SIGNERS = {name: MemoryCheckpointSigner(name.encode()) for name in NAMES}
KEYS = {name: checkpoint.verifier_key(f"{name.lower()}.example", SIGNERS[name], COSIGNER_KEY) for name in NAMES}
NOTE = checkpoint.sign_checkpoint(Checkpoint(ORIGIN, 7, bytes(32)), LOG)

EXAMPLE = f"""\
# The example of C2SP tlog-policy, with keys.
log {LOG_KEY} https://trust.example

witness X1 {KEYS["X1"]} https://x1.example/witness
witness X2 {KEYS["X2"]}
  witness\tX3 {KEYS["X3"]}\t
group X-witnesses 2 X1 X2 X3

witness Y1 {KEYS["Y1"]}
witness Y2 {KEYS["Y2"]}
witness Y3 {KEYS["Y3"]}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def cosigned(*names: str) -> bytes:
    lines = [cosignature.cosign(NOTE, name=KEYS[name].name, signer=SIGNERS[name], at=AT) for name in names]
    return NOTE + b"".join(lines)


def test_the_example_of_the_standard_for_every_set_of_witnesses() -> None:
    policy = trustpolicy.parse_policy(EXAMPLE.encode())
    assert [log.url for log in policy.logs] == ["https://trust.example"]
    assert policy.witnesses[b"X1"].url == "https://x1.example/witness"
    assert policy.witnesses[b"X3"].url == ""
    for names in chain.from_iterable(combinations(NAMES, count) for count in range(7)):
        enough = sum(name[0] == "X" for name in names) >= 2 and any(name[0] == "Y" for name in names)
        assert policy.is_quorum(name.encode() for name in names) is enough, names


def test_a_note_is_believed_with_a_quorum_and_not_without() -> None:
    policy = trustpolicy.parse_policy(EXAMPLE.encode())
    assert policy.verify(cosigned("X1", "X3", "Y2")) == [b"X1", b"X3", b"Y2"]
    for few in ((), ("X1", "X2"), ("X1", "Y1"), ("Y1", "Y2", "Y3")):
        with pytest.raises(QuorumMissed, match="no quorum `X-and-Y`"):
            policy.verify(cosigned(*few))
    # The same witness twice is one.
    with pytest.raises(QuorumMissed):
        policy.verify(cosigned("X1", "X1", "Y1"))


def test_an_unknown_log_is_not_believed() -> None:
    policy = trustpolicy.parse_policy(b"quorum none\n")
    with pytest.raises(BadCheckpointSignature, match="does not know"):
        policy.verify(NOTE)
    other = checkpoint.verifier_key(ORIGIN, MemoryCheckpointSigner(b"another"))
    with pytest.raises(BadCheckpointSignature):
        trustpolicy.parse_policy(f"log {other}\nquorum none".encode()).verify(NOTE)
    assert trustpolicy.parse_policy(f"log {LOG_KEY}\nquorum none".encode()).verify(NOTE) == []


def test_a_single_witness_may_be_the_quorum_and_names_are_octets() -> None:
    policy = trustpolicy.parse_policy(f"log {LOG_KEY}\nwitness 见证 {KEYS['X1']}\nquorum 见证\n".encode())
    assert policy.verify(cosigned("X1")) == ["见证".encode()]
    opaque = trustpolicy.parse_policy(
        b"witness \xe2\x84\xaa\xff " + str(KEYS["X1"]).encode() + b"\nquorum \xe2\x84\xaa\xff"
    )
    assert opaque.is_quorum([b"\xe2\x84\xaa\xff"])
    assert not opaque.is_quorum([b"K"])


X1, X2 = f"witness X1 {KEYS['X1']}\n", f"witness X2 {KEYS['X2']}\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no quorum"),
        (f"log {LOG_KEY}\n", "no quorum"),
        ("quorum none\nquorum none\n", "line 2: there is a second"),
        ("quorum X1\n", "no line before names `X1`"),
        (f"quorum X1\n{X1}", "no line before"),
        (f"group G any X1\n{X1}quorum G", "line 1: no line before"),
        (f"{X1}{X1}quorum X1", "is taken"),
        (f"{X1}witness X2 {KEYS['X1']}\nquorum X1", "same key"),
        (f"{X1}witness X2 {checkpoint.verifier_key('z.example', SIGNERS['X1'], COSIGNER_KEY)}\nquorum X1", "same key"),
        (f"log {LOG_KEY}\nlog {LOG_KEY}\nquorum none", "same key"),
        (f"witness none {KEYS['X1']}\nquorum none", "is taken"),
        (f"{X1}group none any X1\nquorum none", "is taken"),
        (f"{X1}group G any none\nquorum G", "no line before"),
        (f"{X1}group X1 any X1\nquorum X1", "is taken"),
        (f"{X1}group G any G\nquorum G", "no line before"),
        (f"{X1}group G any X1 X1\nquorum G", "twice"),
        (f"{X1}{X2}group G any X1\ngroup H all X1 X2\nquorum H", "twice"),
        (f"{X1}group G 0 X1\nquorum G", "threshold"),
        (f"{X1}group G 2 X1\nquorum G", "threshold"),
        (f"{X1}group G 01 X1\nquorum G", "threshold"),
        (f"{X1}group G -1 X1\nquorum G", "threshold"),
        (f"{X1}group G 99999999999 X1\nquorum G", "threshold"),
        (f"{X1}group G all\nquorum X1", "no line of a policy"),
        ("witness X1\nquorum none", "no line of a policy"),
        (f"log {LOG_KEY} a b\nquorum none", "no line of a policy"),
        ("trust everybody\nquorum none", "no line of a policy"),
        (f"log {KEYS['X1']}\nquorum none", "log's"),
        (f"witness X1 {LOG_KEY}\nquorum none", "witness's"),
        ("log nothing\nquorum none", "not a verifier key"),
        ("quorum none\r\n", "control characters"),
        ("quorum none\0", "control characters"),
        ("#" * 300_000, "octets"),
    ],
)
def test_what_is_no_policy_is_refused_with_its_line(text: str, why: str) -> None:
    with pytest.raises(BadPolicy, match=why):
        trustpolicy.parse_policy(text.encode())


def test_large_policies_are_read_and_endless_ones_refused() -> None:
    def of(count: int) -> bytes:
        keys = [
            checkpoint.VerifierKey(f"w{number}.example", number.to_bytes(32, "big"), COSIGNER_KEY)
            for number in range(count)
        ]
        lines = [f"witness w{number} {key}" for number, key in enumerate(keys)]
        lines += [f"group g{number} any w{number}" for number in range(count)]
        lines += [f"group top all {' '.join(f'g{number}' for number in range(count))}", "quorum top"]
        return "\n".join(lines).encode()

    policy = trustpolicy.parse_policy(of(64))
    assert policy.is_quorum(policy.witnesses)
    assert not policy.is_quorum(list(policy.witnesses)[1:])
    with pytest.raises(BadPolicy, match="at most"):
        trustpolicy.parse_policy(of(300))


def asked(count: int, name: str = "w{}.example", url: str = " https://w.example") -> bytes:
    keys = [
        checkpoint.VerifierKey(name.format(number), number.to_bytes(32, "big"), COSIGNER_KEY) for number in range(count)
    ]
    return "\n".join([*(f"witness w{number} {key}{url}" for number, key in enumerate(keys)), "quorum none"]).encode()


def test_witnesses_that_are_asked_have_names_of_their_own() -> None:
    with pytest.raises(BadPolicy, match=r"line 2: two witnesses with addresses have keys named `one.example`"):
        trustpolicy.parse_policy(asked(2, "one.example"))
    # Whoever is only believed, and not asked, may be called like another.
    assert len(trustpolicy.parse_policy(asked(2, "one.example", url="")).witnesses) == 2


def test_no_more_are_asked_than_a_note_has_room_for() -> None:
    longest = "证" * 196 + "{:04}"
    for name in ("w{}.example", longest):
        most = next(count for count in range(1, 200) if refused(asked(count + 1, name)))
        parsed = trustpolicy.parse_policy(asked(most, name))
        lines = [checkpoint.signature_line(one.key, bytes(72)) for one in parsed.witnesses.values()]
        log = MemoryCheckpointSigner()
        note = checkpoint.sign_checkpoint(Checkpoint("\U00020000" * 200, 2**53 - 1, bytes(32)), log)
        checkpoint.split_note(note + b"".join(lines))
        assert most >= (20 if name == longest else 64)
    assert len(trustpolicy.parse_policy(asked(200, longest, url="")).witnesses) == 200


def refused(text: bytes) -> bool:
    try:
        trustpolicy.parse_policy(text)
    except BadPolicy as error:
        return "longer than" in error.detail
    return False
