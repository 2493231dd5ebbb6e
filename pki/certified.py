"""What stands in a certificate that was handed out: its chain, and the names that were judged when it was made."""

from dataclasses import dataclass

from cryptography import x509
from sqlmodel import Session

from core.identity import Serial
from pki import chain as chains
from pki.models import Certificate
from pki.request import issued


@dataclass(frozen=True, slots=True)
class Hosts:
    """Host names and addresses, in their order."""

    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...]


def hosts(session: Session, serial: Serial) -> Hosts:
    """Return the host names and addresses of a certificate that was handed out."""
    loaded = x509.load_der_x509_certificate(session.get_one(Certificate, serial).der)
    try:
        names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Hosts((), ())
    addresses = names.get_values_for_type(x509.IPAddress)
    return Hosts(tuple(names.get_values_for_type(x509.DNSName)), tuple(str(one) for one in addresses))


def chain(session: Session, serial: Serial) -> str:
    """Return a certificate that was handed out with what stands above it (PEM)."""
    der = session.get_one(Certificate, serial).der
    return issued(serial, der, chains.of(session, serial)).chain_pem
