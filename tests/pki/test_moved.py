"""Who moves up takes no certificate along that fewer had agreed to than their new domain asks for."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from core.errors import TrustError
from core.registry.models import Person, SecurityDomain, System
from pki.request import IssuanceRequest
from tests.pki.conftest import Pki, csr
from tests.pki.test_recheck import ask


def move(pki: Pki, who: type[Person | System], name: str, domain: str) -> None:
    with pki.database.write() as session:
        session.get_one(who, name).domain = domain


def level(pki: Pki, domain: str) -> int:
    with pki.database.read() as session:
        return session.get_one(SecurityDomain, domain).level


@pytest.mark.parametrize(
    ("kind", "holder", "moved"), [(Person, "han-office", "han-office"), (System, "office-docs-app", "office-docs")]
)
def test_down_issued_by_one_and_up_again_is_refused(
    sqlite_pki: Pki, kind: type[Person | System], holder: str, moved: str
) -> None:
    high, low = "inner-office", "outer-finance"
    assert level(sqlite_pki, high) > level(sqlite_pki, low)
    move(sqlite_pki, kind, moved, low)
    asked: IssuanceRequest = ask(holder, "person" if kind is Person else "application")
    made = sqlite_pki.authority.issue(asked, actor="zhao-ra", officers=1)
    assert sqlite_pki.authenticator.authenticate(made.der).identifier == holder
    move(sqlite_pki, kind, moved, high)
    with pytest.raises(TrustError) as refused:
        sqlite_pki.authenticator.authenticate(made.der)
    assert refused.value.word == "issued-at-lower-level"
    again = IssuanceRequest(csr_of(holder), asked.profile, None, holder)
    assert sqlite_pki.authenticator.authenticate(sqlite_pki.authority.issue(again, actor="x").der).domain == high


def csr_of(holder: str) -> bytes:
    return csr(ec.generate_private_key(ec.SECP256R1()), holder)


def test_down_and_sideways_a_certificate_goes_along(sqlite_pki: Pki) -> None:
    made = sqlite_pki.issue("han-office")
    move(sqlite_pki, Person, "han-office", "outer-finance")
    assert sqlite_pki.authenticator.authenticate(made.der).identifier == "han-office"
