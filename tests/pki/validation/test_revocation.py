"""Status from lists beyond the NIST suite: who may sign one, when it counts, and how much work it may make."""

import time
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ReasonFlags
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as some

from pki.errors import RefusedPath
from pki.validation import certificate, crl, path
from pki.validation.path import Evidence
from tests.pki.validation.chains import AUTHORITY, DAY, NOW, Extensions, List, key, make, named, validate

SIGNS_LISTS: Extensions = [
    (
        x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=False,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        ),
        True,
    )
]

CHAIN = [make("Authority 1", "Root", AUTHORITY, serial=2), make("last", "Authority 1", serial=3)]


def word(*lists: List, signers: tuple[bytes, ...] = (), chain: list[bytes] = CHAIN) -> str:
    evidence = Evidence(tuple(one.parsed() for one in lists), tuple(certificate.parse(one) for one in signers))
    try:
        validate(chain, evidence)
    except RefusedPath as error:
        return error.word
    return "accepted"


OF_ROOT, OF_AUTHORITY = List("Root"), List("Authority 1")


def test_each_certificate_needs_its_list() -> None:
    assert word(OF_ROOT, OF_AUTHORITY) == "accepted"
    assert word(OF_AUTHORITY, OF_ROOT) == "accepted"
    assert word(OF_ROOT) == word(OF_AUTHORITY) == word() == "status-undetermined"


@given(serial=some.integers(1, 6), reason=some.sampled_from([one for one in ReasonFlags if one.name != "unspecified"]))
@settings(deadline=None)
def test_exactly_what_is_listed_is_revoked(serial: int, reason: ReasonFlags) -> None:
    found = word(OF_ROOT, List("Authority 1", {serial: reason}))
    listed = serial == 3 and reason is not ReasonFlags.remove_from_crl
    assert found == ("revoked" if listed else "accepted")


@given(seconds=some.integers(-200_000, 200_000))
@settings(deadline=None, max_examples=50)
def test_list_counts_from_its_first_to_its_last_second(seconds: int) -> None:
    moved = List(
        "Authority 1", start=NOW - DAY + timedelta(seconds=seconds), end=NOW + DAY + timedelta(seconds=seconds)
    )
    current = abs(seconds) <= DAY.total_seconds()
    assert word(OF_ROOT, moved) == ("accepted" if current else "status-undetermined")


def test_list_by_somebody_else_with_the_right_name_says_nothing() -> None:
    assert word(OF_ROOT, List("Authority 1", signer="Elsewhere")) == "status-undetermined"
    assert word(OF_ROOT, List("Elsewhere")) == "status-undetermined"
    # Beside a good list it does no harm, and revokes nothing.
    assert word(OF_ROOT, List("Authority 1", {3: ReasonFlags.key_compromise}, signer="x"), OF_AUTHORITY) == "accepted"


def test_newest_list_decides() -> None:
    revoking = {3: ReasonFlags.certificate_hold}
    older, newer = List("Authority 1", start=NOW - 2 * DAY), List("Authority 1", revoking)
    assert word(OF_ROOT, older, newer) == word(OF_ROOT, newer, older) == "revoked"
    lifted = List("Authority 1", start=NOW - DAY / 2)
    assert word(OF_ROOT, newer, lifted) == word(OF_ROOT, lifted, newer) == "accepted"


def partial(*, reasons: frozenset[ReasonFlags] | None = None, **only: bool) -> Extensions:
    given_ = {
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_contains_attribute_certs": False,
    }
    point = x509.IssuingDistributionPoint(
        full_name=None, relative_name=None, only_some_reasons=reasons, indirect_crl=False, **(given_ | only)
    )
    return [(point, True)]


def test_lists_for_some_reasons_count_together() -> None:
    every = {one for one in ReasonFlags if one.name not in ("unspecified", "remove_from_crl")}
    some_ = frozenset({ReasonFlags.key_compromise, ReasonFlags.ca_compromise})
    first = List("Authority 1", extensions=partial(reasons=some_))
    rest = List("Authority 1", extensions=partial(reasons=frozenset(every - some_)))
    assert word(OF_ROOT, first) == word(OF_ROOT, rest) == "status-undetermined"
    assert word(OF_ROOT, first, rest) == "accepted"
    held = List("Authority 1", {3: ReasonFlags.certificate_hold}, extensions=partial(reasons=frozenset(every - some_)))
    assert word(OF_ROOT, first, held) == "revoked"


def test_point_without_a_name_is_that_of_its_issuers() -> None:
    """A list that names a point is about a certificate that names its issuer alone, when the names are the same."""
    issuer = [x509.DirectoryName(named("Lists"))]
    point = x509.CRLDistributionPoints([x509.DistributionPoint(None, None, None, issuer)])
    chain = [CHAIN[0], make("last", "Authority 1", [(point, False)], serial=3)]
    signer = make("Lists", "Root", SIGNS_LISTS, serial=9)

    def indirect(*own: x509.GeneralName, is_indirect: bool = True) -> List:
        made = x509.IssuingDistributionPoint([*own] or None, None, False, False, None, is_indirect, False)
        return List("Lists", extensions=[(made, True)])

    for made in (indirect(), indirect(*issuer)):
        assert word(OF_ROOT, made, signers=(signer,), chain=chain) == "accepted"
    for made in (indirect(*place("x")), indirect(*issuer, is_indirect=False)):
        assert word(OF_ROOT, made, signers=(signer,), chain=chain) == "status-undetermined"


def test_list_of_authorities_says_nothing_of_users() -> None:
    users, authorities = partial(only_contains_user_certs=True), partial(only_contains_ca_certs=True)
    assert word(List("Root", extensions=authorities), List("Authority 1", extensions=users)) == "accepted"
    assert word(List("Root", extensions=users), OF_AUTHORITY) == "status-undetermined"
    assert word(OF_ROOT, List("Authority 1", extensions=authorities)) == "status-undetermined"


def number(value: int, base: int | None = None) -> Extensions:
    delta = [] if base is None else [(x509.DeltaCRLIndicator(base), True)]
    return [(x509.CRLNumber(value), False), *delta]


def test_delta_adds_only_to_the_lists_it_was_made_for() -> None:
    complete = List("Authority 1", extensions=number(5))
    revoking = {3: ReasonFlags.key_compromise}
    assert word(OF_ROOT, complete, List("Authority 1", revoking, number(7, base=5))) == "revoked"
    assert word(OF_ROOT, complete, List("Authority 1", revoking, number(7, base=6))) == "accepted"
    assert word(OF_ROOT, complete, List("Authority 1", revoking, number(5, base=4))) == "accepted"
    assert word(OF_ROOT, complete, List("Authority 1", revoking, number(7, base=5), signer="x")) == "accepted"
    assert word(OF_ROOT, List("Authority 1", revoking, number(7, base=5))) == "status-undetermined"


def test_newest_delta_that_verifies_decides() -> None:
    complete = List("Authority 1", {3: ReasonFlags.certificate_hold}, number(5))
    lifted = List("Authority 1", {3: ReasonFlags.remove_from_crl}, number(7, base=5))
    again = List("Authority 1", {3: ReasonFlags.key_compromise}, number(8, base=5))
    assert word(OF_ROOT, complete) == "revoked"
    assert word(OF_ROOT, complete, lifted) == "accepted"
    assert word(OF_ROOT, complete, lifted, again) == word(OF_ROOT, complete, again, lifted) == "revoked"


def alias(signer: str, *, issuer: str = "Root", serial: int = 9, extensions: Extensions = SIGNS_LISTS) -> bytes:
    """A certificate that gives the name of Authority 1 to another key."""
    return make("Authority 1", issuer, extensions, serial=serial, own_key=signer)


def test_signer_apart_must_be_proven_itself() -> None:
    by_signer = List("Authority 1", signer="signer")
    good = alias("signer")
    assert word(OF_ROOT, by_signer) == "status-undetermined"
    assert word(OF_ROOT, by_signer, signers=(good,)) == "accepted"
    revoked = List("Root", {9: ReasonFlags.key_compromise})
    assert word(revoked, by_signer, signers=(good,)) == "status-undetermined"


@pytest.mark.parametrize(
    "bad",
    [
        alias("signer", issuer="Elsewhere"),
        alias("other"),
        alias("signer", extensions=[(x509.KeyUsage(True, *[False] * 8), True)]),
        make("Another", "Root", SIGNS_LISTS, serial=9, own_key="signer"),
    ],
    ids=["by another issuer", "with another key", "not for lists", "with another name"],
)
def test_signer_that_is_none_proves_nothing(bad: bytes) -> None:
    assert word(OF_ROOT, List("Authority 1", signer="signer"), signers=(bad,)) == "status-undetermined"


def test_signer_may_be_in_its_own_list() -> None:
    """As the NIST suite asks (4.14.30): the list can say that its signer is revoked, and then proves nothing."""
    signer = alias("signer", issuer="Authority 1")
    assert word(OF_ROOT, List("Authority 1", signer="signer"), signers=(signer,)) == "accepted"
    revoked = List("Authority 1", {9: ReasonFlags.key_compromise}, signer="signer")
    assert word(OF_ROOT, revoked, signers=(signer,)) == "status-undetermined"


def at(name: str) -> tuple[x509.ExtensionType, bool]:
    """A certificate's point."""
    return x509.CRLDistributionPoints([x509.DistributionPoint(place(name), None, None, None)]), False


def of(name: str) -> Extensions:
    """A list's own point."""
    return [(x509.IssuingDistributionPoint(place(name), None, False, False, None, False, False), True)]


def place(name: str) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(f"http://lists.example/{name}")]


def test_signers_that_vouch_for_each_other_prove_nothing() -> None:
    """Each one's status is in a list that the other signs: nobody outside the circle vouches for either."""
    signers = tuple(
        alias(own, issuer="Authority 1", serial=serial, extensions=[*SIGNS_LISTS, at(other)])
        for own, other, serial in (("first", "second", 20), ("second", "first", 21))
    )
    lists = [List("Authority 1", extensions=of(own), signer=own) for own in ("first", "second")]
    chain = [CHAIN[0], make("last", "Authority 1", [at("first")], serial=3)]
    assert word(OF_ROOT, *lists, signers=signers, chain=chain) == "status-undetermined"
    # The same with a list from outside the circle for one of the two.
    outside = List("Authority 1", extensions=of("first"))
    assert word(OF_ROOT, lists[1], outside, signers=signers, chain=chain) == "accepted"
    vouched = alias("second", issuer="Authority 1", serial=21, extensions=[*SIGNS_LISTS, at("third")])
    third = List("Authority 1", extensions=of("third"))
    assert word(OF_ROOT, *lists, third, signers=(signers[0], vouched), chain=chain) == "accepted"


def test_work_is_bounded() -> None:
    """As many signers of one name, and lists by none of them, as can be handed in."""
    signers = tuple(
        alias(f"signer {one % 8}", issuer="Authority 1", serial=100 + one) for one in range(path.MOST_SIGNERS)
    )
    lists = (OF_ROOT, *(List("Authority 1", signer="nobody") for _ in range(path.MOST_LISTS - 1)))
    start = time.process_time()
    assert word(*lists, signers=signers) == "too-much"
    assert time.process_time() - start < 5
    assert word(*lists, OF_ROOT) == "too-much"
    assert word(OF_ROOT, OF_AUTHORITY, signers=(*signers, CHAIN[0])) == "too-much"


def test_list_with_many_entries_is_read_in_time() -> None:
    many = List("Authority 1", dict.fromkeys(range(1000, 6000), ReasonFlags.superseded)).make()
    start = time.process_time()
    assert [len(one) for one in crl.parse(many).entries.values()] == [5000]
    assert time.process_time() - start < 2
    with pytest.raises(RefusedPath) as caught:
        crl.parse(b"\x30" + bytes(crl.LARGEST))
    assert caught.value.word == "too-much"


def test_critical_extension_of_a_list_that_nobody_knows() -> None:
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    assert word(OF_ROOT, List("Authority 1", extensions=[(odd, True)])) == "status-undetermined"
    assert word(OF_ROOT, List("Authority 1", extensions=[(odd, False)])) == "accepted"


def test_name_of_the_list_is_the_one_it_says() -> None:
    found = OF_AUTHORITY.parsed()
    assert str(found.issuer) == named("Authority 1").rfc4514_string()
    assert key("Authority 1").public_key() != key("Root").public_key()


def test_entries_about_others_count_only_in_an_indirect_list() -> None:
    """A direct list whose entries name another issuer says nothing: it could hide its own entries behind that."""
    one = x509.RevokedCertificateBuilder().serial_number(3).revocation_date(NOW - DAY)
    one = one.add_extension(x509.CertificateIssuer([x509.DirectoryName(named("Elsewhere"))]), critical=True)
    made = x509.CertificateRevocationListBuilder().issuer_name(named("Authority 1")).last_update(NOW - DAY)
    made = made.next_update(NOW + DAY).add_revoked_certificate(one.build())
    direct = crl.parse(made.sign(key("Authority 1"), hashes.SHA256()).public_bytes(Encoding.DER))
    point = x509.IssuingDistributionPoint(None, None, False, False, None, True, False)
    made = made.add_extension(point, critical=True)
    indirect = crl.parse(made.sign(key("Authority 1"), hashes.SHA256()).public_bytes(Encoding.DER))
    assert (direct.unknown, indirect.unknown) == ("2.5.29.29", "")
    parsed = [certificate.parse(one) for one in CHAIN]
    validate(parsed, Evidence((OF_ROOT.parsed(), indirect)))
    with pytest.raises(RefusedPath) as caught:
        validate(parsed, Evidence((OF_ROOT.parsed(), direct)))
    assert (caught.value.word, caught.value.place) == ("status-undetermined", 2)


def test_of_two_entries_the_one_that_revokes_counts() -> None:
    complete = List("Authority 1", extensions=number(5))
    for reasons in ((ReasonFlags.key_compromise, ReasonFlags.remove_from_crl), (ReasonFlags.remove_from_crl,) * 2):
        for order in (reasons, reasons[::-1]):
            made = x509.CertificateRevocationListBuilder().issuer_name(named("Authority 1")).last_update(NOW - DAY)
            made = made.next_update(NOW + DAY)
            for value, critical in number(7, base=5):
                made = made.add_extension(value, critical=critical)
            for reason in order:
                entry = x509.RevokedCertificateBuilder().serial_number(3).revocation_date(NOW - DAY)
                made = made.add_revoked_certificate(entry.add_extension(x509.CRLReason(reason), critical=False).build())
            delta = crl.parse(made.sign(key("Authority 1"), hashes.SHA256()).public_bytes(Encoding.DER))
            evidence = Evidence((OF_ROOT.parsed(), complete.parsed(), delta))
            if ReasonFlags.key_compromise in order:
                with pytest.raises(RefusedPath, match="revoked"):
                    validate(CHAIN, evidence)
            else:
                validate(CHAIN, evidence)


def test_an_issuer_with_a_long_name_does_not_make_every_entry_long() -> None:
    """Named once, it holds for all entries that follow (5.3.3): it is looked up once, too."""
    values = [f"{one}".zfill(32) for one in range(4_096)]
    parts = [[x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, one) for one in values[n::64]] for n in range(64)]
    long = x509.Name([x509.RelativeDistinguishedName(part) for part in parts])
    first, *others = (x509.RevokedCertificateBuilder(number, NOW) for number in range(1, 30_001))
    first = first.add_extension(x509.CertificateIssuer([x509.DirectoryName(long)]), critical=True)
    point = x509.IssuingDistributionPoint(None, None, False, False, None, True, False)
    made = x509.CertificateRevocationListBuilder(
        named("Authority 1"), NOW - DAY, NOW + DAY, [], [one.build() for one in (first, *others)]
    ).add_extension(point, critical=True)
    content = made.sign(key("Authority 1"), hashes.SHA256()).public_bytes(Encoding.DER)
    start = time.process_time()
    assert sorted(len(one) for one in crl.parse(content).entries.values()) == [0, 30_000]
    assert time.process_time() - start < 1.5
