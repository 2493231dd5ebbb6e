"""Messages read and written: what was written is read again as it was, and nothing else is taken for a message."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as some

from core.errors import Conflict, Forbidden, Malformed, NotFound, Rejected, TrustError, Unauthenticated, Unavailable
from pki import cms, crmf, der, form
from pki.cmp import answer, body, failure, mac, message
from pki.cmp.answer import Frame
from pki.cmp.errors import BadAlgorithm, NoMessage
from pki.cmp.failure import Failure
from pki.cmp.message import Kind
from pki.est import message as est
from tests.fuzz import devices
from tests.pki.device import messages
from tests.pki.device.messages import Client

AT = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
KEY = ec.derive_private_key(7, ec.SECP256R1())

octets = some.binary(min_size=16, max_size=64)


@given(octets, octets, octets, some.integers(-1, 2**31 - 1), some.sampled_from(Failure), some.text(max_size=50))
def test_an_answer_is_read_as_it_was_written(
    transaction: bytes, nonce: bytes, ours: bytes, request: int, said: Failure, text: str
) -> None:
    asked = message.parse_header(Client(transaction=transaction, nonce=nonce).message(Kind.GENM, b"\x30\x00"))
    frame = Frame(messages.name("authority"), der.ECDSA_WITH_SHA256, b"kid", ours, AT, [(b"\x2a\x03", b"\x05\x00")])
    status = answer.status(answer.REJECTION, text, said)
    for content in (answer.issued(Kind.IP, request, status, b""), answer.refused(status)):
        found = message.parse(answer.message(answer.protected(asked, frame, content), b"proof", [b"\x30\x00"]))
        assert (found.header.transaction, found.header.nonce, found.header.answers) == (transaction, ours, nonce)
        assert (found.header.time, found.header.key, found.protection) == (AT, b"kid", b"\0proof")
        assert found.header.info == ((b"\x2a\x03", b"\x05\x00"),)
        told = messages.refusal(found) if found.kind == Kind.ERROR else messages.response(found)[0]
        assert (told.code, told.text, told.failure) == (2, text, said)


@settings(deadline=None)
@given(some.binary(max_size=300), some.integers(0, 5), some.integers(0, 400), some.integers(0, 255))
def test_nothing_but_trust_errors_comes_of_octets(content: bytes, which: int, place: int, octet: int) -> None:
    devices.exchange(content)
    devices.request(content)
    devices.enrolment(content)
    made = bytearray(devices.made()[which])
    made[place % len(made)] = octet
    devices.exchange(bytes(made))


@given(some.lists(some.integers(0x30, 0x31), max_size=2000))
def test_depth_costs_nothing(tags: list[int]) -> None:
    content = b""
    for tag in tags[:200]:
        content = der.encode(tag, content)
    with pytest.raises(NoMessage):
        message.parse_header(content)


def test_what_is_too_much() -> None:
    with pytest.raises(NoMessage, match="at most"):
        message.parse_header(bytes(message.LARGEST + 1))
    client = Client()
    client.info = der.encode(0x30, der.object_identifier("1.2.3")) * 33
    with pytest.raises(NoMessage):
        message.parse_header(client.message(Kind.GENM, b"\x30\x00"))
    with pytest.raises(NoMessage, match="identifier or nonce"):
        message.parse_header(Client(nonce=bytes(129)).message(Kind.GENM, b"\x30\x00"))
    whole = Client(certificate=b"").message(Kind.GENM, b"\x30\x00")
    many = der.encode(0xA1, der.encode(0x30, b"\x30\x00" * 21))
    ((_, inside),) = der.elements(whole)
    with pytest.raises(TrustError, match="more than"):
        message.parse(der.encode(0x30, inside, many))


def test_authentication_codes_are_those_of_the_standards() -> None:
    for pbmac1 in (False, True):
        client = Client(secret=("id", "value"), pbmac1=pbmac1, iterations=3)
        found = mac.parse(client.algorithm())
        assert found.compute("value", b"content") == client.protection(b"content")
        assert found.encoded == client.algorithm()
        other = found.salted(b"another salt")
        assert mac.parse(other.encoded).compute("value", b"content") == other.compute("value", b"content")
        assert other.compute("value", b"content") != found.compute("value", b"content")
    plain = hmac.digest(hashlib.sha256(b"value" + b"salt of sixteen.").digest(), b"content", "sha1")
    assert mac.parse(Client(secret=("id", "value"), iterations=1).algorithm()).compute("value", b"content") == plain


@pytest.mark.parametrize("iterations", [0, 100_001, 2**40])
@pytest.mark.parametrize("pbmac1", [False, True])
def test_work_that_a_stranger_asks_for_is_bounded(iterations: int, pbmac1: bool) -> None:
    with pytest.raises(BadAlgorithm, match="iterations"):
        mac.parse(Client(secret=("id", "value"), iterations=iterations, pbmac1=pbmac1).algorithm())


def test_a_request_message_keeps_its_armour() -> None:
    whole = devices.proved()[0]
    read = crmf.parse_message(whole)
    assert form.normalise(b"\n  " + read.armoured + b"\n\n") == read.armoured
    assert form.read(read.armoured).hosts == ("a.fin.example",)
    old = body.certificate_request(messages.certificate_request(KEY, old=(messages.name("authority"), 7))).old
    assert old == crmf.OldCertificate(messages.name("authority"), 7)
    for broken in (read.armoured[:-60], read.armoured.replace(b"\nMI", b"\n!!"), crmf._BEGIN):
        with pytest.raises(Malformed):
            form.read(broken)


def test_every_kind_of_error_has_a_word() -> None:
    kinds = (Malformed, Unauthenticated, Forbidden, NotFound, Conflict, Rejected, Unavailable, TrustError)
    words = [failure.of(kind("x")) for kind in kinds]
    assert words[-2:] == [Failure.SYSTEM_UNAVAIL, Failure.SYSTEM_FAILURE]
    assert failure.text(TrustError("what", hint="how")) == "what (how)"


def test_certificates_alone() -> None:
    """RFC 5652: a SET OF is in the order of its octets."""
    assert cms.certificates_only([b"\x30\x01\x02", b"\x30\x01\x01"]).count(b"\x30\x01\x01\x30\x01\x02") == 1


@given(some.text(alphabet=some.characters(exclude_characters=":", max_codepoint=0x2FFF)), some.text(max_size=40))
def test_name_and_password(name: str, password: str) -> None:
    said = base64.b64encode(f"{name}:{password}".encode("utf-8", "ignore")).decode()
    clean = tuple(one.encode("utf-8", "ignore").decode() for one in (name, password))
    assert est.parse_basic(f"Basic {said}") == clean
    assert est.parse_basic(said) is None
