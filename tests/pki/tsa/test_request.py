"""Requests before any authority: each flaw gets the failure that the protocol has for it, and nothing else."""

import pytest
from asn1crypto import tsp
from hypothesis import example, given, settings
from hypothesis import strategies as some

from pki import der
from pki.tsa import request, response
from pki.tsa.errors import Failure, StampRefused
from pki.tsa.request import LARGEST, LONGEST_NONCE, parse_request
from tests.pki.tsa.conftest import answer, failure, question

GOOD = question(nonce=2**63 + 1, req_policy="2.999.3161.1", cert_req=True)
SHA256 = bytes.fromhex("0609608648016503040201")
VERSION = der.integer(1)


def imprint(
    oid: bytes = SHA256,
    parameters: bytes = b"",
    hashed: bytes = der.encode(der.OCTET_STRING, bytes(32)),
    end: bytes = b"",
) -> bytes:
    return der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, oid, parameters), hashed, end)


def asked(*parts: bytes) -> bytes:
    return der.encode(der.SEQUENCE, *parts)


def refused(content: bytes) -> Failure:
    with pytest.raises(StampRefused) as caught:
        parse_request(content)
    return caught.value.failure


def test_a_good_request_is_read_as_another_implementation_reads_it() -> None:
    query = parse_request(GOOD)
    other = tsp.TimeStampReq.load(GOOD, strict=True)
    assert query.imprint == other["message_imprint"].dump()
    assert (query.policy, query.nonce) == (other["req_policy"].dump(), other["nonce"].dump())
    assert (query.algorithm, query.hashed, query.certificates) == ("sha256", bytes(32), True)


def test_what_may_be_left_out() -> None:
    query = parse_request(asked(VERSION, imprint()))
    assert (query.policy, query.nonce, query.certificates) == (None, None, False)
    assert parse_request(asked(VERSION, imprint(), b"\x01\x01\x00")).certificates is False


@pytest.mark.parametrize(("name", "octets"), [("sha256", 32), ("sha384", 48), ("sha512", 64)])
def test_the_three_hashes(name: str, octets: int) -> None:
    assert parse_request(question(b"h" * octets, name)).algorithm == name
    assert refused(question(b"h" * (octets - 1), name)) is Failure.BAD_DATA_FORMAT


@pytest.mark.parametrize(("name", "octets"), [("md5", 16), ("sha1", 20), ("sha224", 28), ("sha512_256", 32)])
def test_other_hashes_are_not_stamped(name: str, octets: int) -> None:
    assert refused(question(b"h" * octets, name)) is Failure.BAD_ALG


@pytest.mark.parametrize(
    "number", [0, 1, -1, 127, 128, -128, 2**64, 2**159, -(2**100), 2 ** (8 * LONGEST_NONCE - 1) - 1]
)
def test_a_nonce_is_kept_as_it_came(number: int) -> None:
    nonce = parse_request(question(nonce=number)).nonce
    assert nonce is not None
    assert int.from_bytes(nonce[2:], "big", signed=True) == number


EXTENSION = {"extn_id": "2.999.1", "critical": False, "extn_value": b"\x05\x00"}


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", Failure.BAD_DATA_FORMAT),
        (b"\x30", Failure.BAD_DATA_FORMAT),
        (b"\x30\x80\x00\x00", Failure.BAD_DATA_FORMAT),
        (b"\x30\x84\xff\xff\xff\xff", Failure.BAD_DATA_FORMAT),
        (b"\x30\x89" + bytes(9), Failure.BAD_DATA_FORMAT),
        (b"\x30\x81\x7f" + bytes(127), Failure.BAD_DATA_FORMAT),
        (b"\x30\x82\x00\x80" + bytes(128), Failure.BAD_DATA_FORMAT),
        (b"<html>no</html>", Failure.BAD_DATA_FORMAT),
        (GOOD + b"\x00", Failure.BAD_DATA_FORMAT),
        (GOOD[:-1], Failure.BAD_DATA_FORMAT),
        (GOOD + GOOD, Failure.BAD_DATA_FORMAT),
        (der.encode(0x31, GOOD[2:]), Failure.BAD_DATA_FORMAT),
        (asked(), Failure.BAD_DATA_FORMAT),
        (asked(imprint()), Failure.BAD_DATA_FORMAT),
        (asked(VERSION), Failure.BAD_DATA_FORMAT),
        (asked(VERSION, imprint(), imprint()), Failure.BAD_DATA_FORMAT),
        (asked(b"\x02\x01\x02", imprint()), Failure.BAD_REQUEST),
        (asked(b"\x02\x01\x00", imprint()), Failure.BAD_REQUEST),
        (asked(b"\x02\x00", imprint()), Failure.BAD_DATA_FORMAT),
        (asked(b"\x02\x02\x00\x01", imprint()), Failure.BAD_DATA_FORMAT),
        (asked(VERSION, imprint(b"\x06\x03\x80\x01\x01")), Failure.BAD_DATA_FORMAT),
        (asked(VERSION, imprint(b"\x06\x02\x2a\x80")), Failure.BAD_DATA_FORMAT),
        (asked(VERSION, imprint(b"\x06\x00")), Failure.BAD_DATA_FORMAT),
        (asked(VERSION, imprint(b"\x06\x03\x2a\x03\x04")), Failure.BAD_ALG),
        (asked(VERSION, imprint(parameters=b"\x05\x01\x00")), Failure.BAD_ALG),
        (asked(VERSION, imprint(parameters=b"\x04\x00")), Failure.BAD_ALG),
        (asked(VERSION, imprint(end=b"\x05\x00")), Failure.BAD_DATA_FORMAT),
        (asked(VERSION, imprint(hashed=b"\x24\x00")), Failure.BAD_DATA_FORMAT),
        (asked(VERSION, imprint(hashed=b"")), Failure.BAD_DATA_FORMAT),
        (asked(VERSION, imprint(), b"\x01\x01\x01"), Failure.BAD_DATA_FORMAT),
        (asked(VERSION, imprint(), b"\x01\x02\xff\xff"), Failure.BAD_DATA_FORMAT),
        (asked(VERSION, imprint(), b"\x01\x01\xff", b"\x02\x01\x05"), Failure.BAD_DATA_FORMAT),
        (asked(VERSION, imprint(), b"\x06\x02\x80\x01"), Failure.BAD_DATA_FORMAT),
        (asked(VERSION, imprint(), b"\x02\x02\xff\xff"), Failure.BAD_DATA_FORMAT),
        (asked(VERSION, imprint(), der.integer(2 ** (8 * LONGEST_NONCE))), Failure.BAD_REQUEST),
        (asked(VERSION, imprint(), der.integer(2**20_000)), Failure.BAD_REQUEST),
        (asked(VERSION, imprint(), der.integer(2**40_000)), Failure.BAD_REQUEST),
        (b"\x30" * (LARGEST + 1), Failure.BAD_REQUEST),
        (question(extensions=[EXTENSION]), Failure.UNACCEPTED_EXTENSION),
        (question(extensions=[{**EXTENSION, "critical": True}]), Failure.UNACCEPTED_EXTENSION),
        (asked(VERSION, imprint(), b"\xa0\x00"), Failure.UNACCEPTED_EXTENSION),
    ],
)
def test_each_flaw_has_its_failure(content: bytes, word: Failure) -> None:
    assert refused(content) is word


def test_null_parameters_are_repeated_as_they_came() -> None:
    query = parse_request(asked(VERSION, imprint(parameters=b"\x05\x00")))
    assert query.imprint == imprint(parameters=b"\x05\x00")


@settings(max_examples=400, deadline=None)
@given(data=some.data())
def test_whatever_is_accepted_another_implementation_reads_as_well(data: some.DataObject) -> None:
    content = bytearray(GOOD)
    for _ in range(data.draw(some.integers(1, 3))):
        content[data.draw(some.integers(0, len(content) - 1))] = data.draw(some.integers(0, 255))
    try:
        query = parse_request(bytes(content))
    except StampRefused:
        return
    other = tsp.TimeStampReq.load(bytes(content), strict=True)
    assert other["message_imprint"]["hashed_message"].native == query.hashed
    assert other["message_imprint"]["hash_algorithm"]["algorithm"].native == query.algorithm
    assert other["version"].native == "v1"
    assert other["cert_req"].native is query.certificates
    assert query.nonce == (other["nonce"].dump() if other["nonce"].native is not None else None)


@settings(max_examples=300, deadline=None)
@given(content=some.binary(max_size=300))
@example(content=b"\x30\x06\x02\x01\x01\x30\x01\x30")
def test_noise_is_refused(content: bytes) -> None:
    with pytest.raises(StampRefused):
        parse_request(content)


@pytest.mark.parametrize("word", list(Failure))
def test_a_rejection_is_read_by_another_implementation(word: Failure) -> None:
    told = response.rejected(word, "no · 演练样本")
    assert failure(told) == word.name.lower()
    assert answer(told)["status"]["status_string"].native == ["no · 演练样本"]
    # DER: read and written again, the same octets.
    assert answer(told).dump(force=True) == told


def test_the_bounds_leave_room_for_every_honest_request() -> None:
    longest = question(
        b"h" * 64, "sha512", nonce=2 ** (8 * LONGEST_NONCE - 2), req_policy="2.999.3161.1", cert_req=True
    )
    assert len(longest) < request.LARGEST / 10
    assert parse_request(longest).certificates
