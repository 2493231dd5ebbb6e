"""Path validation over made-up certificates: exactly the good one passes, and every refusal is ours."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from hypothesis import given, settings
from hypothesis import strategies as some

from core.errors import Unauthenticated
from pki import der, path
from pki.errors import RefusedPath

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
ROOT_KEY, ISSUING_KEY, OTHER_KEY, KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(**set_: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign "
        "crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{one: set_.get(one, False) for one in names.split()})


@dataclass(frozen=True)
class Plan:
    """A client's certificate as it should be; tests change one thing."""

    issuer: str = "Issuing"
    signer: ec.EllipticCurvePrivateKey = ISSUING_KEY
    start: datetime = NOW - timedelta(days=1)
    end: datetime = NOW + timedelta(days=1)
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = field(
        default=(
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (usage(digital_signature=True), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
        )
    )


def make(plan: Plan, subject: str = "li-wen") -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(plan.issuer))
        .serial_number(77)
        .public_key(KEY.public_key())
        .not_valid_before(plan.start)
        .not_valid_after(plan.end)
    )
    for value, critical in plan.extensions:
        builder = builder.add_extension(value, critical=critical)
    return builder.sign(plan.signer, hashes.SHA256()).public_bytes(Encoding.DER)


def authority(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    days: int = 30,
    extensions: tuple[x509.ExtensionType, ...] = (x509.BasicConstraints(ca=True, path_length=0),),
) -> x509.Certificate:
    plan = Plan(issuer, ROOT_KEY, NOW - timedelta(days=days), NOW + timedelta(days=days), ())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .serial_number(5)
        .public_key(key.public_key())
        .not_valid_before(plan.start)
        .not_valid_after(plan.end)
    )
    for value in extensions:
        builder = builder.add_extension(value, critical=True)
    return builder.sign(ROOT_KEY, hashes.SHA256())


def trusted(*authorities: x509.Certificate) -> path.Authorities:
    return path.trust([one.public_bytes(Encoding.DER) for one in authorities])


OURS = (authority("Issuing", "Root", ISSUING_KEY), authority("Root", "Root", ROOT_KEY))
AUTHORITIES = trusted(*OURS)

_BASIC, _USAGE, _PURPOSE = Plan().extensions

FLAWS: dict[str, tuple[str, Plan]] = {
    "another issuer": ("foreign-issuer", Plan(issuer="Elsewhere")),
    "issued by the root": ("foreign-issuer", Plan(issuer="Root", signer=ROOT_KEY)),
    "our name, another key": ("look-alike-issuer", Plan(signer=OTHER_KEY)),
    "our name, signed by its own key": ("look-alike-issuer", Plan(signer=KEY)),
    "tomorrow": ("not-yet-valid", Plan(start=NOW + timedelta(seconds=1))),
    "yesterday": ("expired", Plan(end=NOW - timedelta(seconds=1))),
    "an authority's": (
        "wrong-purpose",
        Plan(extensions=((x509.BasicConstraints(ca=True, path_length=0), True), _USAGE, _PURPOSE)),
    ),
    "without purpose": ("wrong-purpose", Plan(extensions=(_BASIC, _USAGE))),
    "a server's": (
        "wrong-purpose",
        Plan(extensions=(_BASIC, _USAGE, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False))),
    ),
    "for any purpose": (
        "wrong-purpose",
        Plan(extensions=(_BASIC, _USAGE, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False))),
    ),
    "for encryption only": (
        "wrong-purpose",
        Plan(extensions=(_BASIC, (usage(key_encipherment=True), True), _PURPOSE)),
    ),
    "without key usage": ("wrong-purpose", Plan(extensions=(_BASIC, _PURPOSE))),
    "with a critical extension of others": (
        "bad-certificate",
        Plan(
            extensions=(
                *Plan().extensions,
                (x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),
            )
        ),
    ),
}


def test_good_one_passes() -> None:
    assert path.validate(make(Plan()), AUTHORITIES, NOW).serial_number == 77


def test_extension_of_others_that_is_not_critical_is_passed_over() -> None:
    more = (x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), False)
    path.validate(make(Plan(extensions=(*Plan().extensions, more))), AUTHORITIES, NOW)


@pytest.mark.parametrize("flaw", FLAWS)
def test_each_flaw_has_its_reason(flaw: str) -> None:
    reason, plan = FLAWS[flaw]
    with pytest.raises(Unauthenticated) as caught:
        path.validate(make(plan), AUTHORITIES, NOW)
    assert caught.value.word == reason


@pytest.mark.parametrize("place", [0, 1])
def test_authority_that_expired_takes_everything_with_it(place: int) -> None:
    old = authority(("Issuing", "Root")[place], "Root", (ISSUING_KEY, ROOT_KEY)[place], days=1)
    authorities = [*OURS]
    authorities[place] = old
    later = NOW + timedelta(days=2)
    with pytest.raises(Unauthenticated) as caught:
        path.validate(make(Plan(end=NOW + timedelta(days=20))), trusted(*authorities), later)
    assert caught.value.word == "expired"


def resigned(tbs: bytes) -> bytes:
    return der.signed(tbs, ISSUING_KEY.sign(tbs, ec.ECDSA(hashes.SHA256())))


@pytest.mark.parametrize("serial", [b"\x00", b"\xff"])
def test_serial_number_that_is_not_positive_is_refused(serial: bytes) -> None:
    tbs = x509.load_der_x509_certificate(GOOD).tbs_certificate_bytes
    assert path.validate(resigned(tbs), AUTHORITIES, NOW).serial_number == 77
    with pytest.raises(Unauthenticated, match="serial number is not positive") as caught:
        path.validate(resigned(tbs.replace(b"\x02\x01\x4d", b"\x02\x01" + serial, 1)), AUTHORITIES, NOW)
    assert caught.value.word == "bad-certificate"


def test_signature_of_another_kind_than_ours_is_refused() -> None:
    """Our key never signs over SHA-384: whoever made it do so, it is no certificate that we hand out."""
    other = bytes.fromhex("300a06082a8648ce3d040303")  # ecdsa-with-SHA384
    tbs = x509.load_der_x509_certificate(GOOD).tbs_certificate_bytes.replace(der.ECDSA_WITH_SHA256, other, 1)
    signature = der.encode(der.BIT_STRING, b"\x00", ISSUING_KEY.sign(tbs, ec.ECDSA(hashes.SHA384())))
    with pytest.raises(Unauthenticated, match="one encoding") as caught:
        path.validate(der.encode(der.SEQUENCE, tbs, other, signature), AUTHORITIES, NOW)
    assert caught.value.word == "bad-certificate"


_CA = x509.BasicConstraints(ca=True, path_length=0)


def test_what_an_authority_asks_of_names_is_asked_of_its_clients() -> None:
    """A city's authority cannot speak for the province, whatever its own software lets through."""
    constraints = x509.NameConstraints([x509.DNSName("city.example")], None)
    ours = trusted(authority("Issuing", "Root", ISSUING_KEY, extensions=(_CA, constraints)), OURS[1])
    for host, accepted in (("a.city.example", True), ("province.example", False)):
        names = (x509.SubjectAlternativeName([x509.DNSName(host)]), False)
        content = make(Plan(extensions=(*Plan().extensions, names)))
        if accepted:
            path.validate(content, ours, NOW)
            continue
        with pytest.raises(RefusedPath) as caught:
            path.validate(content, ours, NOW)
        assert (caught.value.word, caught.value.section) == ("name-not-permitted", "6.1.3 (b)")


@pytest.mark.parametrize(
    ("reason", "issuing"),
    [
        ("not-an-authority", authority("Issuing", "Root", ISSUING_KEY, extensions=())),
        ("name-chaining", authority("Issuing", "Elsewhere", ISSUING_KEY)),
        ("key-usage", authority("Issuing", "Root", ISSUING_KEY, extensions=(_CA, usage(digital_signature=True)))),
        (
            "wrong-purpose",
            authority(
                "Issuing",
                "Root",
                ISSUING_KEY,
                extensions=(_CA, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])),
            ),
        ),
    ],
)
def test_authority_that_is_none_is_not_trusted(reason: str, issuing: x509.Certificate) -> None:
    with pytest.raises(RefusedPath) as caught:
        trusted(issuing, OURS[1])
    assert caught.value.word == reason


@given(seconds=some.integers(-(10**6), 10**6))
@settings(deadline=None, max_examples=200)
def test_valid_from_its_first_to_its_last_second(seconds: int) -> None:
    now = NOW + timedelta(seconds=seconds)
    if Plan().start <= now <= Plan().end:
        path.validate(GOOD, AUTHORITIES, now)
        return
    with pytest.raises(Unauthenticated) as caught:
        path.validate(GOOD, AUTHORITIES, now)
    assert caught.value.word == ("expired" if seconds > 0 else "not-yet-valid")


GOOD = make(Plan())


def test_no_changed_octet_passes() -> None:
    """Each octet of the certificate in turn becomes another one: refused, and by us."""
    for place in range(len(GOOD)):
        for value in {0, 0x7F, 0xFF, GOOD[place] ^ 1, GOOD[place] ^ 0x80} - {GOOD[place]}:
            changed = GOOD[:place] + bytes([value]) + GOOD[place + 1 :]
            with pytest.raises(Unauthenticated):
                path.validate(changed, AUTHORITIES, NOW)


@given(content=some.binary(max_size=300))
@settings(deadline=None, max_examples=200)
def test_noise_is_refused(content: bytes) -> None:
    with pytest.raises(Unauthenticated):
        path.validate(content, AUTHORITIES, NOW)


@pytest.mark.parametrize("content", [GOOD + b"\x00", GOOD[:-1], GOOD * 2, b"\x30" * 70_000, GOOD + b"\x00" * 70_000])
def test_more_or_less_than_a_certificate_is_refused(content: bytes) -> None:
    with pytest.raises(Unauthenticated) as caught:
        path.validate(content, AUTHORITIES, NOW)
    assert caught.value.word == "bad-certificate"
