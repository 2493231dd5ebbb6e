"""A register with three administrators who can sign, and one act whose effect can be seen."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session, select

from core.approval import acts, administrator, content, decision, proposal
from core.approval.acts import Act, Acts, Body, Concern, Ruling, Title
from core.approval.models import Approval
from core.database import Database
from core.errors import Rejected
from core.identity import SITE, PersonId
from core.ledger import evidence
from core.ledger.entry import Event
from core.ledger.models import EvidenceRow
from core.registry import role
from core.signed import Json
from core.signing import Peer
from tests.clock import ManualClock
from tests.core.signers import Signer, certified
from tests.people import enter_province

SECURITY, SYSTEM, AUDITOR = "lu-security", "he-sysadmin", "wei-auditor"
OFFICES = {SECURITY: "security-administrator", SYSTEM: "system-administrator", AUDITOR: "auditor"}

#: In charge of the finance domain, and operating it, in the sample province.
HEAD, OPERATOR = "zhou-head", "wu-ops"
FINANCE = "outer-finance"


def ruling(name: str = "test.thing.done", **more: object) -> Ruling:
    given: dict[str, object] = {
        "act": name,
        "title": Title(zh="演练样本", en="a sample"),
        "propose": ("role:security-administrator", "officer:operating"),
        "approve": ("role:system-administrator", "role:auditor", "officer:in-charge"),
        "exclude": (),
        "approvers": 1,
        "level": 1,
        "hours": 24,
        "source": "test",
        **more,
    }
    return Ruling.model_validate(given)


@dataclass
class World:
    """What the sample act looks at and changes; ``refuses`` is why it would be refused now."""

    refuses: str = ""
    done: list[tuple[str, str]] = field(default_factory=list)

    def act(self, name: str = "test.thing.done") -> Act:
        return Act(name=name, concern=self.concern, consequences=self.consequences, carry_out=self.carry_out)

    def concern(self, session: Session, body: Body, at: datetime) -> Concern:
        excluded = body.get("excluded", "")
        return Concern(f"thing:{body['thing']}", str(body.get("domain", SITE)), frozenset({str(excluded)}))

    def consequences(self, session: Session, body: Body, at: datetime) -> list[str]:
        if self.refuses:
            raise Rejected(self.refuses)
        return [f"thing {body['thing']} is done"]

    def carry_out(
        self, session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime
    ) -> dict[str, Json]:
        evidence.append(session, Event("test.thing.begun", approver, f"thing:{body['thing']}"), at=at)
        self.consequences(session, body, at)
        self.done.append((proposer, approver))
        return {"thing": body["thing"]}


@dataclass
class Desk:
    database: Database
    clock: ManualClock
    acts: Acts
    world: World
    people: dict[str, Signer]

    def propose(
        self,
        who: str = SECURITY,
        body: Body | None = None,
        reason: str = "because",
        act: str = "test.thing.done",
        object_: str = "",
    ) -> Approval:
        content_ = body or {"thing": "1"}
        signer, at = self.people[who], self.clock.now()
        name = object_ or f"thing:{content_.get('thing')}"
        digest = content.proposal(act=act, object_=name, body=content_, reason=reason)
        signature = signer.sign(content.PROPOSE, name, digest, at)
        with self.database.write() as session:
            return proposal.propose(
                session,
                self.acts,
                act=act,
                body=content_,
                reason=reason,
                peer=self.seen(signer, at),
                signature=signature,
            )

    def seen(self, signer: Signer, at: datetime) -> Peer:
        """The person as the service sees them, whose request came at ``at``."""
        return signer.peer(at, clock=self.clock)

    def decide(
        self,
        verb: Callable[..., Approval],
        act: str,
        who: str,
        row: Approval,
        comment: str = "fine",
        *,
        to: str = "",
        asked: datetime | None = None,
    ) -> Approval:
        """Sign a decision on ``row`` at its revision, and send it there, or to the proposal ``to``."""
        signer, at = self.people[who], asked or self.clock.now()
        with self.database.read() as session:
            proposed = proposal.steps.current(session, row).digest
        digest = content.decision(proposal=proposed, revision=row.revision, comment=comment)
        signature = signer.sign(act, content.name(row.id), digest, at)
        with self.database.write() as session:
            return verb(
                session,
                self.acts,
                to or row.id,
                comment=comment,
                peer=self.seen(signer, at),
                signature=signature,
            )

    def approve(self, who: str, row: Approval, *, to: str = "", asked: datetime | None = None) -> Approval:
        return self.decide(decision.approve, content.APPROVE, who, row, to=to, asked=asked)

    def return_(self, who: str, row: Approval) -> Approval:
        return self.decide(decision.return_, content.RETURN, who, row, "correct this")

    def reject(self, who: str, row: Approval) -> Approval:
        return self.decide(decision.reject, content.REJECT, who, row, "no")

    def withdraw(self, who: str, row: Approval) -> Approval:
        def verb(session: Session, _acts: Acts, identifier: str, **more: object) -> Approval:
            return proposal.withdraw(session, identifier, **more)  # type: ignore[arg-type]

        return self.decide(verb, content.WITHDRAW, who, row, "mistake")

    def resubmit(self, who: str, row: Approval, body: Body, reason: str = "corrected") -> Approval:
        signer, at = self.people[who], self.clock.now()
        digest = content.proposal(act=row.act, object_=f"thing:{body['thing']}", body=body, reason=reason)
        signature = signer.sign(content.RESUBMIT, content.name(row.id), digest, at)
        with self.database.write() as session:
            return proposal.resubmit(
                session,
                self.acts,
                row.id,
                body=body,
                reason=reason,
                peer=self.seen(signer, at),
                signature=signature,
            )

    def expire(self) -> int:
        with self.database.write() as session:
            return decision.expire(session, self.clock.now())

    def state(self, row: Approval) -> str:
        with self.database.read() as session:
            found = session.get(Approval, row.id)
            assert found is not None
            return found.state

    def records(self, prefix: str = "approval.") -> list[tuple[str, str, str]]:
        with self.database.read() as session:
            rows = session.exec(select(EvidenceRow).order_by(EvidenceRow.row)).all()  # type: ignore[arg-type]
            return [(row.type, row.actor, row.result) for row in rows if row.type.startswith(prefix)]


def opened(database: Database, clock: ManualClock, **more: object) -> Desk:
    world = World()
    with database.write() as session:
        enter_province(session, clock.now())
        for person, office in OFFICES.items():
            role.appoint(session, person=PersonId(person), role=office, giver="bootstrap", at=clock.now())
        names = (*OFFICES, HEAD, OPERATOR, "li-wen", "sun-yue")
        people = {name: certified(session, name, clock.now()) for name in names}
    shipped = [one for one in acts.load() if one.act == administrator.NAME]
    known = Acts([*shipped, ruling(**more)], [administrator.ACT, world.act()])
    return Desk(database, clock, known, world, people)
