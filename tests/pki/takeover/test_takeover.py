"""An authority that ``openssl ca`` ran is taken over: what it issued, revoked and numbered, and its key by reference."""

import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import select

from core.errors import TrustError
from core.identity import Serial
from pki import issuer, revocation, standing
from pki.takeover.authority import JUMP
from pki.takeover.models import Takeover
from tests.pki.takeover.conftest import World

NAME = "issuing-legacy"


def number_of(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def openssl(world: World, *command: str) -> str:
    line = ["openssl", *command]
    done = subprocess.run(line, cwd=world.old.folder, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout + done.stderr


def ours(world: World) -> x509.CertificateRevocationList:
    crl = x509.load_der_x509_crl(world.pki.publisher.current(NAME))
    (world.old.folder / "ours.pem").write_bytes(crl.public_bytes(Encoding.PEM))
    return crl


def test_dry_run_tells_what_comes_and_what_does_not(sqlite_world: World) -> None:
    folder = sqlite_world.read()
    found = {serial: (one.word, one.why) for serial, one in sqlite_world.judge(folder).items()}
    assert found["1000"] == ("enters", "")
    assert found["1001"] == ("enters", "")
    assert found["1002"] == ("enters", "")
    assert found["1003"] == ("left", "its names are in no register")
    assert found["1004"][0] == "left"
    assert "it ended on 2021-01-01" in found["1004"][1]
    assert found["1005"] == ("listed", "its names are in no register")
    assert folder.number == 0x2C
    with sqlite_world.pki.database.read() as session:
        assert session.exec(select(Takeover)).all() == []


def test_taken_over_it_goes_on_under_its_name(world: World) -> None:
    old, pki = world.old, world.pki
    before = x509.load_pem_x509_crl((old.folder / "crl.pem").read_bytes())
    row = world.take_over(("finance",)) if _has_domain(world, "finance") else world.take_over()
    assert (row.state, row.entered, row.listed, row.left) == ("done", 3, 1, 2)
    # Lists: signed by the old key, with what was revoked before, since when and for what, under a higher number.
    after = ours(world)
    assert "verify OK" in openssl(world, "crl", "-in", "ours.pem", "-CAfile", "cacert.pem", "-noout", "-verify")
    assert number_of(after) == 0x2C + JUMP + 1 > number_of(before)
    assert {one.serial_number: one.revocation_date_utc for one in before} == {
        one.serial_number: one.revocation_date_utc for one in after
    }
    assert [_reason(before, one.serial_number) for one in before] == [
        _reason(after, one.serial_number) for one in before
    ]
    verify = ("verify", "-CAfile", "cacert.pem", "-CRLfile", "ours.pem", "-crl_check")
    assert "li-wen-0.pem: OK" in openssl(world, *verify, "li-wen-0.pem")
    assert "certificate revoked" in openssl(world, *verify, "sun-yue-1.pem")
    # Whoever holds one of its certificates is known here; who is on hold, revoked or nobody's is not let in.
    good, revoked, held, nobodys = (_der(old.folder, name) for name in _FILES)
    assert pki.authenticator.authenticate(good).identifier == "li-wen"
    for der, word in ((revoked, "revoked"), (held, "on-hold"), (nobodys, "unknown-certificate")):
        with pytest.raises(TrustError) as caught:
            pki.authenticator.authenticate(der)
        assert caught.value.word == word
    # Revoked here, it is on the next list and in the next answer.
    serial = Serial(f"{0x1000:040x}")
    with pki.database.write() as session:
        revocation.revoke(session, serial, reason="superseded", actor="lu-security", at=pki.clock.now())
    pki.publisher.refresh()
    ours(world)
    assert "certificate revoked" in openssl(world, *verify, "li-wen-0.pem")
    with pki.database.read() as session:
        assert standing.of(session, serial, NAME).state == "revoked"
        assert issuer.get(session, NAME).issuer == NAME


_FILES = ("li-wen-0.pem", "sun-yue-1.pem", "han-office-2.pem", "nobody-here-3.pem")


def _der(folder: Path, name: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert((folder / name).read_text())


def _has_domain(world: World, name: str) -> bool:
    from core.registry.models import SecurityDomain

    with world.pki.database.read() as session:
        return session.get(SecurityDomain, name) is not None


def _reason(crl: x509.CertificateRevocationList, serial: int) -> list[object]:
    entry = crl.get_revoked_certificate_by_serial_number(serial)
    assert entry is not None
    return [one.value.reason for one in entry.extensions if isinstance(one.value, x509.CRLReason)]
