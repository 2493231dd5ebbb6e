"""Profiles as data: whole or not at all; and every certificate of a shipped profile passes another linter."""

import pytest
import yaml
from pkilint import loader
from pkilint.pkix import certificate, extension, name
from pkilint.validation import ValidationFindingSeverity
from sqlmodel import select

from core.errors import TrustError
from core.identity import SubjectKind
from core.registry import levels
from pki import profile
from pki.models import Authority
from tests.pki import test_template as templates
from tests.pki.conftest import Pki

SHIPPED = profile.shipped()

#: How findings begin that pkilint has against ours and that we do not follow, each with the reason.
ALLOWED = {
    'pkix.invalid_uri_syntax: Invalid URI syntax: "urn:guosuo:': (
        "its check knows addresses of the web alone; a URN is a URI (RFC 3986, 1.1.3; RFC 8141), as RFC 5280, "
        "4.2.1.6 wants it"
    )
}


def test_there_is_a_profile_for_everybody_in_the_register() -> None:
    assert {one.holder for one in SHIPPED.listed} == set(SubjectKind)
    assert len(SHIPPED.digest) == 64
    for one in SHIPPED.listed:
        assert one.lifetime <= max(levels.longest_life(one.holder, level) for level in levels.LEVELS)
    with pytest.raises(TrustError) as caught:
        SHIPPED.get("nonsense")
    assert caught.value.word == "wrong-profile"


def changed(**of_first: object) -> str:
    read = yaml.safe_load(SHIPPED.text)
    read["profiles"][0].update(of_first)
    return yaml.safe_dump(read, allow_unicode=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version: 1",
        "[]",
        "{",
        "&a [*a]",
        "version: &a [x]\ntitle: *a",
        "title: x\n<<: [{version: 1}, &a {b: c}, *a]",
        "version: [1]\ntitle: x\nprofiles: []",
        "version: true\ntitle: x\nprofiles: []",
        "version: !!timestamp foo",
        "version: !!int ''",
        "version: '\ud800'",
        "version: " + "[" * 40 + "]" * 40,
        "profiles: []\nversion: 1\ntitle: x",
        changed(days=0),
        changed(days=4000),
        changed(days="ninety"),
        changed(levels=[3, 2]),
        changed(levels=[0, 5]),
        changed(keys=[]),
        changed(keys=["p256", "p256"]),
        changed(keys=["dsa"]),
        changed(usages=["key-cert-sign"]),
        changed(purposes=["ocsp-signing"]),
        changed(holder="authority"),
        changed(name="Person"),
        changed(name="gateway"),
        changed(source=""),
        changed(unknown=1),
        SHIPPED.text + "\n#" + "x" * 70_000,
    ],
)
def test_faulty_profiles_are_refused_whole(text: str) -> None:
    with pytest.raises(TrustError) as caught:
        profile.parse_profiles(text)
    assert caught.value.word == "malformed"


def test_the_digest_is_of_the_text() -> None:
    assert profile.parse_profiles(SHIPPED.text).digest == SHIPPED.digest
    assert profile.parse_profiles(SHIPPED.text + "\n").digest != SHIPPED.digest


def faults(der: bytes) -> set[str]:
    """What pkilint has against a certificate: RFC 5280 as a whole, every finding from a notice up."""
    validator = certificate.create_pkix_certificate_validator_container(
        certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )
    found = validator.validate(loader.load_certificate(der, "ours").root)
    told = {
        f"{one.finding.code}: {one.message or ''}"
        for result in found
        for one in result.finding_descriptions
        if one.finding.severity <= ValidationFindingSeverity.NOTICE
    }
    return {one for one in told if not one.startswith(tuple(ALLOWED))}


@pytest.mark.parametrize("listed", SHIPPED.listed, ids=lambda one: one.name)
def test_another_linter_has_nothing_against_our_certificates(listed: profile.Profile) -> None:
    assert faults(templates.issue(templates.sample(listed.name))) == set()


def test_another_linter_has_nothing_against_our_authorities(sqlite_pki: Pki) -> None:
    with sqlite_pki.database.read() as session:
        rows = session.exec(select(Authority)).all()
    # The address of the tests is no host name for it; that of a site is.
    place = "pkix.invalid_uri_syntax"
    told = {row.name: {one for one in faults(row.der) if not one.startswith(place)} for row in rows}
    assert told == {"root": set(), "issuing": set(), "ocsp": set(), "tsa-1": set(), "cmp": set()}


def test_the_other_linter_sees_faults() -> None:
    """Else the two tests before this one say nothing."""
    der = templates.issue(templates.sample())
    assert faults(der.replace(b"urn:guosuo", b"urn guosuo"))
