"""The certificate that signs CMP's answers is there, in sites from before too, and never ends."""

import secrets

from cryptography import x509

from pki import issuer
from pki.cmp import jobs, shield
from pki.issuer import CMP
from pki.models import Authority
from tests.pki.conftest import SETTINGS, Pki


def renew(pki: Pki) -> bool:
    return shield.renew(pki.database, pki.signer.client, pki.clock, secrets.token_bytes, SETTINGS)


def test_our_certificate_is_made_and_renewed(sqlite_pki: Pki) -> None:
    assert not renew(sqlite_pki)
    with sqlite_pki.database.write() as session:
        session.delete(session.get_one(Authority, CMP))
    (job,) = jobs.renewal(lambda: renew(sqlite_pki))
    job.run(sqlite_pki.clock.now())
    with sqlite_pki.database.read() as session:
        first = x509.load_der_x509_certificate(issuer.get(session, CMP).der)
    sqlite_pki.clock.advance(days=334)
    assert not renew(sqlite_pki)
    sqlite_pki.clock.advance(days=2)
    assert renew(sqlite_pki)
    with sqlite_pki.database.read() as session:
        second = x509.load_der_x509_certificate(issuer.get(session, CMP).der)
    assert second.public_key() == first.public_key()
    assert second.not_valid_after_utc > first.not_valid_after_utc
    purposes = second.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [one.dotted_string for one in purposes] == ["1.3.6.1.5.5.7.3.27"]
