"""Two installations certify each other: what is inside the bounds is believed on both sides, nothing else is."""

import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as some

from core.approval.acts import Act
from core.database import Database
from core.errors import Conflict, NotFound, TrustError
from core.identity import SubjectKind
from core.registry import change, loader
from pki import authority_api, chain, crossing, crossing_act, hierarchy, issuer, otherroot, planning
from pki.crossing import Crossing
from pki.errors import AlreadyRevoked, RefusedPath
from pki.request import IssuanceRequest, IssuedCertificate
from pki.settings import PkiSettings
from pki.validation import certificate, path
from pki.validation import crl as lists
from pki.validation.path import Evidence
from pki.validation.process import Parameters
from tests.clock import ManualClock
from tests.people import PROVINCE
from tests.pki.conftest import SETTINGS, Pki, csr, join
from tests.services import softhsm

OTHER = PkiSettings(organisation="临河市 演练样本", public_url="http://localhost:8580")


@dataclass
class Two:
    """``ours`` relies on ``theirs`` through a cross-certificate."""

    ours: Pki
    theirs: Pki
    folder: Path


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, tables_file: Path) -> Iterator[Two]:
    folder, clock = tmp_path_factory.mktemp("two"), ManualClock()
    clock.advance(seconds=(datetime.now(UTC) - clock.now()).total_seconds())
    with softhsm.running() as first, softhsm.running() as second:
        made = []
        for name, running, names, space in (
            ("ours", first, SETTINGS, "beichen.example"),
            ("theirs", second, OTHER, "linhe.example"),
        ):
            shutil.copy(tables_file, folder / f"{name}.sqlite3")
            database = Database(f"sqlite:///{folder}/{name}.sqlite3")
            text = PROVINCE.read_text(encoding="utf-8").replace("beichen.example", space)
            with database.write() as session:
                change.apply(session, loader.parse_province(text), actor="founding", at=clock.now())
            hierarchy.establish(database, running.client, clock, secrets.token_bytes, names)
            made.append(join(database, clock, running, folder))
        yield Two(*made, folder)
        for one in made:
            one.database.close()


def root_of(pki: Pki) -> str:
    with pki.database.read() as session:
        return chain.pem(chain.every(session, "root"))


def asked(two: Two, name: str, **more: object) -> Crossing:
    given_: dict[str, object] = {"root": root_of(two.theirs), "path_length": 1, "hosts": ("fin.linhe.example",)}
    return Crossing(name=name, **{**given_, **more})  # type: ignore[arg-type]  # the tests name real fields


def cross(pki: Pki, wanted: Crossing, names: PkiSettings = SETTINGS) -> str:
    at = pki.clock.now()
    with pki.database.write() as session:
        made = crossing.plan_crossed(session, wanted, at)
        planning.record(session, made, proposer="he-sysadmin", approver="lu-security", basis="演练样本", at=at)
    hierarchy.make_planned(pki.database, pki.signer.client, pki.clock, secrets.token_bytes, names)
    return made.name


def application(pki: Pki, holder: str, host: str) -> IssuedCertificate:
    key = ec.generate_private_key(ec.SECP256R1())
    request = IssuanceRequest(csr(key, holder), "application", SubjectKind.APPLICATION, holder, (host,))
    return pki.authority.issue(request, actor="zhao-ra")


def der(pki: Pki, name: str) -> bytes:
    with pki.database.read() as session:
        return issuer.get(session, name).der


def judges(two: Two, link: str, leaf: IssuedCertificate, side: str = "ours", listed: bool = True) -> tuple[str, str]:
    """What openssl and our own validation say of ``root of one side → link → issuing of the other → leaf``."""
    near, far = (two.ours, two.theirs) if side == "ours" else (two.theirs, two.ours)
    above = [der(near, link), der(far, "issuing")]
    found = [_list(near, "root"), _list(far, "root"), _list(far, "issuing")] if listed else []
    return _openssl(two.folder, der(near, "root"), above, leaf.der, found), _own(near, above, leaf.der, found)


def _list(pki: Pki, name: str) -> bytes:
    return pki.publisher.current(name)


def _openssl(folder: Path, anchor: bytes, above: Sequence[bytes], leaf: bytes, found: Sequence[bytes]) -> str:
    def write(name: str, ders: Sequence[bytes]) -> None:
        parts = (x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM) for one in ders)
        (folder / name).write_bytes(b"".join(parts))

    for name, ders in (("anchor.pem", [anchor]), ("above.pem", above), ("leaf.pem", [leaf])):
        write(name, ders)
    command = ["openssl", "verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-CAfile", "anchor.pem"]
    if found:
        parts = (x509.load_der_x509_crl(one).public_bytes(Encoding.PEM) for one in found)
        (folder / "lists.pem").write_bytes(b"".join(parts))
        command += ["-crl_check_all", "-CRLfile", "lists.pem"]
    command += ["-untrusted", "above.pem", "leaf.pem"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.partition("lookup: ")[2].partition("\n")[0]


def _own(pki: Pki, above: Sequence[bytes], leaf: bytes, found: Sequence[bytes]) -> str:
    parsed = [certificate.parse(one) for one in (*above, leaf)]
    anchor = path.trust(certificate.parse(der(pki, "root")))
    evidence = Evidence(tuple(lists.parse(one) for one in found)) if found else None
    try:
        path.validate(parsed, anchor, Parameters(now=pki.clock.now()), evidence)
    except RefusedPath as error:
        return error.word
    return ""


def test_both_sides_believe_what_is_inside_and_nothing_else(two: Two) -> None:
    link = cross(two.ours, asked(two, "linhe", policies=("1.2.156.10197.99",)))
    back = cross(two.theirs, asked(two, "beichen", root=root_of(two.ours), hosts=("office.beichen.example",)), OTHER)
    made = x509.load_der_x509_certificate(der(two.ours, link))
    assert made.subject == x509.load_der_x509_certificate(der(two.theirs, "root")).subject
    basic = made.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (basic.ca, basic.path_length) == (True, 1)
    policies = made.extensions.get_extension_for_class(x509.CertificatePolicies).value
    assert [one.policy_identifier.dotted_string for one in policies] == ["1.2.156.10197.99"]
    for pki in (two.ours, two.theirs):
        pki.publisher.refresh(force=True)
    inside = application(two.theirs, "fin-budget-app", "fin-budget.fin.linhe.example")
    outside = application(two.theirs, "office-docs-app", "docs.office.linhe.example")
    assert judges(two, link, inside) == ("", "")
    assert judges(two, link, outside) == ("permitted subtree violation", "name-not-permitted")
    office = application(two.ours, "office-docs-app", "docs.office.beichen.example")
    finance = application(two.ours, "fin-budget-app", "fin-budget.fin.beichen.example")
    assert judges(two, back, office, "theirs") == ("", "")
    assert judges(two, back, finance, "theirs") == ("permitted subtree violation", "name-not-permitted")
    # Whom the other side certified logs in nowhere here: nobody here handed it out.
    with pytest.raises(TrustError) as caught:
        two.ours.authenticator.authenticate(inside.der)
    assert caught.value.word == "foreign-issuer"


def test_too_long_a_path_is_refused_by_everybody(two: Two) -> None:
    link = cross(two.ours, asked(two, "short", path_length=0))
    leaf = application(two.theirs, "fin-budget-app", "fin-budget.fin.linhe.example")
    told, word = judges(two, link, leaf, listed=False)
    assert (told, word) == ("path length constraint exceeded", "path-too-long")


def test_an_excluded_name_inside_a_permitted_one(two: Two) -> None:
    wanted = asked(two, "partly", hosts=("linhe.example",), excluded=("office.linhe.example",))
    link = cross(two.ours, wanted)
    good = application(two.theirs, "fin-budget-app", "fin-budget.fin.linhe.example")
    bad = application(two.theirs, "office-docs-app", "docs.office.linhe.example")
    assert judges(two, link, good, listed=False) == ("", "")
    assert judges(two, link, bad, listed=False) == ("excluded subtree violation", "name-excluded")


def test_a_revoked_cross_certificate_leads_nowhere(two: Two) -> None:
    link = cross(two.ours, asked(two, "gone"))
    leaf = application(two.theirs, "fin-budget-app", "fin-budget.fin.linhe.example")
    for pki in (two.ours, two.theirs):
        pki.publisher.refresh(force=True)
    assert judges(two, link, leaf) == ("", "")
    with two.ours.database.write() as session:
        crossing.revoke(session, link, "superseded", actor="lu-security", at=two.ours.clock.now())
    with two.ours.database.write() as session, pytest.raises(AlreadyRevoked):
        crossing.revoke(session, link, "superseded", actor="lu-security", at=two.ours.clock.now())
    with two.ours.database.read() as session:
        assert authority_api.show(link, session, two.ours.clock).state == "revoked"
        for name in ("issuing", "root", "foreign-nobody"):
            with pytest.raises(NotFound):
                crossing.find(session, name)
    two.ours.clock.advance(seconds=1)
    assert two.ours.publisher.refresh()
    told, word = judges(two, link, leaf)
    assert ("revoked" in told, word) == (True, "revoked")


def stranger(*, ca: bool = True, key: object = None, subject: str = "Stranger", signer: object = None) -> str:
    own = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .serial_number(5)
        .public_key(own.public_key())  # type: ignore[attr-defined]
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=900))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=ca, crl_sign=ca, decipher_only=False, **usage),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)  # type: ignore[attr-defined]
        .sign(signer or own, hashes.SHA256())  # type: ignore[arg-type]
    )
    return made.public_bytes(Encoding.PEM).decode()


def test_what_is_not_certified(two: Two) -> None:
    ours = root_of(two.ours)
    for more, word in (
        ({"root": ours}, "look-alike-issuer"),
        ({"root": "nonsense"}, "malformed"),
        ({"root": "A" * 20_000}, "malformed"),
        ({"root": stranger(ca=False)}, "no-authority"),
        ({"root": stranger(key=rsa.generate_private_key(65537, 2048))}, "weak-key"),
        ({"root": stranger(signer=ec.generate_private_key(ec.SECP256R1()))}, "broken-proof-of-possession"),
        ({"path_length": 3}, "path-too-long"),
        ({"path_length": -1}, "path-too-long"),
        ({"hosts": ()}, "malformed"),
        ({"hosts": ("Linhe.example",)}, "malformed"),
        ({"hosts": ("example",)}, "malformed"),
        ({"hosts": ("fin.beichen.example",)}, "foreign-name"),
        ({"hosts": ("beichen.example",)}, "foreign-name"),
        ({"hosts": ("a.fin.beichen.example",)}, "foreign-name"),
        ({"addresses": ("10.0.0.1/8",)}, "malformed"),
        ({"excluded": ("*.linhe.example",)}, "malformed"),
        ({"policies": ("1.2.x",)}, "malformed"),
        ({"days": 0}, "malformed"),
        ({"days": 4000}, "malformed"),
        ({"name": "root"}, "malformed"),
    ):
        wanted = asked(two, "nobody")
        with two.ours.database.read() as session, pytest.raises(TrustError) as caught:
            crossing.plan_crossed(session, replace(wanted, **more), two.ours.clock.now())  # type: ignore[arg-type]
        assert caught.value.word == word, more
    with two.ours.database.read() as session, pytest.raises(TrustError, match="not valid now"):
        crossing.plan_crossed(session, asked(two, "nobody"), two.ours.clock.now() + timedelta(days=9000))
    cross(two.ours, asked(two, "twice"))
    with two.ours.database.read() as session, pytest.raises(Conflict, match="already"):
        crossing.plan_crossed(session, asked(two, "twice"), two.ours.clock.now())


def test_a_root_without_ours_in_it_is_read(two: Two) -> None:
    read = otherroot.read(root_of(two.theirs))
    assert len(otherroot.fingerprint(read).replace(" ", "")) == 64


@given(text=some.one_of(some.text(max_size=300), some.binary(max_size=300).map(lambda one: one.decode("latin-1"))))
@settings(deadline=None, max_examples=150)
def test_noise_is_no_root(text: str) -> None:
    with pytest.raises(TrustError):
        otherroot.read(text)
    with pytest.raises(TrustError):
        otherroot.read(f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")


def body(two: Two, **more: object) -> dict[str, object]:
    given_: dict[str, object] = {
        "name": "acted",
        "root": root_of(two.theirs),
        "path_length": 1,
        "hosts": ["fin.linhe.example"],
        "addresses": [],
        "excluded": [],
        "policies": [],
        "days": 30,
        "basis": "演练样本",
    }
    return {**given_, **more}


def act(name: str) -> Act:
    return next(one for one in crossing_act.ACTS if one.name == name)


def test_the_acts_tell_and_do(two: Two) -> None:
    at = two.ours.clock.now()
    with two.ours.database.write() as session:
        told = act(crossing_act.CROSS).consequences(session, body(two), at)  # type: ignore[arg-type]
        assert otherroot.fingerprint(otherroot.read(root_of(two.theirs))) in " ".join(told)
        done = act(crossing_act.CROSS).carry_out(session, body(two), "he-sysadmin", "lu-security", at)  # type: ignore[arg-type]
        assert done["authority"] == "foreign-acted"
        for bad in ({"path_length": True}, {"hosts": "x"}, {"hosts": [1]}, {"days": "30"}, {"basis": ""}, {"more": 1}):
            with pytest.raises(TrustError):
                act(crossing_act.CROSS).concern(session, body(two, **bad), at)  # type: ignore[arg-type]
    hierarchy.make_planned(two.ours.database, two.ours.signer.client, two.ours.clock, secrets.token_bytes, SETTINGS)
    gone = {"name": "foreign-acted", "reason": "cessation-of-operation", "basis": "演练样本"}
    with two.ours.database.write() as session:
        assert "for ever" in act(crossing_act.REVOKE).consequences(session, gone, at)[0]  # type: ignore[arg-type]
        act(crossing_act.REVOKE).carry_out(session, gone, "he-sysadmin", "lu-security", at)  # type: ignore[arg-type]
        with pytest.raises(AlreadyRevoked):
            act(crossing_act.REVOKE).consequences(session, gone, at)  # type: ignore[arg-type]
        with pytest.raises(TrustError):
            act(crossing_act.REVOKE).concern(session, {**gone, "reason": "because"}, at)  # type: ignore[arg-type]
