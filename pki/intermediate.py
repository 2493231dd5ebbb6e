"""The certificates between a holder's and the root's: for peers that show their own alone, as browsers do."""

from cryptography import x509
from sqlmodel import Session, select

from pki.models import Authority


def certificates(session: Session) -> list[bytes]:
    """Return the certificates (DER) of our authorities below a root, by name."""
    rows = session.exec(select(Authority).order_by(Authority.name)).all()
    return [row.der for row in rows if _is_between(x509.load_der_x509_certificate(row.der))]


def _is_between(certificate: x509.Certificate) -> bool:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    return constraints.ca and certificate.issuer != certificate.subject
