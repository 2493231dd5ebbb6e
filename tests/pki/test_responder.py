"""The responder before hostile questions: an OCSP answer to each, never an error of ours."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as some

from pki import der
from pki.ocsp import issuer_hashes
from tests.pki.conftest import Pki
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
    pki.responder = OcspResponder(database=None, keys=None, clock=None)  # type: ignore[arg-type]  # never reached
    return pki


def test_question_about_two_certificates_is_malformed(sqlite_pki: Pki) -> None:
    one = question(sqlite_pki, 77)
    # OCSPRequest { TBSRequest { requestList } }, each around the next.
    request = one[one.index(b"\x30", 5) :]
    both = der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, request, request)))
    with pytest.raises(NotImplementedError):
        _ = ocsp.load_der_ocsp_request(both).serial_number
    assert status(sqlite_pki, both) is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


@pytest.mark.parametrize("algorithm", [hashes.SHA384(), hashes.SHA512(), hashes.SHA224()])
def test_question_with_another_hash_is_not_ours(sqlite_pki: Pki, algorithm: hashes.HashAlgorithm) -> None:
    assert status(sqlite_pki, question(sqlite_pki, 77, algorithm)) is ocsp.OCSPResponseStatus.UNAUTHORIZED


@pytest.mark.parametrize("serial", [1, 2**159, 2**159 - 1])
def test_any_serial_that_nobody_has_is_unknown(sqlite_pki: Pki, serial: int) -> None:
    answer = ocsp.load_der_ocsp_response(sqlite_pki.responder.respond(question(sqlite_pki, serial)))
    assert answer.certificate_status is ocsp.OCSPCertStatus.UNKNOWN
    assert answer.serial_number == serial
