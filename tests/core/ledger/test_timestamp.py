"""Time-stamp tokens by a foreign authority (`openssl ts`), accepted by two verifiers; every flawed one is refused."""

import hashlib
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms, tsp
from asn1crypto import x509 as asn1x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import select
from starlette.responses import Response

from core.clock import SystemClock
from core.errors import Malformed, Unavailable
from core.ledger import published, timestamp, timestamping
from core.ledger.errors import BadTimestamp, StorageFailed, WitnessFailed
from core.ledger.models import TimestampToken
from core.ledger.storage import Writer
from core.ledger.timestamping import Timestamping
from deploy.outward import HttpPoster
from tests.core.ledger.logs import Log
from tests.core.ledger.test_witnessing import Hostile, grow
from tests.failing import FailingDatabase, FailingWriter, Failure
from tests.services.http import serving
from tests.services.tsa import STAMPING, Authority, is_accepted

NOTE = b"evidence.beichen.example/sample\n7\nroot\n\nsignature\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa"))


def stamping(log: Log, urls: list[str], roots: list[x509.Certificate], **other: object) -> Timestamping:
    database, writer = other.get("database", log.database), other.get("writer")
    assert isinstance(database, type(log.database))
    assert writer is None or isinstance(writer, FailingWriter)
    handed: Writer | None = writer
    return Timestamping(
        database=database,
        clock=SystemClock(),
        directory=log.directory,
        mirror=log.mirror,
        urls=urls,
        roots=roots,
        every=timedelta(minutes=60),
        poster=HttpPoster(),
        writer=handed,
    )


def test_a_token_is_kept_shown_and_accepted_by_openssl(log: Log, authority: Authority) -> None:
    with serving(authority) as url:
        ours = stamping(log, [url], [authority.root])
        ours.run()
        assert not (log.directory / "ts").exists()
        size = grow(log)
        ours.run()
        grow(log)
        ours.run()
        assert list(published.tokens(log.directory)) == [size], "one an hour is enough"
        ours.run(force=True)
    assert list(published.tokens(log.directory)) == list(published.tokens(log.mirror)) == [size, size + 3]
    for folder in (log.directory, log.mirror):
        token, note = folder / f"ts/{size}.tsr", folder / f"checkpoints/{size}"
        assert is_accepted(token, note, authority.root_file)
        assert not is_accepted(token, folder / f"checkpoints/{size + 3}", authority.root_file)
    made = timestamp.verify_answer(
        published.tokens(log.directory)[size],
        note=published.signed(log.directory, size),
        roots=[authority.root],
        nonce=None,
    )
    assert abs(made.at - datetime.now(UTC)) < timedelta(minutes=1)
    with log.database.read() as session:
        rows = timestamping.tokens(session)
    assert [(row.size, row.authority) for row in rows] == [(size + 3, url), (size, url)]
    assert log.check() == 6


def answer_of(authority: Authority, note: bytes = NOTE) -> tuple[bytes, int]:
    question = timestamp.ask(note)
    assert question.nonce is not None
    return authority.reply(question.as_bytes()), question.nonce


def refused(content: bytes, roots: list[x509.Certificate], nonce: int | None, note: bytes = NOTE) -> str:
    with pytest.raises(BadTimestamp) as found:
        timestamp.verify_answer(content, note=note, roots=roots, nonce=nonce)
    return found.value.detail


def test_imprint_nonce_root_and_size_are_demanded(authority: Authority, tmp_path: Path) -> None:
    content, nonce = answer_of(authority)
    timestamp.verify_answer(content, note=NOTE, roots=[authority.root], nonce=nonce)
    assert "Mismatch" in refused(content, [authority.root], nonce, NOTE + b" ")
    assert "nonce" in refused(content, [authority.root], nonce + 1)
    stranger = Authority(tmp_path / "stranger")
    assert "certificates" in refused(content, [stranger.root], nonce)
    assert "no root" in refused(content, [], nonce)
    assert "larger" in refused(content + bytes(70_000), [authority.root], nonce)
    assert "certificates" in refused(content, [authority.certificate, stranger.root][1:], nonce)


def test_a_token_without_our_nonce_is_refused(authority: Authority) -> None:
    query = authority.folder / "bare.tsq"
    (authority.folder / "note").write_bytes(NOTE)
    command = ["openssl", "ts", "-query", "-data", "note", "-sha256", "-no_nonce", "-cert", "-out", str(query)]
    subprocess.run(command, cwd=authority.folder, check=True, capture_output=True)
    content = authority.reply(query.read_bytes())
    timestamp.verify_answer(content, note=NOTE, roots=[authority.root], nonce=None)
    assert "nonce" in refused(content, [authority.root], 12345)


def test_another_hash_is_refused(authority: Authority) -> None:
    (authority.folder / "note").write_bytes(NOTE)
    command = ["openssl", "ts", "-query", "-data", "note", "-sha512", "-cert", "-out", "other.tsq"]
    subprocess.run(command, cwd=authority.folder, check=True, capture_output=True)
    content = authority.reply((authority.folder / "other.tsq").read_bytes())
    assert "SHA-256" in refused(content, [authority.root], None)


def test_an_expired_authority_is_refused(tmp_path: Path) -> None:
    expired = Authority(tmp_path / "expired", valid_until=datetime.now(UTC) - timedelta(days=1))
    content, nonce = answer_of(expired)
    assert "certificates" in refused(content, [expired.root], nonce)


def test_chains_are_valid_at_the_time_of_the_token_not_now(tmp_path: Path) -> None:
    """A token outlives the certificate that made it: that is what it is for."""
    short = Authority(tmp_path / "short", valid_until=datetime.now(UTC) + timedelta(seconds=3))
    content, nonce = answer_of(short)
    while datetime.now(UTC) <= short.certificate.not_valid_after_utc:
        pass
    timestamp.verify_answer(content, note=NOTE, roots=[short.root], nonce=nonce)


@pytest.mark.parametrize(
    ("usages", "critical"),
    [
        ((), True),
        ((ExtendedKeyUsageOID.SERVER_AUTH,), True),
        ((ExtendedKeyUsageOID.TIME_STAMPING,), False),
    ],
)
def test_a_certificate_for_anything_else_stamps_nothing(
    authority: Authority, usages: tuple[x509.ObjectIdentifier, ...], critical: bool
) -> None:
    """`openssl ts` refuses to sign so; a token of its own is given the same key's certificate for something else."""
    content, nonce = answer_of(authority)
    # With a certificate that differs only in its date the same surgery is accepted.
    timestamp.verify_answer(moved(authority, content), note=NOTE, roots=[authority.root], nonce=nonce)
    assert "certificate" in refused(moved(authority, content, usages, critical), [authority.root], nonce)


def test_a_token_without_any_certificate_is_refused(authority: Authority) -> None:
    content, nonce = answer_of(authority)
    answer = tsp.TimeStampResp.load(content)
    answer["time_stamp_token"]["content"]["certificates"] = cms.CertificateSet([])
    assert refused(answer.dump(force=True), [authority.root], nonce)


def moved(
    authority: Authority,
    content: bytes,
    usages: Sequence[x509.ObjectIdentifier] = STAMPING,
    critical: bool = True,
) -> bytes:
    """Put another certificate of the same key, issuer and serial number into an answer."""
    answer = tsp.TimeStampResp.load(content)
    twin = authority.certified(usages, critical=critical).public_bytes(Encoding.DER)
    choice = cms.CertificateChoices("certificate", asn1x509.Certificate.load(twin))
    answer["time_stamp_token"]["content"]["certificates"] = cms.CertificateSet([choice])
    return bytes(answer.dump(force=True))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_changed_answers_are_refused(authority: Authority, data: st.DataObject) -> None:
    content, nonce = _GOOD.setdefault("one", answer_of(authority)) if "one" not in _GOOD else _GOOD["one"]
    place = data.draw(st.integers(0, len(content) - 1))
    bent = bytearray(content)
    bent[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(content)))
    for wrong in (bytes(bent), content[:cut], content[cut:], b"\x30\x84\xff\xff\xff\xff" + content):
        try:
            made = timestamp.verify_answer(wrong, note=NOTE, roots=[authority.root], nonce=nonce)
        except BadTimestamp:
            continue
        # What is not under the signature may differ; time and serial number are, and came through.
        assert made == timestamp.verify_answer(content, note=NOTE, roots=[authority.root], nonce=nonce)


_GOOD: dict[str, tuple[bytes, int]] = {}


@pytest.mark.parametrize("content", [b"", b"\x30\x00", b"\x30\x05\x30\x03\x02\x01\x02", b"<html>", bytes(65_536)])
def test_garbage_is_refused(authority: Authority, content: bytes) -> None:
    assert refused(content, [authority.root], 1)


@contextmanager
def answering(reply: Callable[[bytes], Response]) -> Iterator[str]:
    with serving(Hostile(reply)) as url:
        yield url


KIND = "application/timestamp-reply"


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (lambda _: Response(b"", media_type=KIND), "does not verify"),
        (lambda _: Response(b"x" * 100_000, media_type=KIND), "larger than"),
        (lambda _: Response(b"hello"), "no token"),
        (lambda _: Response(b"no", 503, media_type=KIND), "503"),
    ],
)
def test_whatever_an_authority_answers(
    sqlite_log: Log, authority: Authority, reply: Callable[[bytes], Response], why: str
) -> None:
    size = grow(sqlite_log)
    with answering(reply) as bad, serving(authority) as good:
        with pytest.raises(WitnessFailed, match=why):
            stamping(sqlite_log, [bad, "http://127.0.0.1:9/"], [authority.root]).run()
        assert not (sqlite_log.directory / "ts").exists()
        stamping(sqlite_log, [bad, good], [authority.root]).run()
    assert list(published.tokens(sqlite_log.directory)) == [size]


def test_an_old_answer_played_again_is_refused(sqlite_log: Log, authority: Authority) -> None:
    grow(sqlite_log)
    note = published.newest(sqlite_log.directory)
    old = answer_of(authority, note)[0]
    with answering(lambda _: Response(old, media_type=KIND)) as url, pytest.raises(WitnessFailed, match="nonce"):
        stamping(sqlite_log, [url], [authority.root]).run()


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("how", list(Failure))
def test_store_and_disk_that_fail_lose_nothing(
    log: Log, store_url: str, authority: Authority, how: Failure, nth: int
) -> None:
    size = grow(log)
    database = FailingDatabase(store_url)
    with serving(authority) as url:
        database.arm(nth, how)
        with pytest.raises(Unavailable):
            stamping(log, [url], [authority.root], database=database).run()
        with pytest.raises(StorageFailed):
            stamping(log, [url], [authority.root], writer=FailingWriter(nth, how)).run(force=True)
            # Shown already when the first failure was that of the last step.
            raise StorageFailed("nothing was left to write")
        stamping(log, [url], [authority.root]).run()
    assert published.tokens(log.directory) == published.tokens(log.mirror)
    assert list(published.tokens(log.directory)) == [size]
    with log.database.read() as session:
        assert [row.shown_at is not None for row in session.exec(select(TimestampToken))] == [True]
    database.close()


def test_roots_are_certificates(authority: Authority) -> None:
    assert timestamp.read_roots(authority.root_file.read_bytes()) == [authority.root]
    for wrong in (b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(Malformed):
            timestamp.read_roots(wrong)


def test_the_question_is_over_the_exact_octets() -> None:
    question = timestamp.ask(NOTE)
    assert question.message_imprint.message == hashlib.sha256(NOTE).digest()
    assert question.nonce
    assert question.cert_req
