"""One encoding of each value, and hostile octets: always a refusal of ours, and soon."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given, settings
from hypothesis import strategies as some

from pki.errors import RefusedPath
from pki.validation import certificate, crl, element, extension, name
from pki.validation.element import Element
from tests.pki.validation import pkits
from tests.pki.validation.chains import AUTHORITY, DAY, NOW, List, chain, key, make, named


@pytest.mark.parametrize(
    "content",
    [
        "30",
        "3001",
        "3080",
        "308000000000",
        "308100",
        "30817f" + "00" * 127,
        "30820080" + "00" * 128,
        "3085010000000000",
        "1f8101",
        "300000",
        "",
    ],
)
def test_frame_has_one_encoding(content: str) -> None:
    with pytest.raises(RefusedPath) as caught:
        element.only(bytes.fromhex(content), element.SEQUENCE)
    assert (caught.value.word, caught.value.section) == ("malformed", "4.1")


@given(some.integers(-(2**70), 2**70))
def test_integer_has_one_encoding(value: int) -> None:
    content = value.to_bytes((value.bit_length() + 8) // 8, "big", signed=True)
    shortest = content if len(content) == 1 or content[0] not in (0, 0xFF) or _needs(content) else content[1:]
    assert element.integer(shortest) == value
    longer = (b"\xff" if value < 0 else b"\x00") + shortest
    with pytest.raises(RefusedPath):
        element.integer(longer)


def _needs(content: bytes) -> bool:
    return (content[0] == 0) == bool(content[1] & 0x80)


@given(some.lists(some.integers(0, 2**40), min_size=1, max_size=8), some.integers(0, 2), some.integers(0, 39))
def test_identifier_is_read_as_written(rest: list[int], first: int, second: int) -> None:
    dotted = ".".join(str(one) for one in (first, second, *rest))
    content = element.octets_of(dotted)
    assert element.dotted(element.identifier(content)) == dotted
    with pytest.raises(RefusedPath):
        element.identifier(content[:-1] + bytes([content[-1] | 0x80]))


@pytest.mark.parametrize("content", ["", "80", "8001", "2a8001", "2a80", "2a" + "01" * 64])
def test_identifier_has_one_encoding(content: str) -> None:
    with pytest.raises(RefusedPath):
        element.identifier(bytes.fromhex(content))


@pytest.mark.parametrize(("content", "bits"), [("0780", {0}), ("0106", {5, 6}), ("00", set()), ("070080", {8})])
def test_flags(content: str, bits: set[int]) -> None:
    assert element.flags(bytes.fromhex(content)) == sum(1 << bit for bit in bits)


# The last one is the key usage of two roots that browsers trust: nine bits where seven say it.
@pytest.mark.parametrize(
    "content", ["", "01", "0880", "0781", "00" * 12, "0080", "0680", "0700", "0000", "008000", "070600"]
)
def test_flags_have_one_encoding(content: str) -> None:
    with pytest.raises(RefusedPath):
        element.flags(bytes.fromhex(content))


@pytest.mark.parametrize("content", ["ff00", "00", "01", ""])
def test_true_is_the_only_boolean_that_is_written(content: str) -> None:
    with pytest.raises(RefusedPath):
        element.boolean(bytes.fromhex(content))


def test_times() -> None:
    assert element.time(Element(element.UTC_TIME, b"491231235959Z", b"")) == datetime(
        2049, 12, 31, 23, 59, 59, tzinfo=UTC
    )
    assert element.time(Element(element.UTC_TIME, b"500101000000Z", b"")).year == 1950
    assert element.time(Element(element.GENERALIZED_TIME, b"20500101000000Z", b"")).year == 2050


@pytest.mark.parametrize(
    "content",
    [b"", b"4912312359Z", b"491231235959+0000", b"491331000000Z", b"490230000000Z", b"491231236000Z", b"\xb2" * 13],
)
def test_what_is_no_time_is_refused(content: bytes) -> None:
    for tag, century in ((element.UTC_TIME, b""), (element.GENERALIZED_TIME, b"20")):
        with pytest.raises(RefusedPath):
            element.time(Element(tag, century + content, b""))


PARSERS: tuple[Callable[[bytes], object], ...] = (
    certificate.parse,
    crl.parse,
    extension.parse,
    extension.basic,
    extension.key_usage,
    extension.identifiers,
    extension.names,
    extension.subtrees,
    extension.mappings,
    extension.policy_constraints,
    extension.number,
    lambda content: extension.policies(extension.Extension(True, content)),
    lambda content: extension.points(content, name.parse(b"")),
    lambda content: extension.issuing_point(content, name.parse(b"")),
)


FORESEEN = {"read", "malformed", "too-much", "critical-extension"}


def word(parse: Callable[[bytes], object], content: bytes) -> str:
    try:
        parse(content)
    except RefusedPath as error:
        return error.word
    return "read"


@given(some.binary(max_size=200))
@example(b"\x30\x84\xff\xff\xff\xff")
@settings(deadline=None, max_examples=300)
def test_noise_is_refused_by_us(content: bytes) -> None:
    for parse in PARSERS:
        assert word(parse, content) in FORESEEN


@given(where=some.integers(0, 10**6), octet=some.binary(min_size=1, max_size=3), which=some.integers(0, 5))
@settings(deadline=None, max_examples=400)
def test_changed_certificates_and_lists_are_read_or_refused_by_us(where: int, octet: bytes, which: int) -> None:
    content = SAMPLES[which]
    place = where % len(content)
    broken = content[:place] + octet + content[place + len(octet) :]
    for parse in (certificate.parse, crl.parse):
        assert word(parse, broken) in FORESEEN


SAMPLES = [
    *chain(2),
    List("Root", {5: x509.ReasonFlags.key_compromise}).make(),
    pkits.certificate_file("nameConstraintsDN1CACert").read_bytes(),
    pkits.certificate_file("P12Mapping1to3CACert").read_bytes(),
    pkits.list_file("indirectCRLCA5CRL").read_bytes(),
]


def test_nesting_costs_nothing() -> None:
    deep = b""
    for _ in range(5000):
        deep = b"\x30" + (bytes([len(deep)]) if len(deep) < 128 else b"\x83" + len(deep).to_bytes(3, "big")) + deep
        if len(deep) > 60_000:
            break
    with pytest.raises(RefusedPath):
        certificate.parse(deep)


def test_cryptography_reads_the_same() -> None:
    for file in sorted((pkits.DATA / "certs").glob("*.crt"))[::4]:
        ours = certificate.parse(file.read_bytes())
        theirs = x509.load_der_x509_certificate(ours.content)
        if theirs.serial_number > 0:
            assert ours.serial_number == theirs.serial_number
        assert (ours.not_before, ours.not_after) == (theirs.not_valid_before_utc, theirs.not_valid_after_utc)
        assert (ours.tbs, ours.signature[1:]) == (theirs.tbs_certificate_bytes, theirs.signature)
        assert {element.dotted(kind) for kind in ours.extensions} == {
            one.oid.dotted_string for one in theirs.extensions
        }


def test_names_are_compared_by_what_they_say() -> None:
    written = [" Li  Wen", "li wen ", "LI WEN", "Ｌｉ Ｗｅｎ"]
    assert len({name.normal(one) for one in written}) == 1
    assert name.normal("Li Wen") != name.normal("LiWen")
    assert name.normal("straße") == name.normal("STRASSE")


def test_extension_that_comes_twice_is_refused() -> None:
    one = make("last", "Root", AUTHORITY)
    where = one.index(b"\x30\x0f\x06\x03\x55\x1d\x13")
    basic = one[where : where + 17]
    with pytest.raises(RefusedPath) as caught:
        extension.parse(basic + basic)
    assert "2.5.29.19 comes twice" in caught.value.detail


def test_names_are_shown_so_that_they_cannot_pretend() -> None:
    odd = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "a,O=北辰省\nFAKE LINE"),
            x509.NameAttribute(x509.ObjectIdentifier("1.2.3"), "x"),
        ]
    )
    content = element.only(odd.public_bytes(), element.SEQUENCE).content
    assert str(name.parse(content)) == r"CN=a\,O\=北辰省?FAKE LINE,1.2.3=x"


def test_issuer_without_a_name_is_refused() -> None:
    builder = x509.CertificateBuilder().subject_name(named("last")).issuer_name(x509.Name([])).serial_number(3)
    builder = builder.public_key(key("last").public_key()).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    nameless = builder.sign(key("Root"), hashes.SHA256()).public_bytes(Encoding.DER)
    with pytest.raises(RefusedPath, match="names no issuer"):
        certificate.parse(nameless)
    assert certificate.parse(make(x509.Name([]), "Root")).subject.relative == ()
