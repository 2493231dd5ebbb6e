"""The template beside ``cryptography``'s own builder: octet for octet; and the lint, which sees every changed octet."""

import ipaddress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as some

from core.errors import TrustError
from core.identity import Serial
from pki import issuer, lint, names, pointers, profile, tbs, template
from pki.authorisation import Admitted
from pki.csr import CertificationRequest, PublicKey
from pki.lint import Meant
from pki.names import Holder
from pki.profile import Profile
from pki.template import Filling, Template

URL = "http://status.beichen.example"
NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
CA_KEY = ec.generate_private_key(ec.SECP256R1())
CA_NAME = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
        x509.NameAttribute(NameOID.COMMON_NAME, "北辰省 演练样本 Issuing CA"),
    ]
)
AUTHORITY = (
    x509.CertificateBuilder()
    .subject_name(CA_NAME)
    .issuer_name(CA_NAME)
    .serial_number(5)
    .public_key(CA_KEY.public_key())
    .not_valid_before(datetime(1990, 1, 1, tzinfo=UTC))
    .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
    .add_extension(x509.SubjectKeyIdentifier.from_public_key(CA_KEY.public_key()), critical=False)
    .sign(CA_KEY, hashes.SHA256())
)
KEYS: list[PublicKey] = [
    ec.generate_private_key(ec.SECP256R1()).public_key(),
    ec.generate_private_key(ec.SECP384R1()).public_key(),
    rsa.generate_private_key(65537, 3072).public_key(),
    rsa.generate_private_key(65537, 4096).public_key(),
]

texts = some.text(some.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
identifiers = some.from_regex(r"[a-z][a-z0-9-]{0,40}", fullmatch=True)
hosts = some.lists(some.from_regex(r"([a-z0-9]{1,12}\.){1,3}fin\.example", fullmatch=True), max_size=5, unique=True)
addresses = some.lists(some.integers(0, 65535).map(lambda n: f"10.20.{n // 256}.{n % 256}"), max_size=4, unique=True)
moments = some.datetimes(datetime(1995, 1, 1), datetime(2110, 1, 1)).map(
    lambda one: one.replace(microsecond=0, tzinfo=UTC)
)


@cache
def compiled(name: str) -> tuple[Profile, Template]:
    wanted = profile.shipped().get(name)
    return wanted, template.compile_template(wanted, AUTHORITY, "issuing", URL)


@some.composite
def fillings(draw: some.DrawFn) -> Filling:
    wanted = draw(some.sampled_from(profile.shipped().listed))
    named = wanted.hosts
    name = draw(identifiers)
    holder = Holder(
        wanted.holder, name, draw(texts), draw(texts), "outer-finance", "fin.example", ("10.20.0.0/16",), level=2
    )
    key = draw(some.sampled_from(KEYS))
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    content = CertificationRequest(x509.Name([]), key, spki, (), ())
    life = timedelta(seconds=draw(some.integers(1, wanted.days * 86_400)))
    own = (tuple(draw(hosts)), tuple(draw(addresses))) if named else ((), ())
    start = draw(moments)
    serial = issuer.new_serial(lambda count: draw(some.binary(min_size=count, max_size=count)))
    return Filling(serial, start, start + life, Admitted(content, holder, wanted, *own, life))


def reference(filling: Filling) -> x509.Certificate:
    """The same certificate by the general encoder, from what was meant and from nothing of ours that is encoded."""
    admitted, holder = filling.admitted, filling.admitted.holder
    short = next(iter(admitted.hosts), holder.name.encode()[:64].decode(errors="ignore"))
    subject = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, holder.organisation),
        x509.NameAttribute(NameOID.COMMON_NAME, short),
        x509.NameAttribute(NameOID.USER_ID, holder.identifier),
    ]
    alternative = [
        x509.UniformResourceIdentifier(f"urn:guosuo:{holder.kind}:{holder.identifier}"),
        *(x509.DNSName(host) for host in admitted.hosts),
        *(x509.IPAddress(ipaddress.ip_address(one)) for one in admitted.addresses),
    ]
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.KeyUsage(True, False, False, False, False, False, False, False, False), True),
        (x509.ExtendedKeyUsage(list(admitted.profile.oids)), False),
        (x509.SubjectAlternativeName(alternative), False),
        (x509.SubjectKeyIdentifier.from_public_key(admitted.content.key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(CA_KEY.public_key()), False),
        (pointers.distribution(URL, "issuing", pointers.shard(filling.serial)), False),
        (pointers.access(URL, "issuing"), False),
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(CA_NAME)
        .serial_number(int(filling.serial, 16))
        .public_key(admitted.content.key)
        .not_valid_before(filling.not_before)
        .not_valid_after(filling.not_after)
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    return builder.sign(CA_KEY, hashes.SHA256())


def fill(filling: Filling) -> bytes:
    return template.fill(compiled(filling.admitted.profile.name)[1], filling)


def meant(filling: Filling) -> Meant:
    return Meant(filling, compiled(filling.admitted.profile.name)[1], AUTHORITY)


@given(filling=fillings())
@settings(deadline=None, max_examples=80)
def test_template_is_what_cryptography_would_have_made(filling: Filling) -> None:
    made = fill(filling)
    assert made == reference(filling).tbs_certificate_bytes
    if len(set(bytes.fromhex(filling.serial))) > 4:
        lint.check(made, meant(filling))


def sample(name: str = "application") -> Filling:
    wanted = compiled(name)[0]
    key = KEYS[0]
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    content = CertificationRequest(x509.Name([]), key, spki, (), ())
    ranges = ("10.20.0.0/16",)
    holder = Holder(wanted.holder, "fin-budget-app", "预算", "财政厅", "outer-finance", "fin.example", ranges)
    life = min(timedelta(days=90), wanted.lifetime)
    own = (("www.fin.example",), ("10.20.0.1",)) if wanted.hosts else ((), ())
    return Filling(Serial(bytes(range(1, 21)).hex()), NOW, NOW + life, Admitted(content, holder, wanted, *own, life))


def issue(filling: Filling) -> bytes:
    """The whole certificate (DER), as the authority would hand it out."""
    made = fill(filling)
    return tbs.assemble(made, CA_KEY.sign(made, ec.ECDSA(hashes.SHA256())), CA_KEY.public_key())


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_the_lint_sees_every_changed_octet() -> None:
    """Whatever an encoder could get wrong: what passes is exactly what was meant."""
    filling = sample()
    made, wanted = fill(filling), meant(filling)
    lint.check(made, wanted)
    for place in range(len(made)):
        for value in {0, 0xFF, made[place] ^ 1, made[place] ^ 0x80, made[place] ^ 0x20} - {made[place]}:
            with pytest.raises(TrustError) as caught:
                lint.check(made[:place] + bytes([value]) + made[place + 1 :], wanted)
            assert caught.value.word == "lint-failed", f"octet {place}"


def changed(filling: Filling, **of_holder: object) -> Filling:
    admitted = filling.admitted
    return replace(filling, admitted=replace(admitted, holder=replace(admitted.holder, **of_holder)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fault", "make"),
    [
        ("serial number is not random", lambda one: replace(one, serial=Serial("01" * 20))),
        ("validity is empty", lambda one: replace(one, not_after=one.not_before)),
        ("lives longer", lambda one: replace(one, not_after=one.not_after + timedelta(seconds=1))),
        ("outlives its authority", lambda one: replace(one, not_before=datetime(1980, 1, 1, tzinfo=UTC))),
        ("lies outside its domain", lambda one: changed(one, name_space="office.example")),
        ("lies outside its domain", lambda one: changed(one, ranges=("10.30.0.0/16",))),
        ("key is too weak", lambda one: changed(one, level=5)),
    ],
)
def test_what_should_not_have_been_meant_does_not_pass_either(fault: str, make) -> None:  # type: ignore[no-untyped-def]
    """The rules hold whatever the preparation did: its own mistakes are not signed."""
    filling = make(sample())
    if fault.startswith("outlives"):
        short = replace(filling.admitted, life=timedelta(days=40_000))
        filling = replace(filling, admitted=short)
    with pytest.raises(TrustError, match=fault):
        lint.check(fill(filling), meant(filling))


def test_names_of_people_are_cut_between_characters() -> None:
    named = changed(sample(), name="财政厅预算管理一体化系统应用服务器主用节点一号值守")
    long = replace(named, admitted=replace(named.admitted, hosts=()))
    assert fill(long) == reference(long).tbs_certificate_bytes
    assert len(dict(names.subject_attributes(long.admitted.holder))[NameOID.COMMON_NAME].encode()) == 63
