"""A registration desk with officers at it, and what is asked there."""

import json
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from sqlmodel import func, select

from core.ledger.models import EvidenceRow
from core.registry.credential import Credential
from pki import desk
from pki.deskofficer import Officer
from pki.models import DeskRequest
from pki.request import IssuanceRequest
from tests.pki.conftest import Pki, csr, officer


@dataclass
class Counter:
    """A desk, and the officers who sit at it."""

    pki: Pki
    officers: dict[str, Officer] = field(default_factory=dict)

    def officer(self, name: str) -> Officer:
        if name not in self.officers:
            self.officers[name] = officer(self.pki, name)
        return self.officers[name]

    def approve(self, row: DeskRequest, name: str = "zhao-ra") -> DeskRequest:
        return self.pki.desk.approve(row.id, digest=row.digest, comment="", officer=self.officer(name))

    def return_(self, row: DeskRequest, name: str = "zhao-ra", comment: str = "x") -> DeskRequest:
        return self.pki.desk.return_(row.id, digest=row.digest, comment=comment, officer=self.officer(name))

    def reject(self, row: DeskRequest, name: str = "zhao-ra") -> DeskRequest:
        return self.pki.desk.reject(row.id, digest=row.digest, comment="no such need", officer=self.officer(name))


def ask(holder: str = "li-wen", **more: object) -> IssuanceRequest:
    made = csr(ec.generate_private_key(ec.SECP256R1()), holder)
    return IssuanceRequest(made, "person", None, holder, **more)  # type: ignore[arg-type]  # real fields


def events(pki: Pki) -> list[tuple[str, str, str]]:
    with pki.database.read() as session:
        rows = session.exec(select(EvidenceRow).where(EvidenceRow.type.like("pki.desk.%")).order_by(EvidenceRow.row))  # type: ignore[attr-defined]
        told = [(row, json.loads(row.content)["details"]) for row in rows]
    return [(row.type.split(".")[2], row.actor, details.get("decision", "")) for row, details in told]


def certificates(pki: Pki) -> int:
    """Count what was issued to others than the officers."""
    statement = select(func.count()).select_from(Credential).where(Credential.holder.in_(["li-wen", "han-office"]))  # type: ignore[attr-defined]
    with pki.database.read() as session:
        return session.exec(statement).one()


def stored(pki: Pki, row: DeskRequest) -> DeskRequest:
    with pki.database.read() as session:
        return desk.get(session, row.id)


def decide(pki: Pki, identifier: str, name: str, rejected: str = "") -> DeskRequest:
    """Be an officer who approves a request, or rejects it."""
    with pki.database.read() as session:
        row = desk.get(session, identifier)
    counter = Counter(pki)
    if rejected:
        return pki.desk.reject(row.id, digest=row.digest, comment=rejected, officer=counter.officer(name))
    return counter.approve(row, name)
