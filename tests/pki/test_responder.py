"""The responder before hostile questions: an OCSP answer to each, never an error of ours."""

import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from secrets import token_bytes

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as some
from sqlmodel import select

from pki import der, hierarchy, ocsp_message, reason, revocation, watch
from pki.errors import NotEstablished
from pki.feed import Feed
from pki.models import Authority
from pki.ocsp import issuer_hashes
from pki.ocsp_message import Status
from pki.tlv import Reader
from tests.clock import ManualClock
from tests.pki.conftest import SETTINGS, Pki
from tests.pki.test_der import CERTIFICATE, KEY
from tests.pki.test_status import issuing

KNOWN = {status.value for status in ocsp.OCSPResponseStatus}


def status(pki: Pki, question: bytes) -> ocsp.OCSPResponseStatus:
    return ocsp.load_der_ocsp_response(pki.responder.respond(question)).response_status


def question(pki: Pki, serial: int, algorithm: hashes.HashAlgorithm | None = None) -> bytes:
    algorithm = algorithm or hashes.SHA256()
    name, key = (b"n" * algorithm.digest_size, b"k" * algorithm.digest_size)
    if isinstance(algorithm, hashes.SHA256 | hashes.SHA1):
        name, key = issuer_hashes(issuing(pki), algorithm)
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name, key, serial, algorithm)
    return builder.build().public_bytes(Encoding.DER)


def test_every_changed_octet_gets_an_answer(sqlite_pki: Pki) -> None:
    good = question(sqlite_pki, 77)
    for place in range(len(good)):
        for value in {0, 0x7F, 0xFF, good[place] ^ 1} - {good[place]}:
            changed = good[:place] + bytes([value]) + good[place + 1 :]
            assert status(sqlite_pki, changed).value in KNOWN


@given(content=some.binary(max_size=200))
@settings(deadline=None, max_examples=100)
def test_noise_is_malformed(noisy: Pki, content: bytes) -> None:
    assert status(noisy, content) is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


@pytest.fixture(scope="module")
def noisy() -> Pki:
    """Noise is refused before anything is looked up: no store, no token is needed."""
    from pki.ocsp import OcspResponder

    pki = object.__new__(Pki)
    pki.responder = OcspResponder(database=None, keys=None, clock=ManualClock())  # type: ignore[arg-type]  # never reached
    return pki


def test_one_question_about_many_gets_one_answer_for_each(sqlite_pki: Pki) -> None:
    good, bad = sqlite_pki.issue(), sqlite_pki.issue(holder="sun-yue")
    with sqlite_pki.database.write() as session:
        revocation.revoke(session, bad.serial, reason="superseded", actor="x", at=sqlite_pki.clock.now())
    asked = [int(good.serial, 16), int(bad.serial, 16), 77]
    both = together([question(sqlite_pki, serial) for serial in asked])
    answer = ocsp.load_der_ocsp_response(sqlite_pki.responder.respond(both))
    said = [(one.serial_number, one.certificate_status.name) for one in answer.responses]
    assert said == list(zip(asked, ["GOOD", "REVOKED", "UNKNOWN"], strict=True))


@pytest.mark.parametrize(("count", "expected"), [(0, 1), (32, 0), (33, 1)])
def test_a_question_is_about_a_few(sqlite_pki: Pki, count: int, expected: int) -> None:
    asked = together([question(sqlite_pki, 77, hashes.SHA1())] * count)  # names an issuer
    assert len(asked) < 4096
    assert status(sqlite_pki, asked).value == expected


def together(questions: list[bytes]) -> bytes:
    """OCSPRequest { TBSRequest { requestList } }, each around the next."""
    requests = [Reader(one).inside(0x30).inside(0x30).take(0x30) for one in questions]
    inside = der.encode(der.SEQUENCE, *requests)
    return der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, inside))


def test_a_foreign_one_among_ours_is_unknown(sqlite_pki: Pki) -> None:
    foreign = ocsp.OCSPRequestBuilder().add_certificate_by_hash(b"x" * 32, b"y" * 32, 5, hashes.SHA256()).build()
    asked = together([question(sqlite_pki, int(sqlite_pki.issue().serial, 16)), foreign.public_bytes(Encoding.DER)])
    answer = ocsp.load_der_ocsp_response(sqlite_pki.responder.respond(asked))
    assert [one.certificate_status.name for one in answer.responses] == ["GOOD", "UNKNOWN"]


@pytest.mark.parametrize(("critical", "expected"), [(True, 6), (False, 0)])
def test_what_must_be_understood_and_is_not(sqlite_pki: Pki, critical: bool, expected: int) -> None:
    name, key = issuer_hashes(issuing(sqlite_pki), hashes.SHA256())
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name, key, 77, hashes.SHA256())
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    asked = builder.add_extension(strange, critical=critical).build().public_bytes(Encoding.DER)
    assert status(sqlite_pki, asked).value == expected


@given(
    serial=some.integers(1, 2**159),
    word=some.sampled_from(["good", "unknown", *sorted(reason.CODES), reason.HOLD]),
    nonce=some.none() | some.binary(min_size=1, max_size=128),
)
@settings(deadline=None, max_examples=60)
def test_an_answer_is_what_cryptography_would_have_made(serial: int, word: str, nonce: bytes | None) -> None:
    now = datetime(2026, 11, 20, 8, tzinfo=UTC)
    since, until = now - timedelta(days=3), now + timedelta(minutes=5)
    fixed = {"good": ocsp.OCSPCertStatus.GOOD, "unknown": ocsp.OCSPCertStatus.UNKNOWN}
    revoked = word not in fixed
    builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
        b"n" * 32, b"k" * 32, serial, hashes.SHA256(), fixed.get(word, ocsp.OCSPCertStatus.REVOKED), now, until,
        since if revoked else None, reason.flag(word) if revoked else None,
    )  # fmt: skip
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, CERTIFICATE).certificates([CERTIFICATE])
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    expected = builder.sign(KEY, hashes.SHA256())
    asked = ocsp.OCSPRequestBuilder().add_certificate_by_hash(b"n" * 32, b"k" * 32, serial, hashes.SHA256())
    if nonce is not None:
        asked = asked.add_extension(x509.OCSPNonce(nonce), critical=False)
    read = ocsp_message.parse(asked.build().public_bytes(Encoding.DER))
    assert (read.about[0].serial, read.nonce) == (serial, nonce)
    said = Status("revoked", since, reason.listed_code(word)) if revoked else Status(word)
    single = ocsp_message.single(read.about[0], said, now, until)
    who = issuer_hashes(CERTIFICATE, hashes.SHA1())[1]  # names a key
    data = ocsp_message.response_data(who, expected.produced_at_utc, [single], nonce)
    assert data == expected.tbs_response_bytes
    certificate = CERTIFICATE.public_bytes(Encoding.DER)
    assert ocsp_message.response(data, expected.signature, certificate) == expected.public_bytes(Encoding.DER)


def test_an_answer_is_signed_once_and_never_outlives_the_truth(pki: Pki) -> None:
    issued = pki.issue()
    asked = question(pki, int(issued.serial, 16))
    first = pki.responder.respond(asked)
    assert pki.responder.respond(asked) == first
    with pki.database.write() as session:
        at = pki.clock.now()
        revocation.hold(session, issued.serial, until=at + timedelta(days=1), message="", actor="x", at=at)
    held = ocsp.load_der_ocsp_response(pki.responder.respond(asked))
    assert (held.certificate_status.name, held.revocation_reason) == ("REVOKED", x509.ReasonFlags.certificate_hold)
    with pki.database.write() as session:
        revocation.release(session, issued.serial, actor="x", at=pki.clock.now())
    assert ocsp.load_der_ocsp_response(pki.responder.respond(asked)).certificate_status.name == "GOOD"


def test_the_feed_drops_what_is_not_true_any_more(pki: Pki) -> None:
    """Answers come without a look at the store; a change is seen whether its list is out or not."""
    seconds = [0.0]
    feed = Feed(database=pki.database, responder=pki.responder, clock=pki.clock, monotonic=lambda: seconds[0])
    pki.publisher.refresh()
    people = [pki.issue(), pki.issue(holder="sun-yue")]
    asked = [question(pki, int(one.serial, 16)) for one in people]
    assert feed.ready(asked[0]) is None
    feed.look()
    told = [pki.responder.answer(one) for one in asked]
    assert [feed.ready(one) for one in asked] == told
    for issued, question_ in zip(people, asked, strict=True):
        with pki.database.write() as session:
            revocation.revoke(session, issued.serial, reason="superseded", actor="x", at=pki.clock.now())
        if issued is people[0]:
            pki.publisher.refresh()
        seconds[0] += 0.1
        feed.look()
        assert feed.ready(question_) is None
    seconds[0] += 1
    pki.responder.answer(asked[0])
    assert feed.ready(asked[0]) is None, "nobody looked for a second"
    feed.look()
    assert feed.ready(asked[0]) is not None
    seconds[0] += 60
    feed.look()
    assert feed.ready(asked[0]) is None, "nobody looked for so long that a change may be gone"


def test_only_the_plain_form_of_a_question_is_kept(sqlite_pki: Pki) -> None:
    """Of one question anybody can think of any number of forms: a name, a signature, an extension, a second one."""
    pki = sqlite_pki
    plain = question(pki, int(pki.issue().serial, 16))
    asked = Reader(plain).inside(0x30).take(0x30)
    requests = Reader(asked).take(0x30)
    one = Reader(requests).take(0x30)
    other = der.encode(der.SEQUENCE, der.encode(0x06, b"\x2a\x03"), der.encode(der.OCTET_STRING, b"x"))
    listed = der.encode(der.SEQUENCE, other)
    whole = der.encode(der.SEQUENCE, asked)
    forms = [
        der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, der.encode(0xA1, b"any"), asked)),
        der.encode(der.SEQUENCE, whole, der.encode(0xA0, b"any")),
        der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, asked, der.encode(0xA2, listed))),
        der.encode(
            der.SEQUENCE,
            der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, one, der.encode(0xA0, listed)))),
        ),
        der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, requests, requests))),
    ]
    for form in forms:
        assert status(pki, form) == ocsp.OCSPResponseStatus.SUCCESSFUL
        assert pki.responder.answers.find(form, pki.clock.now()) is None
    pki.responder.respond(plain)
    assert pki.responder.answers.find(plain, pki.clock.now()) is not None


def test_the_feed_goes_on_whatever_it_is_told(sqlite_pki: Pki) -> None:
    """No responder, or a question that cannot be answered any more: the next look is made all the same."""
    pki = sqlite_pki
    asked = question(pki, int(pki.issue().serial, 16))
    feed = Feed(database=pki.database, responder=pki.responder, clock=pki.clock)
    feed.look()
    for _ in range(2):
        pki.responder.respond(asked)
    with pki.database.write() as session:
        session.delete(session.get_one(Authority, "ocsp"))
    pki.clock.advance(seconds=130)
    with pytest.raises(NotEstablished):
        pki.responder.renew([asked])
    stop = threading.Event()
    thread = threading.Thread(target=feed.run, args=(stop,))
    thread.start()
    time.sleep(0.5)
    alive = thread.is_alive()
    stop.set()
    thread.join()
    assert alive


def test_what_is_asked_often_is_signed_before_it_is_old(pki: Pki) -> None:
    often, once = (question(pki, int(pki.issue(holder=who).serial, 16)) for who in ("li-wen", "sun-yue"))
    for asked in (often, often, once):
        pki.responder.respond(asked)
    answers = pki.responder.answers
    pki.clock.advance(seconds=110)
    assert answers.ageing(pki.clock.now(), most=9) == []
    pki.clock.advance(seconds=20)
    assert answers.ageing(pki.clock.now(), most=9) == [often]
    pki.responder.renew([often])
    pki.clock.advance(seconds=30)
    assert answers.find(often, pki.clock.now()) is not None
    assert answers.find(once, pki.clock.now()) is None


def test_the_responder_gets_another_certificate_before_its_end(pki: Pki) -> None:
    again = partial(hierarchy.renew_responder, pki.database, pki.signer.client, pki.clock, token_bytes, SETTINGS)
    asked = question(pki, int(pki.issue().serial, 16))
    first = ocsp.load_der_ocsp_response(pki.responder.respond(asked)).certificates[0]
    assert again() is False
    pki.clock.advance(days=335, hours=1)
    with pki.database.read() as session:
        seen = {one.name: one.ok for one in watch.look(session, pki.clock.now())}
    assert again() is True
    assert again() is False
    second = ocsp.load_der_ocsp_response(pki.responder.respond(asked)).certificates[0]
    assert second.not_valid_after_utc > first.not_valid_after_utc
    assert second.public_key() == first.public_key()
    assert seen["OCSP responder"] is True
    pki.clock.advance(days=337)
    with pki.database.read() as session:
        assert {one.name for one in watch.look(session, pki.clock.now()) if not one.ok} >= {"OCSP responder"}
        names = [row.name for row in session.exec(select(Authority)).all()]
    assert len(names) == 6


@pytest.mark.parametrize("algorithm", [hashes.SHA384(), hashes.SHA512(), hashes.SHA224()])
def test_question_with_another_hash_is_not_ours(sqlite_pki: Pki, algorithm: hashes.HashAlgorithm) -> None:
    assert status(sqlite_pki, question(sqlite_pki, 77, algorithm)) is ocsp.OCSPResponseStatus.UNAUTHORIZED


@pytest.mark.parametrize("serial", [1, 2**159, 2**159 - 1])
def test_any_serial_that_nobody_has_is_unknown(sqlite_pki: Pki, serial: int) -> None:
    answer = ocsp.load_der_ocsp_response(sqlite_pki.responder.respond(question(sqlite_pki, serial)))
    assert answer.certificate_status is ocsp.OCSPCertStatus.UNKNOWN
    assert answer.serial_number == serial
