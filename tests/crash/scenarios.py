"""What is going on when the product is killed: for every crash point a piece of work that reaches it."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from core.approval import acts, administrator
from core.approval import jobs as approvals
from core.approval.acts import Acts
from core.errors import TrustError, Unavailable
from core.identity import Principal, SubjectKind
from core.jobs import run_due
from core.ledger import evidence, selection
from core.ledger import purge as purging
from core.ledger.entry import Event
from core.ledger.purge import TwoPeople
from core.ledger.selection import Asked
from core.registry import accountable, role
from core.registry.accountable import RegisterOfRecord
from deploy import installation
from pki import bulk, bulk_api, revocation, revocation_api
from pki.request import IssuanceRequest, IssuedCertificate
from tests.crash import access_scenarios as access
from tests.crash import acme_scenarios as acme
from tests.crash import desk_scenarios as counter
from tests.crash import device_scenarios as device
from tests.crash import duty_scenarios as duties
from tests.crash import ledger_scenarios as ledger
from tests.crash import stamp_scenarios as stamps
from tests.crash import takeover_scenarios as takeovers
from tests.crash import vouching
from tests.crash.nursery import Say
from tests.crash.parts import Parts, Place
from tests.failing import FailingDatabase, Failure

Work = Callable[[Place, Say], None]


@dataclass(frozen=True)
class Scenario:
    """``work`` passes its points ``hits`` times at least; ``fresh`` work needs a site that is not founded yet."""

    work: Work
    hits: int = 1
    fresh: bool = False


def issue(place: Place, say: Say) -> None:
    parts = Parts(place)
    for _ in range(3):
        say("issued", parts.issue().serial)


def issue_together(place: Place, say: Say) -> None:
    """One by one, and in batches with a request among them that is refused."""
    parts = Parts(place)
    say("issued", parts.issue().serial)
    for _ in range(2):
        for one in parts.issue_batch(("li-wen", "sun-yue", "nobody-here", "wu-ops")):
            if isinstance(one, IssuedCertificate):
                say("issued", one.serial)


def be_refused(place: Place, say: Say) -> None:
    """The request names somebody else than the register knows, alone and among good ones."""
    parts = Parts(place)
    nobody = IssuanceRequest(b"", "person", SubjectKind.PERSON, "nobody-here")
    for _ in range(2):
        with contextlib.suppress(TrustError):
            parts.authority.check(nobody, actor="zhao-ra")
    with contextlib.suppress(TrustError):
        parts.issue("nobody-here")
    for _ in range(2):
        parts.issue_batch(("sun-yue", "nobody-here", "li-wen"))


def revoke(place: Place, say: Say) -> None:
    """The endpoint's own function; what stands before it (who asks, may they) is not what is killed here."""
    parts = Parts(place)
    issued = parts.issue()
    say("issued", issued.serial)
    principal: Principal = parts.authenticator.authenticate(parts.issue("sun-yue").der)
    body = revocation_api.RevocationRequest(reason="key-compromise")
    done = revocation_api.revoke(issued.serial, body, principal, parts.database, parts.clock)
    say("revoked", issued.serial)
    say("recorded", done.record)


def hold(place: Place, say: Say) -> None:
    """Put on hold and release, by the endpoints' own functions; what was said last is what holds."""
    parts = Parts(place)
    principal: Principal = parts.authenticator.authenticate(parts.issue("sun-yue").der)
    kept, freed = parts.issue().serial, parts.issue().serial
    until = parts.clock.now() + timedelta(days=30)
    for serial in (kept, freed):
        body = revocation_api.HoldRequest(until=until, message="演练样本")
        revocation_api.hold(serial, body, principal, parts.database, parts.clock)
        say("held", serial)
    revocation_api.release(freed, principal, parts.database, parts.clock)


def revoke_many(place: Place, say: Say) -> None:
    """A choice is ordered and the first part carried out at once; the worker does the rest."""
    parts = Parts(place)
    for _ in range(2):
        principal: Principal = parts.authenticator.authenticate(parts.issue("sun-yue").der)
        serials = [parts.issue().serial for _ in range(3)]
        asked = bulk_api.PlanRequest(serials=list(serials), reason="superseded")
        planned = bulk_api.plan(asked, principal, parts.database, parts.clock)
        body = bulk_api.OrderRequest(reason="superseded", digest=planned.digest)
        assert bulk_api.order(body, principal, parts.database, parts.clock).state == "done"
        for serial in serials:
            say("revoked", serial)


def carry_on(place: Place, say: Say) -> None:
    """Two people agreed; the worker revokes, a few in each transaction."""
    parts = Parts(place)
    for _ in range(2):
        serials = [parts.issue().serial for _ in range(2)]
        with parts.database.write() as session:
            planned = bulk.plan(session, bulk.Choice(tuple(serials)), "superseded", parts.clock.now())
            bulk.order(session, planned, "superseded", actor="lu-security", at=parts.clock.now())
        say("ordered", planned.digest)
        parts.clock.advance(seconds=2)
        assert parts.work_off("first") == []


def end_holds(place: Place, say: Say) -> None:
    """Holds end by themselves."""
    parts = Parts(place)
    for _ in range(2):
        serial = parts.issue().serial
        with parts.database.write() as session:
            at = parts.clock.now()
            end = at + timedelta(minutes=1)
            revocation.hold(session, serial, until=end, message="", actor="lu-security", at=at)
        parts.clock.advance(minutes=2)
        assert parts.work_off("first") == []


def publish(place: Place, say: Say) -> None:
    parts = Parts(place)
    for _ in range(2):
        serial = parts.issue().serial
        with parts.database.write() as session:
            revocation.revoke(session, serial, reason="superseded", actor="lu-security", at=parts.clock.now())
        say("revoked", serial)
        numbers = parts.publisher.refresh(force=True)
        say("published", f"root:{numbers[0]}")
        say("published", f"issuing:{numbers[1]}")


def decide(place: Place, say: Say) -> None:
    parts = Parts(place)
    issued = parts.issue()
    for _ in range(3):
        say("recorded", parts.decide(issued.der))


def work_off(place: Place, say: Say) -> None:
    parts = Parts(place)
    for _ in range(3):
        assert parts.work_off("first") == []
        # Less than what the repair moves the clock on by: time must not go back for it.
        parts.clock.advance(minutes=2)


def give_up(place: Place, say: Say) -> None:
    """Intentions without outcome, as a worker that died leaves them, are there to be given up."""
    database = FailingDatabase(place.url)
    parts = Parts(place, database)
    for _ in range(2):
        database.arm(1, Failure.APPLIED)
        with contextlib.suppress(Unavailable):
            parts.issue()
        parts.clock.advance(minutes=3)
        assert parts.work_off("first") == []


def start(place: Place, say: Say) -> None:
    """The service is started on the machine."""
    parts = Parts(place)
    for _ in range(3):
        installation.started(parts.database, parts.clock)


def expire(place: Place, say: Say) -> None:
    """The worker ends what waited too long."""
    parts = Parts(place)
    known = Acts([one for one in acts.load() if one.act == administrator.NAME], [administrator.ACT])
    for _ in range(3):
        assert run_due(parts.database, approvals.jobs(parts.database, known), parts.clock, "first") == []
        parts.clock.advance(minutes=2)


def sequence(place: Place, say: Say) -> None:
    parts = Parts(place)
    sequencer = parts.sequencer()
    for number in range(3):
        # One act more each time, so that tiles grow, and enough time for the lease to be renewed.
        with parts.database.write() as session:
            role.assign(
                session,
                person=("chen-dev", "chu-dev", "wu-ops")[number],
                domain="outer-finance",
                role=f"reader-{parts.clock.now():%H%M%S%f}",
                giver="lu-security",
                at=parts.clock.now(),
            )
        parts.clock.advance(seconds=8)
        sequencer.run_once()


def be_witnessed(place: Place, _say: Say) -> None:
    """Records come, are signed for, and each checkpoint is witnessed."""
    parts = Parts(place)
    vouching.ask(place.folder)
    for _ in range(3):
        parts.issue()
        parts.sequencer().run_once()
        vouching.witnessing(place.folder, parts.database, parts.clock, parts.vkey()).run()


def be_stamped(place: Place, _say: Say) -> None:
    """As above, with a time-stamp authority."""
    parts = Parts(place)
    vouching.ask(place.folder)
    for _ in range(3):
        parts.issue()
        parts.sequencer().run_once()
        vouching.stamping(place.folder, parts.database, parts.vkey()).run(force=True)


def purge(place: Place, say: Say) -> None:
    """Records of long ago go, every third of them stays; a purge that an earlier kill left is finished on the way."""
    parts = Parts(place)
    long_ago = parts.clock.now() - timedelta(days=400)
    with parts.database.write() as session:
        for number in range(300):
            domain = "outer-finance" if number % 3 else "management"
            evidence.append(session, Event("test.thing.made", "li", "thing:1", domain), at=long_ago)
    parts.sequencer().run_once()
    with parts.database.write() as session:
        by = selection.rule(session, RegisterOfRecord(), accountable.retention(), parts.clock.now())
        asked = Asked(parts.clock.now() - timedelta(days=200), domain="outer-finance")
        chosen = selection.select_records(session, asked, by)
        people = TwoPeople("he-sysadmin", "lu-security")
        say("recorded", purging.decide(session, asked, chosen, by, people, at=parts.clock.now()))
    for _ in range(2):
        parts.sequencer().run_once()
        parts.purger().work_off()


def establish(place: Place, say: Say) -> None:
    Parts(place).establish()


_LEDGER = "core.ledger"

SCENARIOS: dict[str, Scenario] = {
    "core.approval.jobs.jobs.expire#1": Scenario(expire, 3),
    "core.duty.api._act#1": Scenario(duties.be_refused, 3),
    "core.duty.api._act#2": Scenario(duties.take_up, 3),
    "core.jobs.run_due#1": Scenario(work_off, 3),
    f"{_LEDGER}.bundle.export#1": Scenario(access.export),
    f"{_LEDGER}.publication._wish#1": Scenario(access.export),
    f"{_LEDGER}.group.GroupCommit._store#1": Scenario(ledger.gather, 6),
    f"{_LEDGER}.lease.Lease.hold#1": Scenario(sequence, 3),
    f"{_LEDGER}.sequencer.Sequencer._number#1": Scenario(sequence, 3),
    **{f"{_LEDGER}.sequencer.Sequencer._sign#{n}": Scenario(sequence, 3) for n in (1, 2, 3)},
    **{f"{_LEDGER}.sequencer.Sequencer._publish#{n}": Scenario(sequence, 3) for n in (1, 2, 3)},
    **{f"{_LEDGER}.purge.Purger._go_on#{n}": Scenario(purge) for n in (1, 2)},
    f"{_LEDGER}.purge.Purger._replace_rows#1": Scenario(purge, 3),
    f"{_LEDGER}.purge.Purger._rewrite_bundles#1": Scenario(purge, 2),
    f"{_LEDGER}.storage.DurableWriter.write#1": Scenario(sequence, 12),
    f"{_LEDGER}.storage.DurableWriter.write#2": Scenario(sequence, 12),
    f"{_LEDGER}.storage.LogFolder.write_tiles#1": Scenario(sequence, 6),
    f"{_LEDGER}.timestamping.Timestamping._obtain#1": Scenario(be_stamped, 3),
    f"{_LEDGER}.timestamping.Timestamping._show#1": Scenario(be_stamped, 3),
    f"{_LEDGER}.witness.Witness.add_checkpoint#1": Scenario(be_witnessed, 3),
    f"{_LEDGER}.witness.Witness._advance#1": Scenario(be_witnessed, 3),
    f"{_LEDGER}.witnessing.Witnessing._attempt#1": Scenario(be_witnessed, 3),
    f"{_LEDGER}.witnessing.Witnessing._show_one#1": Scenario(be_witnessed, 6),
    f"{_LEDGER}.witnessing.Witnessing._show_one#2": Scenario(be_witnessed, 3),
    "core.refusal.record#1": Scenario(access.attempt, 3),
    "pki.acme.certificate_api.revoke#1": Scenario(acme.revoke),
    **{f"pki.acme.finalize.Finalizer.finalize#{n}": Scenario(acme.finalize, 3) for n in (1, 2, 3)},
    "pki.acme.finalize.Finalizer._release#1": Scenario(acme.be_refused, 3),
    "pki.acme.jobs.jobs.resume#1": Scenario(acme.work_off, 3),
    "pki.acme.jobs.jobs.remove#1": Scenario(acme.work_off),
    "pki.acme.nonce.Nonces.use#1": Scenario(acme.use_nonces, 3),
    "pki.acme.server._recorded#1": Scenario(acme.refuse, 3),
    "pki.acme.validation.Validation._enter#1": Scenario(acme.look, 3),
    "pki.cmp.certification.Certification._write#1": Scenario(device.enrol, 4),
    "pki.cmp.jobs.jobs.expire#1": Scenario(device.expire),
    "pki.cmp.server.Cmp._revoke#1": Scenario(device.revoke),
    "pki.cmp.transaction.begin#1": Scenario(device.enrol, 3),
    "pki.crl.CrlPublisher.publish#1": Scenario(publish, 4),
    "pki.crl.CrlPublisher.publish#2": Scenario(publish, 4),
    "pki.crl.CrlPublisher.publish#3": Scenario(publish, 4),
    "pki.desk.RequestDesk.file#1": Scenario(counter.work_at_the_desk, 3),
    "pki.desk.RequestDesk.correct#1": Scenario(counter.work_at_the_desk, 3),
    "pki.desk.RequestDesk.approve#1": Scenario(counter.work_at_the_desk, 3),
    **{f"pki.desk.RequestDesk._issue#{n}": Scenario(counter.work_at_the_desk, 3) for n in (1, 2)},
    "pki.desk.RequestDesk._stop#1": Scenario(counter.work_at_the_desk, 3),
    "pki.redemption.Redemption.redeem#1": Scenario(counter.show_codes, 6),
    "pki.redemption.Redemption._check#1": Scenario(counter.show_codes, 3),
    "pki.device.door.Door.append#1": Scenario(device.be_refused, 3),
    "pki.device.requesting.Requesting._mark#1": Scenario(device.be_refused, 6),
    **{f"pki.hierarchy._Establishment.make#{n}": Scenario(establish, 3, fresh=True) for n in (1, 2, 3, 4)},
    "pki.issuance.CertificateAuthority.check#1": Scenario(be_refused, 2),
    "pki.issuance.CertificateAuthority._carry#1": Scenario(be_refused, 3),
    **{f"pki.issuance.CertificateAuthority._carry#{n}": Scenario(issue_together, 3) for n in (2, 3)},
    "pki.bulk_api.plan#1": Scenario(revoke_many, 2),
    **{f"pki.bulk_api.order#{n}": Scenario(revoke_many, 2) for n in (1, 2)},
    "pki.jobs.jobs.go_on#1": Scenario(carry_on, 2),
    "pki.jobs.jobs.give_up#1": Scenario(give_up, 2),
    "pki.jobs.jobs.release#1": Scenario(end_holds, 2),
    "pki.revocation_api._act#1": Scenario(hold, 3),
    "pki.revocation_api.revoke#1": Scenario(revoke),
    **{f"pki.tsa.authority.TimeStampAuthority._stamp#{n}": Scenario(stamps.stamp, 3) for n in (1, 2, 3)},
    "pki.tsa.authority.TimeStampAuthority._tell#1": Scenario(stamps.withhold, 3),
    "authz.authzen.evaluate#1": Scenario(access.evaluate, 3),
    "authz.decision.PolicyDecisionPoint.decide#1": Scenario(decide, 3),
    "authz.explanation.explain#1": Scenario(access.explain, 3),
    "authz.gateway.Gateway._conclude#1": Scenario(access.pass_gateway, 3),
    "deploy.installation._record#1": Scenario(start, 3),
    **{f"deploy.identity.appoint#{n}": Scenario(access.appoint, 3) for n in (1, 2)},
    # The last: each leaves an authority with lists of its own.
    **{f"pki.takeover.jobs.jobs.go_on#{n}": Scenario(takeovers.take_over, n) for n in (1, 2)},
}
