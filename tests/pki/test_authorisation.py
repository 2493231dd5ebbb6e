"""The one judgement of content: whatever is wrong with one name, anywhere, refuses the whole request."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as some

from core.errors import TrustError
from pki import authorisation, profile
from pki.authorisation import Admitted, KeyUse, Wanted
from pki.csr import CertificationRequest, PublicKey
from pki.names import Holder
from pki.profile import KeyKind

HOLDER = Holder(
    "application", "fin-budget-app", "预算", "财政厅", "outer-finance", "fin.example", ("10.20.0.0/16",), level=3
)
PROFILE = profile.shipped().get("application")
NAMELESS = PROFILE.model_copy(update={"hosts": False})
KEY = ec.generate_private_key(ec.SECP256R1()).public_key()
RSA_3072 = rsa.generate_private_key(65537, 3072).public_key()

GOOD_HOSTS = ["www.fin.example", "a.fin.example", "b-1.fin.example", "fin.example"]
BAD_HOSTS = {
    "www.office.example": "foreign-name",
    "finfin.example": "foreign-name",
    "fin.example.evil.example": "foreign-name",
    "*.fin.example": "wildcard-name",
    "WWW.fin.example": "bad-host-name",
    "www_1.fin.example": "bad-host-name",
    "www.fin.example.": "bad-host-name",
    "": "bad-host-name",
}
BAD_ADDRESSES = ["10.21.0.1", "10.20.0.1/24", "::ffff:10.20.0.1", "fe80::1", "x", ""]

good_hosts = some.lists(some.sampled_from(GOOD_HOSTS), max_size=8)
good_addresses = some.lists(some.integers(0, 255).map(lambda n: f"10.20.3.{n}"), max_size=8)
places = some.integers(0, 8)


def content(
    key: PublicKey = KEY,
    hosts: tuple[str, ...] = (),
    subject: x509.Name | None = None,
    more: tuple[str, ...] = (),
) -> CertificationRequest:
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return CertificationRequest(subject or x509.Name([]), key, spki, hosts, more)


def judge(read: CertificationRequest | None = None, wanted: Wanted | None = None, **more: object) -> Admitted:
    asked = {"holder": HOLDER, "profile": PROFILE, "uses": (), **more}
    return authorisation.authorise(read or content(), wanted=wanted or Wanted(), **asked)  # type: ignore[arg-type]


def refusal(read: CertificationRequest | None = None, wanted: Wanted | None = None, **more: object) -> str:
    with pytest.raises(TrustError) as caught:
        judge(read, wanted, **more)
    return caught.value.word


@given(hosts=good_hosts, addresses=good_addresses)
def test_good_names_are_admitted_once_each_and_in_order(hosts: list[str], addresses: list[str]) -> None:
    admitted = judge(content(hosts=tuple(hosts)), Wanted(tuple(hosts), tuple(addresses)))
    assert admitted.hosts == tuple(dict.fromkeys(hosts))
    assert sorted(admitted.addresses) == sorted(set(addresses))


@given(hosts=good_hosts, addresses=good_addresses, bad=some.sampled_from(sorted(BAD_HOSTS)), place=places)
def test_one_forbidden_host_among_those_asked_for(hosts: list[str], addresses: list[str], bad: str, place: int) -> None:
    asked = (*hosts[:place], bad, *hosts[place:])
    assert refusal(wanted=Wanted(asked, tuple(addresses))) == BAD_HOSTS[bad]


@given(hosts=good_hosts, bad=some.sampled_from(sorted(BAD_HOSTS)), place=places, asked_too=some.booleans())
def test_one_forbidden_host_in_the_request_itself(hosts: list[str], bad: str, place: int, asked_too: bool) -> None:
    said = (*hosts[:place], bad, *hosts[place:])
    wanted = Wanted(said if asked_too else tuple(hosts))
    assert refusal(content(hosts=said), wanted) == BAD_HOSTS[bad]


@given(hosts=good_hosts, addresses=good_addresses, bad=some.sampled_from(BAD_ADDRESSES), place=places)
def test_one_forbidden_address(hosts: list[str], addresses: list[str], bad: str, place: int) -> None:
    asked = (*addresses[:place], bad, *addresses[place:])
    assert refusal(wanted=Wanted(tuple(hosts), asked)) == "foreign-name"


@given(hosts=some.lists(some.sampled_from(GOOD_HOSTS), min_size=1, unique=True), place=places)
def test_what_only_the_request_names_is_not_asked_for(hosts: list[str], place: int) -> None:
    left_out = hosts[place % len(hosts)]
    assert (
        refusal(content(hosts=tuple(hosts)), Wanted(tuple(one for one in hosts if one != left_out))) == "foreign-name"
    )


@given(
    bad=some.sampled_from(
        [(NameOID.COMMON_NAME, "www.evil.example"), (NameOID.ORGANIZATION_NAME, "公安厅"), (NameOID.TITLE, "厅长")]
    ),
    place=some.integers(0, 3),
)
def test_one_foreign_attribute_of_the_subject(bad: tuple[x509.ObjectIdentifier, str], place: int) -> None:
    good = [(NameOID.COUNTRY_NAME, "CN"), (NameOID.ORGANIZATION_NAME, "财政厅"), (NameOID.USER_ID, "fin-budget-app")]
    said = [x509.NameAttribute(*one) for one in (*good[:place], bad, *good[place:])]
    assert refusal(content(subject=x509.Name(said))) == "foreign-name"


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"holder": replace(HOLDER, kind="gateway")}, "wrong-profile"),
        ({"holder": replace(HOLDER, network="site")}, "wrong-profile"),
        ({"profile": PROFILE.model_copy(update={"levels": (4, 5)})}, "wrong-profile"),
        ({"profile": PROFILE.model_copy(update={"keys": (KeyKind.RSA,)})}, "weak-key"),
        ({"holder": replace(HOLDER, level=5)}, "weak-key"),
        ({"read": content(more=("1.2.3",))}, "forbidden-extension"),
        (
            {"read": content(RSA_3072), "holder": replace(HOLDER, level=4)},
            "weak-key",
        ),
        ({"uses": [KeyUse("01", "application", "fin-budget-app", True)]}, "revoked-key"),
        ({"uses": [KeyUse("01", "application", "another-app", False)]}, "reused-key"),
        ({"uses": [KeyUse("01", "person", "fin-budget-app", False)]}, "reused-key"),
        ({"wanted": Wanted(lifetime_seconds=0)}, "wrong-profile"),
        (
            {"wanted": Wanted(("a.fin.example",)), "profile": NAMELESS},
            "wrong-profile",
        ),
    ],
)
def test_each_rule_refuses_by_itself(changed: dict[str, object], word: str) -> None:
    judge()
    assert refusal(**changed) == word  # type: ignore[arg-type]


@given(level=some.integers(1, 4), days=some.integers(1, 3650), wanted=some.none() | some.integers(1, 10**12))
def test_nothing_outlives_profile_level_or_request(level: int, days: int, wanted: int | None) -> None:
    asked = PROFILE.model_copy(update={"days": days})
    admitted = judge(holder=replace(HOLDER, level=level), profile=asked, wanted=Wanted(lifetime_seconds=wanted))
    allowed = {1: 365, 2: 365, 3: 180, 4: 90}[level]
    assert admitted.life == min(timedelta(days=min(days, allowed)), timedelta(seconds=min(wanted or 10**9, 10**9)))


def test_the_holders_own_earlier_certificate_is_no_hindrance() -> None:
    assert judge(uses=[KeyUse("01", "application", "fin-budget-app", False)]).holder == HOLDER
