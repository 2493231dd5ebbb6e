"""Chains that are made, then permuted, cut, lengthened and changed: exactly the whole one is valid."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as some

from pki import der
from pki.errors import RefusedPath
from pki.validation import certificate, element, path, signature
from pki.validation.process import Parameters
from pki.validation.signature import Algorithms
from tests.pki.validation.chains import AUTHORITY, DAY, NOW, anchor, chain, key, make, named, validate

CHAIN = chain(4)


def test_whole_chain_is_valid() -> None:
    proven = validate(CHAIN)
    assert proven.certificate.content == CHAIN[-1]
    assert proven.key.public == key("last").public_key()


@given(some.permutations(range(4)).filter(lambda order: list(order) != [0, 1, 2, 3]))
@settings(deadline=None)
def test_permuted_is_refused(order: list[int]) -> None:
    with pytest.raises(RefusedPath) as caught:
        validate([CHAIN[place] for place in order])
    assert caught.value.word == "name-chaining"


@given(some.sets(some.integers(0, 3), min_size=1, max_size=4))
@settings(deadline=None)
def test_cut_is_refused_unless_it_ends_early(missing: set[int]) -> None:
    left = [place for place in range(4) if place not in missing]
    if left and left == list(range(len(left))):
        validate([CHAIN[place] for place in left])
        return
    with pytest.raises(RefusedPath):
        validate([CHAIN[place] for place in left])


@given(place=some.integers(0, 3), where=some.integers(0, 10**6), bit=some.integers(0, 7))
@settings(deadline=None, max_examples=300)
def test_one_bit_changed_is_refused(place: int, where: int, bit: int) -> None:
    broken = bytearray(CHAIN[place])
    broken[where % len(broken)] ^= 1 << bit
    with pytest.raises(RefusedPath):
        validate([*CHAIN[:place], bytes(broken), *CHAIN[place + 1 :]])


def test_longer_than_anybody_makes_is_refused() -> None:
    validate(chain(path.LONGEST))
    for length in (0, path.LONGEST + 1):
        with pytest.raises(RefusedPath) as caught:
            validate(chain(length) if length else [])
        assert caught.value.word == "path-too-long"


@given(seconds=some.integers(-200_000, 200_000))
@settings(deadline=None, max_examples=50)
def test_valid_from_first_to_last_second(seconds: int) -> None:
    now = NOW + timedelta(seconds=seconds)
    chain_of_two = [certificate.parse(one) for one in chain(2)]
    if abs(seconds) <= DAY.total_seconds():
        path.validate(chain_of_two, anchor(), Parameters(now=now))
        return
    with pytest.raises(RefusedPath) as caught:
        path.validate(chain_of_two, anchor(), Parameters(now=now))
    assert (caught.value.word, caught.value.place) == ("expired" if seconds > 0 else "not-yet-valid", 1)


def test_same_name_with_another_key_is_refused() -> None:
    alike = make("last", "Authority 3", own_key="last")
    wrong = make("Authority 3", "Authority 2", AUTHORITY, own_key="somebody else")
    with pytest.raises(RefusedPath) as caught:
        validate([*CHAIN[:2], wrong, alike])
    assert (caught.value.word, caught.value.section, caught.value.place) == ("bad-signature", "6.1.3 (a)(1)", 4)


PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)


@pytest.mark.parametrize("kind", ["pss", "rsa", "ed25519"])
def test_other_kinds_of_keys(kind: str) -> None:
    """An authority with a key of another kind; a changed signature is refused there too."""
    signing = ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else rsa.generate_private_key(65537, 2048)
    middle = x509.CertificateBuilder().subject_name(named("middle")).issuer_name(named("Root")).serial_number(2)
    middle = middle.public_key(signing.public_key()).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    above = middle.add_extension(*AUTHORITY[0]).sign(key("Root"), hashes.SHA256()).public_bytes(Encoding.DER)
    last = x509.CertificateBuilder().subject_name(named("last")).issuer_name(named("middle")).serial_number(3)
    last = last.public_key(key("last").public_key()).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    if isinstance(signing, ed25519.Ed25519PrivateKey):
        made = last.sign(signing, None)
    else:
        made = last.sign(signing, hashes.SHA256(), rsa_padding=PSS if kind == "pss" else None)
    content = made.public_bytes(Encoding.DER)
    validate([above, content])
    with pytest.raises(RefusedPath) as caught:
        validate([above, content[:-1] + bytes([content[-1] ^ 1])])
    assert caught.value.word == "bad-signature"


def test_hash_that_is_not_allowed_is_refused() -> None:
    parsed = [certificate.parse(one) for one in chain(1)]
    for hashes_, expected in ((frozenset({"sha256"}), "accepted"), (frozenset({"sha384"}), "algorithm-not-allowed")):
        parameters = Parameters(now=NOW, algorithms=Algorithms(hashes=hashes_))
        if expected == "accepted":
            path.validate(parsed, anchor(), parameters)
            continue
        with pytest.raises(RefusedPath) as caught:
            path.validate(parsed, anchor(), parameters)
        assert caught.value.word == expected


@pytest.mark.parametrize("mask", [hashes.SHA512(), hashes.SHA1()])
def test_mask_of_another_hash_is_not_allowed(mask: hashes.HashAlgorithm) -> None:
    """RSASSA-PSS with two hashes (RFC 4055, 3.1): the one that nobody names could be a weak one."""
    sequence, identifier = 0x30, 0x06
    ids = {"sha256": "2.16.840.1.101.3.4.2.1", "sha512": "2.16.840.1.101.3.4.2.3", "sha1": "1.3.14.3.2.26"}
    named_ = {name: der.encode(sequence, der.encode(identifier, element.octets_of(one))) for name, one in ids.items()}
    mgf1 = der.encode(identifier, element.octets_of("1.2.840.113549.1.1.8"))
    signing = rsa.generate_private_key(65537, 2048)
    key_ = signature.load(signing.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    for used in (hashes.SHA256(), mask):
        parameters = der.encode(
            sequence,
            der.encode(0xA0, named_["sha256"]),
            der.encode(0xA1, der.encode(sequence, mgf1, named_[used.name])),
            der.encode(0xA2, der.integer(32)),
        )
        pss = der.encode(identifier, element.octets_of("1.2.840.113549.1.1.10"))
        algorithm = der.encode(sequence, pss, parameters)
        signed = b"\x00" + signing.sign(b"content", padding.PSS(padding.MGF1(used), 32), hashes.SHA256())
        if used.name == "sha256":
            signature.verify(key_, algorithm, b"content", signed, signature.MODERN)
            continue
        with pytest.raises(RefusedPath) as caught:
            signature.verify(key_, algorithm, b"content", signed, signature.MODERN)
        assert caught.value.word == "algorithm-not-allowed"


def test_algorithm_outside_is_the_one_that_is_signed() -> None:
    """RFC 5280, 4.1.1.2: one of the two is under the signature, and the other is what a verifier would go by."""
    content = CHAIN[-1]
    where = content.rindex(der.ECDSA_WITH_SHA256)
    other = bytes.fromhex("300a06082a8648ce3d040303")
    with pytest.raises(RefusedPath, match="is not the one that is signed"):
        validate([*CHAIN[:-1], content[:where] + other + content[where + len(other) :]])


def test_purpose_is_asked_of_every_certificate_that_names_some() -> None:
    client, server = (x509.ObjectIdentifier(f"1.3.6.1.5.5.7.3.{last}") for last in (2, 1))
    above = make("Authority 1", "Root", [*AUTHORITY, (x509.ExtendedKeyUsage([client]), True)])
    last = certificate.parse(make("last", "Authority 1"))
    wanted = {oid: path.Parameters(now=NOW, purpose=element.octets_of(oid.dotted_string)) for oid in (client, server)}
    found = [certificate.parse(above), last]
    path.validate(found, anchor(), wanted[client])
    with pytest.raises(RefusedPath) as caught:
        path.validate(found, anchor(), wanted[server])
    assert (caught.value.word, caught.value.place) == ("wrong-purpose", 1)
    with pytest.raises(RefusedPath) as caught:
        validate(found)
    assert caught.value.word == "critical-extension"


def test_prefix_is_as_good_as_the_whole_path() -> None:
    parsed = [certificate.parse(one) for one in CHAIN]
    state = path.prefix(parsed[:-1], anchor(), Parameters(now=NOW))
    path.process.check_issued(state, parsed[-1], Parameters(now=NOW).algorithms)
    assert state.left == 1
    with pytest.raises(RefusedPath):
        path.prefix([parsed[0], parsed[2]], anchor(), Parameters(now=NOW))
