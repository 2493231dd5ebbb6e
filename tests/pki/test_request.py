"""Requests of every kind: what is asked never widens what is issued, and nothing but our refusals comes out."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as some
from sqlmodel import SQLModel, func, select

from core.database import Database
from core.errors import TrustError
from core.identity import SubjectKind
from core.registry.models import Person
from pki import csr, issuer, names, profile
from pki.models import Authority, IssuanceIntent
from pki.names import Holder
from pki.request import IssuanceRequest
from tests.clock import ManualClock
from tests.pki.conftest import Pki, build
from tests.pki.conftest import csr as make
from tests.services.softhsm import Running

KEY = ec.generate_private_key(ec.SECP256R1())
HOLDER = Holder("application", "fin-budget-app", "预算", "财政厅", "outer-finance", "fin.example", ("10.20.0.0/16",))
GOOD = x509.load_pem_x509_csr(make(KEY, "li-wen", dns=("www.fin.example",))).public_bytes(Encoding.DER)


def test_only_the_whole_request_is_read() -> None:
    assert csr.parse_request(GOOD).hosts == ("www.fin.example",)
    for content in (GOOD + b"\x00", GOOD[:-1], GOOD * 2, b"", b"\x00", GOOD.hex().encode()):
        with pytest.raises(TrustError):
            csr.parse_request(content)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_no_changed_octet_is_a_proof() -> None:
    """Outside of the signature nothing may be changed without a refusal of ours."""
    signed = x509.load_der_x509_csr(GOOD).tbs_certrequest_bytes
    beginning = GOOD.index(signed)
    for place in range(len(GOOD)):
        for value in {0, 0x7F, 0xFF, GOOD[place] ^ 1, GOOD[place] ^ 0x80} - {GOOD[place]}:
            changed = GOOD[:place] + bytes([value]) + GOOD[place + 1 :]
            try:
                read = csr.parse_request(changed)
            except TrustError:
                continue
            assert not beginning <= place < beginning + len(signed), f"octet {place} may be {value:#x}"
            assert read.hosts == ("www.fin.example",)


@given(content=some.binary(max_size=400))
@settings(deadline=None, max_examples=200)
def test_noise_is_refused(content: bytes) -> None:
    for prefix in (b"", b"-----BEGIN CERTIFICATE REQUEST-----\n"):
        with pytest.raises(TrustError):
            csr.parse_request(prefix + content)


@pytest.mark.parametrize(
    "host",
    [
        "WWW.fin.example",
        "www.fin.example.",
        ".fin.example",
        "www..fin.example",
        "www_1.fin.example",
        "-a.fin.example",
        "a-.fin.example",
        "evil.example\x00.fin.example",
        "a b.fin.example",
        "a\n.fin.example",
        "a/b.fin.example",
        f"{'a' * 64}.fin.example",
        ".".join(["a" * 60] * 5) + ".fin.example",
        "",
    ],
)
def test_what_is_no_host_name_is_refused(host: str) -> None:
    with pytest.raises(TrustError) as caught:
        names.check_hosts(HOLDER, [host])
    assert caught.value.word == "bad-host-name"


@given(
    outside=some.sampled_from(["www.evil.example", "finfin.example", "fin.example.evil.example", "example", "www"]),
    place=some.integers(0, 6),
    inside=some.lists(some.sampled_from(["a.fin.example", "fin.example", "b-1.fin.example", "localhost"]), max_size=6),
)
def test_one_foreign_name_anywhere_refuses_the_request(outside: str, place: int, inside: list[str]) -> None:
    names.check_hosts(HOLDER, inside)
    hosts = [*inside[:place], outside, *inside[place:]]
    with pytest.raises(TrustError) as caught:
        names.check_hosts(HOLDER, hosts)
    assert caught.value.word == "foreign-name"


@pytest.mark.parametrize("address", ["10.21.0.1", "11.20.0.1", "::1.2.3.4", "fe80::1", "10.20.0.1/24", "x", ""])
def test_foreign_address_is_refused(address: str) -> None:
    names.check_addresses(HOLDER, ["10.20.0.1", "127.0.0.1", "::1"])
    with pytest.raises(TrustError) as caught:
        names.check_addresses(HOLDER, ["10.20.0.1", address])
    assert caught.value.word == "foreign-name"


@pytest.mark.parametrize(
    "name",
    [
        x509.UniformResourceIdentifier("urn:guosuo:person:lu-security"),
        x509.RFC822Name("a@fin.example"),
        x509.DirectoryName(x509.Name([])),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
    ],
)
def test_other_kinds_of_names_are_the_registers_to_give(name: x509.GeneralName) -> None:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
    with pytest.raises(TrustError) as caught:
        csr.check_content(csr.parse_request(builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)), HOLDER)
    assert caught.value.word == "foreign-name"


def test_a_renewal_repeats_the_identifier_that_the_register_gave() -> None:
    own = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(names.urn(HOLDER))])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(own, critical=False)
    csr.check_content(csr.parse_request(builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)), HOLDER)


def test_small_exponent_is_refused() -> None:
    key = rsa.generate_private_key(3, 3072)
    with pytest.raises(TrustError) as caught:
        csr.parse_request(make(key, "li-wen"))
    assert caught.value.word == "weak-key"


def asked(kind: str, lifetime: int | None) -> IssuanceRequest:
    return IssuanceRequest(make(KEY, "li-wen"), kind, SubjectKind.PERSON, "li-wen", lifetime_seconds=lifetime)


@given(lifetime=some.one_of(some.none(), some.integers(1, 10**9)))
@settings(deadline=None, max_examples=15)
def test_profile_is_never_exceeded(settled: Pki, lifetime: int | None) -> None:
    made = x509.load_der_x509_certificate(settled.authority.issue(asked("person", lifetime), actor="zhao-ra").der)
    length = made.not_valid_after_utc - made.not_valid_before_utc + timedelta(seconds=1)
    longest = profile.shipped().get("person").lifetime
    assert length <= (min(longest, timedelta(seconds=lifetime + (lifetime == 1))) if lifetime else longest)
    found = {type(one.value): one for one in made.extensions}
    assert set(found) == {
        x509.BasicConstraints,
        x509.KeyUsage,
        x509.ExtendedKeyUsage,
        x509.SubjectAlternativeName,
        x509.SubjectKeyIdentifier,
        x509.AuthorityKeyIdentifier,
        x509.CRLDistributionPoints,
        x509.AuthorityInformationAccess,
    }
    assert found[x509.BasicConstraints].value == x509.BasicConstraints(ca=False, path_length=None)
    assert [one.dotted_string for one in found[x509.ExtendedKeyUsage].value] == ["1.3.6.1.5.5.7.3.2"]


@pytest.fixture(scope="module")
def settled(signer_process: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pki]:
    """One authority for every example."""
    folder = tmp_path_factory.mktemp("settled")
    database = Database(f"sqlite:///{folder}/store.sqlite3")
    SQLModel.metadata.create_all(database.engine)
    yield build(database, ManualClock(), signer_process, folder)
    database.close()


@pytest.mark.parametrize("lifetime", [0, -1, -(10**9)])
def test_no_lifetime_is_refused_before_a_serial_is_used(settled: Pki, lifetime: int) -> None:
    with settled.database.read() as session:
        before = session.exec(select(func.count()).select_from(IssuanceIntent)).one()
    with pytest.raises(TrustError) as caught:
        settled.authority.issue(asked("person", lifetime), actor="zhao-ra")
    assert caught.value.word == "wrong-profile"
    with settled.database.read() as session:
        assert session.exec(select(func.count()).select_from(IssuanceIntent)).one() == before


def test_certificate_never_outlives_its_authority(sqlite_pki: Pki) -> None:
    with sqlite_pki.database.read() as session:
        above = x509.load_der_x509_certificate(session.get_one(Authority, "issuing").der)
    left = above.not_valid_after_utc - sqlite_pki.clock.now()
    sqlite_pki.clock.advance(seconds=left.total_seconds() - 3600)
    made = x509.load_der_x509_certificate(sqlite_pki.issue().der)
    assert made.not_valid_after_utc == above.not_valid_after_utc
    sqlite_pki.clock.advance(hours=2)
    with pytest.raises(TrustError) as caught:
        sqlite_pki.issue(holder="sun-yue")
    assert caught.value.word == "authority-expired"


def test_long_name_is_cut_to_what_a_certificate_can_hold(sqlite_pki: Pki) -> None:
    long = "财政厅预算管理一体化系统应用服务器主用节点一号值守"
    with sqlite_pki.database.write() as session:
        person = session.get_one(Person, "li-wen")
        person.name = long
        session.add(person)
    (common,) = x509.load_der_x509_certificate(sqlite_pki.issue().der).subject.get_attributes_for_oid(
        NameOID.COMMON_NAME
    )
    assert common.value == long[:21]


@given(random=some.binary(min_size=20, max_size=20))
def test_serials_carry_159_bits_of_what_they_were_given(random: bytes) -> None:
    octets = bytes.fromhex(issuer.new_serial(lambda count: random[:count]))
    assert octets[1:] == random[1:]
    assert octets[0] == (random[0] & 0x7F or 1)
    number = x509.Name([])  # a certificate's own encoding has 20 octets, neither fewer nor a leading zero
    certificate = (
        x509.CertificateBuilder()
        .subject_name(number)
        .issuer_name(number)
        .serial_number(int.from_bytes(octets, "big"))
        .public_key(KEY.public_key())
        .not_valid_before(_START)
        .not_valid_after(_START + timedelta(days=1))
        .sign(KEY, hashes.SHA256())
    )
    assert b"\x02\x14" + octets in certificate.tbs_certificate_bytes


_START = datetime(2026, 11, 20)
