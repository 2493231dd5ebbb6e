"""What is fuzzed: each parser of what strangers send, what it may answer, and inputs to start from.

A target takes octets and returns, or raises what nobody foresaw. Refusing by a ``TrustError`` is an answer.
"""

import io
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

import guosuo_verify
import guosuo_vouch
from authz import appfile
from core.errors import TrustError
from core.ledger import checkpoint, proof, timestamp, trustpolicy
from core.registry import loader
from monitor import eve, markings
from monitor.errors import BadEve
from pki import csr, path
from pki.tsa.request import parse_request

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Target:
    """``largest`` bounds what is tried, in octets."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    largest: int = 8192


def _eve(content: bytes) -> None:
    try:
        record = eve.parse_record(content)
    except BadEve:
        return
    assert 0 <= record.src_port < 2**16
    with suppress(BadEve):
        assert eve.parse_time(record.timestamp).tzinfo is not None
    if record.http is not None:
        eve.parse_body(record.http.http_request_body)
        body = eve.parse_body(record.http.http_response_body)
        markings.find_in(body)


def _request(content: bytes) -> None:
    with suppress(TrustError):
        request = csr.parse_request(content)
        assert request.spki


def _certificate(content: bytes) -> None:
    with suppress(TrustError):
        path.validate(content, [_authority()], NOW)
        raise AssertionError("a certificate that nobody issued was accepted")


def _application(content: bytes) -> None:
    with suppress(TrustError):
        appfile.parse_application(content.decode("utf-8", "replace"))


def _province(content: bytes) -> None:
    with suppress(TrustError):
        loader.parse_province(content.decode("utf-8", "replace"))


def _checkpoint(content: bytes) -> None:
    with suppress(TrustError):
        found = checkpoint.parse_checkpoint(content)
        assert found.size >= 0


def _submission(content: bytes) -> None:
    with suppress(TrustError):
        found = proof.parse_submission(content)
        assert found.encode() == content


def _record_proof(content: bytes) -> None:
    with suppress(TrustError):
        found = proof.parse_record_proof(content)
        assert found.encode() == content
    assert guosuo_vouch.verify_proof(content, "00" * 32, content).ok is False


def _trust_policy(content: bytes) -> None:
    with suppress(TrustError):
        found = trustpolicy.parse_policy(content)
        assert found.is_quorum(found.witnesses)


def _time_stamp(content: bytes) -> None:
    with suppress(TrustError):
        timestamp.verify_answer(content, note=b"note", roots=[_authority()], nonce=1)
        raise AssertionError("a token that nobody made was accepted")


def _time_stamp_query(content: bytes) -> None:
    with suppress(TrustError):
        found = parse_request(content)
        assert found.hashed in found.imprint
        assert found.imprint in content
        assert found.nonce is None or found.nonce in content


def _bundle(content: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(content)
        file.flush()
        assert guosuo_verify.main([file.name, "--fingerprint", "00" * 32]) == 1


_NOTE = b"a.example/log\n1\n" + b"A" * 43 + "=\n\n— a.example/log AAAAAAAA\n".encode()

_POLICY = (
    f"witness X {checkpoint.VerifierKey('x.example', bytes(32), checkpoint.COSIGNER_KEY)} https://x.example\n"
    f"witness Y {checkpoint.VerifierKey('y.example', bytes(31) + b'1', checkpoint.COSIGNER_KEY)}\n"
    "group G 1 X Y\nquorum G\n"
).encode()

_EVE_SEED = (
    b'{"timestamp":"2026-11-20T08:00:00.000000+0000","event_type":"alert","flow_id":7,"tx_id":0,"src_ip":"10.30.0.2",'
    b'"src_port":40000,"dest_ip":"10.20.0.10","dest_port":8000,"direction":"to_client","alert":{"signature_id":1000001,'
    b'"signature":"sample","metadata":{"guosuo":["leak"]}},"http":{"hostname":"a.example","url":"/r","http_response_body":'
    b'"5py65a+G4piFMTDlubQ="}}'
)


def _made_request() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "演练样本")])
    hosts = x509.SubjectAlternativeName([x509.DNSName("a.example")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name).add_extension(hosts, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def _made_certificate() -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "演练样本")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW.replace(year=2027))
    return builder.sign(key, hashes.SHA256())


def _broken(content: bytes) -> list[bytes]:
    """``content``, and the ways of breaking it that were not foreseen once."""
    common_name = b"\x06\x03\x55\x04\x03\x0c"
    return [
        content,
        content.replace(b"\x02\x01\x00", b"\x02\x01\x08", 1),
        content.replace(common_name, common_name[:-1] + b"\x03"),
        content.replace(common_name, b"\x06\x03\x55\x04\x03\xe6"),
    ]


_AUTHORITY: list[x509.Certificate] = []


def _authority() -> x509.Certificate:
    if not _AUTHORITY:
        _AUTHORITY.append(_made_certificate())
    return _AUTHORITY[0]


def _made_bundle() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as bundle:
        bundle.writestr("checkpoint", "log.example/sample\n1\n" + "A" * 43 + "=\n\n— log.example/sample AAAA\n")
        bundle.writestr("verifier-key", "log.example/sample+00000000+AAAA")
    return content.getvalue()


def _samples(*patterns: str) -> list[bytes]:
    province = Path(loader.__file__).parents[2] / "deploy" / "province"
    return [path.read_bytes() for pattern in patterns for path in sorted(province.glob(pattern))]


def _queries() -> list[bytes]:
    """A good request, and what could be the undoing of a reader: huge integers, wrong tags, lengths that lie."""
    good = timestamp.ask(_NOTE).as_bytes()
    return [
        good,
        good.replace(b"\x02\x01\x01", b"\x02\x82\x0f\x00" + b"\x7f" * 3840, 1),
        good.replace(b"\x04\x20", b"\x24\x20", 1),
        b"\x30\x84\x7f\xff\xff\xff" + good,
        b"\x30\x80" * 2000,
        good[:-3] + b"\xa0\x0c\x30\x0a\x06\x03\x88\x37\x01\x04\x03\x02\x01\x05",
    ]


TARGETS: dict[str, Target] = {
    "eve": Target(_eve, lambda: [_EVE_SEED, b'{"event_type":"stats"}']),
    "request": Target(_request, lambda: _broken(_made_request())),
    "certificate": Target(_certificate, lambda: _broken(_made_certificate().public_bytes(Encoding.DER))),
    "application": Target(_application, lambda: _samples("apps/*.yaml")),
    "province": Target(_province, lambda: _samples("*.yaml"), largest=16384),
    "checkpoint": Target(_checkpoint, lambda: ["a.example/log\n1\nAAAA\n\n— a.example/log AAAAAAAA\n".encode()]),
    "submission": Target(_submission, lambda: [b"old 1\n" + b"A" * 43 + b"=\n\n" + _NOTE]),
    "record proof": Target(
        _record_proof,
        lambda: [b"c2sp.org/tlog-proof@v1\nextra e30=\nindex 0\n" + b"A" * 43 + b"=\n\n" + _NOTE],
    ),
    "trust policy": Target(_trust_policy, lambda: [_POLICY]),
    "time stamp": Target(_time_stamp, lambda: [b"\x30\x05\x30\x03\x02\x01\x00", b"\x30\x05\x30\x03\x02\x01\x02"]),
    "time-stamp query": Target(_time_stamp_query, _queries),
    "bundle": Target(_bundle, lambda: [_made_bundle()], largest=65536),
}
