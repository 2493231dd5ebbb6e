"""Our few DER encoders beside ``cryptography``'s: the same octets, for every value."""

import hashlib
from datetime import UTC, datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as some

from core.identity import Serial
from pki import der, pointers, reason, revocation, tbslist
from pki.tbslist import Frame

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "北辰省 演练样本 Issuing CA")])
NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
CERTIFICATE = (
    x509.CertificateBuilder()
    .subject_name(NAME)
    .issuer_name(NAME)
    .serial_number(5)
    .public_key(KEY.public_key())
    .not_valid_before(NOW)
    .not_valid_after(NOW + timedelta(days=1))
    .sign(KEY, hashes.SHA256())
)

serials = some.binary(min_size=20, max_size=20).map(lambda octets: bytes([octets[0] % 0x7F + 1, *octets[1:]]).hex())
moments = some.datetimes(datetime(1951, 1, 1), datetime(2120, 1, 1)).map(lambda one: one.replace(microsecond=0))
entries = some.lists(
    some.tuples(serials, moments, some.sampled_from(sorted(reason.CODES))), max_size=6, unique_by=lambda one: one[0]
)


@given(number=some.integers(1, 2**64), this=moments, listed=entries)
@settings(deadline=None, max_examples=150)
def test_list_is_what_cryptography_would_have_made(
    number: int, this: datetime, listed: list[tuple[str, datetime, str]]
) -> None:
    this, until = this.replace(tzinfo=UTC), this.replace(tzinfo=UTC) + timedelta(hours=24)
    builder = x509.CertificateRevocationListBuilder().issuer_name(NAME).last_update(this).next_update(until)
    for serial, at, word in listed:
        entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(at)
        flag = reason.flag(word)
        if flag is not None:
            entry = entry.add_extension(x509.CRLReason(flag), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(KEY.public_key()), critical=False
    ).add_extension(x509.CRLNumber(number), critical=False)
    expected = builder.sign(KEY, hashes.SHA256()).tbs_certlist_bytes
    ours = [revocation.encode_entry(Serial(serial), at.replace(tzinfo=UTC), word) for serial, at, word in listed]
    made = tbslist.encode(Frame.of(CERTIFICATE), number, (this, until), b"".join(ours))
    assert made.head + made.entries + made.tail == expected
    assert made.digest() == hashlib.sha256(expected).digest()


@given(number=some.integers(1, 2**64), base=some.integers(1, 2**64), shard=some.integers(0, pointers.SHARDS - 1))
@settings(deadline=None, max_examples=50)
def test_extensions_of_lists_are_those_of_cryptography(number: int, base: int, shard: int) -> None:
    url = "http://status.beichen.example"
    place = x509.UniformResourceIdentifier(pointers.shard_address(url, "issuing", shard))
    delta = x509.UniformResourceIdentifier(pointers.delta_address(url, "issuing"))
    wanted: dict[bytes, tuple[x509.ExtensionType, bool]] = {
        tbslist.delta_indicator(base): (x509.DeltaCRLIndicator(base), True),
        tbslist.issuing_point(url, "issuing", shard): (
            x509.IssuingDistributionPoint([place], None, False, False, None, False, False),
            True,
        ),
        tbslist.freshest(url, "issuing"): (
            x509.FreshestCRL([x509.DistributionPoint([delta], None, None, None)]),
            False,
        ),
    }
    for encoded, (value, critical) in wanted.items():
        builder = x509.CertificateRevocationListBuilder().issuer_name(NAME).last_update(NOW).next_update(NOW)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(KEY.public_key()), critical=False
        ).add_extension(x509.CRLNumber(number), critical=False)
        expected = builder.add_extension(value, critical=critical).sign(KEY, hashes.SHA256()).tbs_certlist_bytes
        made = tbslist.encode(Frame.of(CERTIFICATE), number, (NOW, NOW), b"", [encoded])
        assert made.head + made.entries + made.tail == expected


def test_entries_stand_where_the_list_says() -> None:
    made = tbslist.encode(Frame.of(CERTIFICATE), 3, (NOW, NOW), bytes(range(200)) * 50)
    content, start = made.signed(b"s" * 70)
    assert content[start : start + 10_000] == made.entries


def test_signed_frame_is_a_certificate() -> None:
    assert der.signed(CERTIFICATE.tbs_certificate_bytes, CERTIFICATE.signature) == CERTIFICATE.public_bytes(
        Encoding.DER
    )


@given(value=some.integers(0, 2**200))
def test_integers_are_minimal_and_not_negative(value: int) -> None:
    encoded = der.integer(value)
    content = encoded[2:]
    assert encoded[1] == len(content)
    assert int.from_bytes(content, "big", signed=True) == value
    assert len(content) == 1 or content[0] or content[1] & 0x80


@given(count=some.integers(0, 70_000))
def test_lengths_are_minimal(count: int) -> None:
    encoded = der.encode(der.OCTET_STRING, bytes(count))
    size = 2 if count < 0x80 else 3 if count < 0x100 else 4 if count < 0x10000 else 5
    assert len(encoded) == count + size
    length = encoded[1:size]
    assert count == (length[0] if size == 2 else int.from_bytes(length[1:], "big"))


@given(moment=moments, hours=some.integers(-12, 14))
def test_times_are_in_utc_whatever_the_offset(moment: datetime, hours: int) -> None:
    here = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert der.time(here) == der.time(here.astimezone(UTC))
