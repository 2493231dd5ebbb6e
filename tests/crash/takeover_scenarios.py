"""An old authority that is taken over while the product is killed; its key is in the token, its list is long."""

import base64
import secrets
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sqlmodel import Session, func, select

from core.identity import PersonId
from core.registry.credential import Credential
from hsm.models import KeyAlgorithm, KeyInfo, KeyPurpose
from pki import issuer, tbs
from pki.models import Authority, Revocation
from pki.takeover import act, carrying, material, staging
from pki.takeover.material import Header, Item
from pki.takeover.models import TakeoverItem, TakeoverPlan
from tests.crash.nursery import Say
from tests.crash.parts import Parts, Place

#: One more than one transaction brings over, and the certificate that is good.
REVOKED = carrying.TOGETHER


def take_over(place: Place, say: Say) -> None:
    parts = Parts(place)
    header, items = _left_behind(parts)
    with parts.database.read() as session:
        words = [one.word for one in staging.judge(session, header, items, parts.clock.now())]
    digest = material.digest_of(header, zip(items, words, strict=True))
    with parts.database.write() as session:
        staging.stage(session, digest, header, 0, items, parts.clock.now(), "wu-ops")
        staging.seal(session, digest, staging.check_whole(session, digest))
        body = {"digest": digest, "basis": "演练样本"}
        act.ACTS[0].carry_out(session, body, PersonId("wu-ops"), PersonId("lu-security"), parts.clock.now())
    say("taken", digest)
    parts.clock.advance(seconds=5)
    assert parts.work_off("first") == []


def check(session: Session, digest: str) -> None:
    """Everything came over, each certificate once."""
    row = session.get_one(TakeoverPlan, digest)
    assert (row.state, row.done, row.entered, row.listed) == ("done", REVOKED + 1, 1, REVOKED)
    assert session.exec(select(TakeoverItem).where(TakeoverItem.plan == digest)).all() == []
    assert session.get(Authority, row.authority) is not None
    for table, count in ((Revocation, REVOKED), (Credential, 1)):
        of = select(func.count()).where(table.issuer == row.authority)
        assert session.exec(of).one() == count


def _left_behind(parts: Parts) -> tuple[Header, list[Item]]:
    now = parts.clock.now()
    called = "".join(secrets.choice("abcdefgh") for _ in range(9))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Old CA {called}")])
    info = parts.keys.generate(f"crash-{called}", KeyAlgorithm.P256, KeyPurpose.CA)
    key = issuer.as_p256(load_der_public_key(info.spki))
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    authority = _signed(parts, info, name, name, key, [(constraints, True)])
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    holder = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "li-wen")])
    leaf = ec.generate_private_key(ec.SECP256R1()).public_key()
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    good = _signed(parts, info, name, holder, leaf, [(usage, True), (purposes, False)])
    serial = f"{x509.load_der_x509_certificate(good).serial_number:040x}"
    items = [Item(place="x:1", serial=serial, state="good", certificate=base64.b64encode(good).decode())]
    start = int.from_bytes(secrets.token_bytes(15))
    items += [
        Item(
            place=f"x:{n}", serial=f"{start + n:040x}", state="revoked", at=now - timedelta(days=9), reason="superseded"
        )
        for n in range(2, REVOKED + 2)
    ]
    encoded = base64.b64encode(authority).decode()
    return Header(
        name=f"old-{called}", key=info.label, domains=(), certificate=encoded, number=7, total=len(items)
    ), items


def _signed(
    parts: Parts,
    info: KeyInfo,
    above: x509.Name,
    subject: x509.Name,
    key: ec.EllipticCurvePublicKey,
    extensions: list[tuple[x509.ExtensionType, bool]],
) -> bytes:
    """A certificate that the key in the token signs, as an authority of somebody else's would have it sign."""
    now = parts.clock.now()
    builder = x509.CertificateBuilder().issuer_name(above).subject_name(subject).public_key(key)
    builder = builder.serial_number(int.from_bytes(secrets.token_bytes(19)))
    builder = builder.not_valid_before(now - timedelta(days=9)).not_valid_after(now + timedelta(days=99))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    content = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).tbs_certificate_bytes
    own = issuer.as_p256(load_der_public_key(info.spki))
    return tbs.assemble(content, issuer.sign_with(parts.keys, info.label, content), own)
