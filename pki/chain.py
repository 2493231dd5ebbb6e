"""What stands between a certificate and the root that somebody knows: served with every certificate, and by itself.

Who knows only the first root needs the certificates by which each old root vouches for the next; who knows only the
newest needs those by which it vouches for the old ones (RFC 4210, 4.4). Both get them: a path is found by either.
"""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from sqlmodel import Session, col, select

from core.identity import Serial
from core.registry import credential
from pki import issuer, plan
from pki.issuer import ISSUING, ROOT
from pki.models import Authority
from pki.plan import CROSS, Plan


def above(session: Session, name: str) -> list[bytes]:
    """Return the certificates (DER) above whatever ``name`` issued, its own first; no root that signs itself."""
    found = issuer.get(session, name)
    own = [] if found.issuer == name else [found.der]
    if plan.kind_of(found.issuer) != ROOT:
        # Taken over: whoever signed it is none of ours.
        return own
    return [*own, *_links(session, plan.split(found.issuer)[1])]


def of(session: Session, serial: Serial) -> list[bytes]:
    """Return the certificates (DER) above one that was issued here."""
    return above(session, credential.get(session, serial).issuer)


def every(session: Session, name: str) -> list[bytes]:
    """Return every certificate (DER) of an authority: its own, and those that the other generations gave its key."""
    own = issuer.get(session, name)
    others = session.exec(select(Authority).where(Authority.key == own.key, Authority.name != name)).all()
    return [own.der, *(row.der for row in sorted(others, key=lambda row: row.name) if plan.kind_of(row.name) == CROSS)]


def bundle(session: Session, name: str) -> bytes:
    """Return ``every`` as certs-only CMS (RFC 5280, 4.2.2.1; RFC 8551, 3.2.2)."""
    loaded = [x509.load_der_x509_certificate(der) for der in every(session, name)]
    return pkcs7.serialize_certificates(loaded, Encoding.DER)


def authorities(session: Session) -> list[bytes]:
    """Return every certificate (DER) of every authority of ours: who asks for all of them gets these."""
    names = [one.name for one in plan.made(session) if one.is_ours]
    return list(dict.fromkeys(der for name in names for der in every(session, name)))


def issuing(session: Session) -> list[bytes]:
    """Return the certificates (DER) of the issuing authorities."""
    return [issuer.get(session, one.name).der for one in plan.made(session) if one.kind == ISSUING]


def pem(ders: Sequence[bytes]) -> str:
    """Return certificates in PEM."""
    loaded = (x509.load_der_x509_certificate(der) for der in ders)
    return "".join(one.public_bytes(Encoding.PEM).decode("ascii") for one in loaded)


def roots(session: Session) -> list[Plan]:
    """Return the generations of the root, oldest first."""
    return [one for one in plan.serving(session) if one.kind == ROOT]


def _links(session: Session, generation: int) -> list[bytes]:
    """Return what leads from a generation of the root up to the newest, and down to the first.

    Up first: OpenSSL takes the first that fits and never looks back, and whoever comes new knows the newest root alone.
    """
    rows = session.exec(select(Authority).where(col(Authority.name).startswith(f"{CROSS}-{ROOT}-")))
    found = {(int(number), way): row.der for row in rows for number, way in [row.name.split("-")[2:]]}
    up = [found[one] for one in sorted(found) if one[1] == "old" and one[0] > generation]
    return up + [found[one] for one in sorted(found, reverse=True) if one[1] == "new" and one[0] <= generation]
