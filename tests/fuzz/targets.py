"""What is fuzzed: each parser of what strangers send, what it may answer, and inputs to start from.

A target takes octets and returns, or raises what nobody foresaw. Refusing by a ``TrustError`` is an answer.
"""

import base64
import io
import ipaddress
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
from pki import csr, onetime, otherroot, path
from pki.takeover import authority as old_authority
from pki.takeover import export, indexfile, mapping, pem
from pki.takeover.row import Fault
from pki.tsa.request import parse_request
from pki.validation import certificate, crl, element
from pki.validation import path as paths
from pki.validation.path import Evidence
from pki.validation.process import Parameters
from tests.fuzz import acme, console, devices

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
        path.validate(content, path.trust([_authority().public_bytes(Encoding.DER)]), NOW)
        raise AssertionError("a certificate that nobody issued was accepted")


def _path(content: bytes) -> None:
    """A certification path and lists, one after the other; only the one that was made may be proven."""
    root, *made = _chain()
    anchor = paths.trust(certificate.parse(root))
    with suppress(TrustError):
        parts = [one.whole for one in element.split(content)]
        lists = [found for one in parts if (found := _list(one)) is not None]
        found = [certificate.parse(one) for one in parts if _list(one) is None]
        evidence = Evidence(tuple(lists), tuple(found[::-1]))
        for given in (None, evidence):
            proven = paths.validate(found, anchor, Parameters(now=NOW, explicit_policy=True), given)
            assert proven.certificate.tbs in {certificate.parse(one).tbs for one in made[:2]}


def _list(content: bytes) -> crl.Crl | None:
    with suppress(TrustError):
        return crl.parse(content)
    return None


_INDEX = b"R\t301120080000Z\t251001120000Z,keyCompromise\t1002\tunknown\t/CN=a\n"
_EXPORT = b"serialNumber,status,revocationDate,revocationReason,expireDate\n4097,40,1759320000000,4,1921132800000\n"


def _old_ca(content: bytes) -> None:
    """What an old authority left, by each of its readers: every line is a row, or a fault that is told."""
    text = content.decode("utf-8", "replace")
    for read in (indexfile.read, export.read_csv, export.read_json):
        reading = read(text, "f")
        assert all(0 < int(one.serial, 16) < 1 << 159 for one in reading.rows)
        assert all(one.startswith("f") for one in reading.faults)
    with suppress(TrustError):
        mapping.parse(text, "f")
    with suppress(Fault):
        assert all(der is not None for _line, der in pem.certificates(text))
    with suppress(TrustError):
        old_authority.read(content, NOW)
        raise AssertionError("an authority that nobody made was accepted")


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


def _code(content: bytes) -> None:
    with suppress(TrustError, UnicodeDecodeError):
        found = onetime.parse_code(content.decode())
        assert onetime.parse_code(found.text) == found


def _broken(content: bytes) -> list[bytes]:
    """``content``, and the ways of breaking it that were not foreseen once."""
    common_name = b"\x06\x03\x55\x04\x03\x0c"
    return [
        content,
        content.replace(b"\x02\x01\x00", b"\x02\x01\x08", 1),
        content.replace(common_name, common_name[:-1] + b"\x03"),
        content.replace(common_name, b"\x06\x03\x55\x04\x03\xe6"),
    ]


_CHAIN: list[bytes] = []


def _chain() -> list[bytes]:
    """The anchor, an authority with all that constrains, a holder, and the authorities' lists."""
    if not _CHAIN:
        keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
        names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"演练样本 {place}")]) for place in range(3)]
        for place, above in enumerate((0, 0, 1)):
            builder = x509.CertificateBuilder().subject_name(names[place]).issuer_name(names[above])
            builder = builder.public_key(keys[place].public_key()).serial_number(place + 1)
            builder = builder.not_valid_before(NOW).not_valid_after(NOW.replace(year=2027))
            for value in _AUTHORITY_EXTENSIONS if place < 2 else _HOLDER_EXTENSIONS:
                builder = builder.add_extension(value, critical=not isinstance(value, x509.CRLDistributionPoints))
            _CHAIN.append(builder.sign(keys[above], hashes.SHA256()).public_bytes(Encoding.DER))
        for name, key in zip(names[:2], keys[:2], strict=True):
            made = x509.CertificateRevocationListBuilder().issuer_name(name).last_update(NOW)
            made = made.next_update(NOW.replace(year=2027)).add_extension(x509.CRLNumber(4), critical=False)
            gone = x509.RevokedCertificateBuilder().serial_number(9).revocation_date(NOW)
            made = made.add_revoked_certificate(
                gone.add_extension(x509.CRLReason(x509.ReasonFlags.superseded), critical=False).build()
            )
            _CHAIN.append(made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))
    return _CHAIN


_POLICIES = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.1"), None)])

_AUTHORITY_EXTENSIONS: list[x509.ExtensionType] = [
    x509.BasicConstraints(ca=True, path_length=3),
    _POLICIES,
    x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=1),
    x509.InhibitAnyPolicy(2),
    x509.NameConstraints(
        [x509.DNSName("a.example"), x509.UniformResourceIdentifier("a.example"), x509.RFC822Name("a.example")],
        [x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))],
    ),
]

_HOLDER_EXTENSIONS: list[x509.ExtensionType] = [
    _POLICIES,
    x509.SubjectAlternativeName(
        [
            x509.DNSName("h.a.example"),
            x509.UniformResourceIdentifier("https://a.example/x"),
            x509.RFC822Name("li@a.example"),
            x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
        ]
    ),
    x509.CRLDistributionPoints([x509.DistributionPoint([x509.DNSName("a.example")], None, None, None)]),
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


def _other_root(content: bytes) -> None:
    with suppress(TrustError):
        otherroot.read(base64.b64encode(content).decode("ascii"))
    with suppress(TrustError):
        otherroot.read(content.decode("latin-1"))


TARGETS: dict[str, Target] = {
    "eve": Target(_eve, lambda: [_EVE_SEED, b'{"event_type":"stats"}']),
    "request": Target(_request, lambda: _broken(_made_request())),
    "certificate": Target(_certificate, lambda: _broken(_made_certificate().public_bytes(Encoding.DER))),
    "path": Target(_path, lambda: [b"".join(_chain()[1:]), b"".join(_chain()[1:3]), b"".join(_chain()[4:0:-1])]),
    "other root": Target(_other_root, lambda: _broken(_chain()[0])),
    "acme request": Target(acme.request, lambda: [acme.signed()]),
    "acme order": Target(acme.order, lambda: [acme.ORDER]),
    "acme certificate": Target(acme.certificate, lambda: _broken(_made_certificate().public_bytes(Encoding.DER))),
    "console form": Target(console.request, lambda: [console.FORM]),
    "console text": Target(console.printed, lambda: [b"<b>\xe2\x80\xae\x1b[2J&amp;", "演练样本\u2066\u2028".encode()]),
    "cmp message": Target(devices.exchange, devices.made),
    "cmp request": Target(devices.request, devices.proved),
    "est enrolment": Target(devices.enrolment, lambda: [b"Basic YTpi", base64.encodebytes(_made_request())]),
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
    "old ca": Target(_old_ca, lambda: [_INDEX, b"what,is\nserial:1000,person:li-wen\n", _EXPORT]),
    "code": Target(_code, lambda: [b"K7QX2M-GDBNAW-HYPJC6-ZQZ8SZ", b"0" * 24]),
    "bundle": Target(_bundle, lambda: [_made_bundle()], largest=65536),
}
