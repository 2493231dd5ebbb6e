"""The registration desk: a request is filed, checked by an officer, returned or approved, and then issued.

Two officers where the profile says so for the level of the holder's domain. Nobody approves what they filed themselves,
or what is for themselves. What is approved is issued at once; if that is interrupted, approving again finishes it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlmodel import Session, col, select

from core.clock import Clock
from core.database import Database
from core.errors import NotFound, TrustError
from core.identity import Serial, SubjectKind
from core.ledger import evidence
from pki import admission, deskofficer, deskstate, events, form, holder, profileset
from pki.deskofficer import Officer
from pki.deskstate import NotWaiting, Standing, State
from pki.issuance import CertificateAuthority, Outcome
from pki.models import DeskRequest
from pki.request import IssuanceRequest

#: What a request waits for, in words, by its state.
NEXT = {
    "submitted": "a registration officer",
    "checked": "a second officer",
    "returned": "a correction",
    "approved": "its signature: approve it again",
}


class RequestDesk:
    """Takes requests and lets officers decide on them."""

    def __init__(
        self, *, database: Database, authority: CertificateAuthority, clock: Clock, random: Callable[[int], bytes]
    ) -> None:
        """Issue through ``authority``."""
        self._database = database
        self._authority = authority
        self._clock = clock
        self._random = random

    def file(self, request: IssuanceRequest, *, actor: str) -> DeskRequest:
        """File a request. Raises the refusal (recorded) with which issuing would answer: such a one need not wait."""
        self._authority.check(request, actor=actor)
        row = blank(self._random(8).hex(), actor=actor, at=self._clock.now())
        with self._database.write() as session:
            enter(session, row, request)
        # A crash here leaves a filed request whose number nobody was told: it stands in the list.
        return row

    def correct(self, identifier: str, request: IssuanceRequest, *, actor: str) -> DeskRequest:
        """File a request that was returned once more, corrected: it is checked anew by everybody."""
        self._authority.check(request, actor=actor)
        with self._database.write() as session:
            row = _locked(session, identifier)
            row.state = deskstate.correct(_standing(row), actor).value
            row.revision, row.approved_by, row.comment = row.revision + 1, "", ""
            _enter(session, row, request)
            session.add(row)
            evidence.append(session, events.request_filed(row), at=self._clock.now())
        # A crash here leaves a corrected request, as filing does.
        return row

    def approve(self, identifier: str, *, digest: str, comment: str, officer: Officer) -> DeskRequest:
        """Approve what has this digest; with the last approval it is issued. What is approved already is issued, too.

        Raises ``NotWaiting``, ``NotYourRequest``, and why nothing was issued while it is not certain that nothing will.
        """
        with self._database.write() as session:
            row, at = _locked(session, identifier, digest), self._clock.now()
            deskofficer.check(session, officer, at)
            if row.state == State.APPROVED and (serial := admission.find_issued(session, row.digest, row.filed_at)):
                _finish(session, row, serial, at)
                return row
            _drop_lapsed(session, row, at)
            before, row.state = row.state, deskstate.approve(_standing(row), officer.person).value
            if before != State.APPROVED:
                row.approved_by = " ".join([*row.approved_by.split(), str(officer)])
                row.comment = comment
                session.add(row)
                evidence.append(session, events.request_decided(row, "approved", actor=officer.person), at=at)
        # A crash here leaves an approved request without a certificate: approving it again issues it.
        return self._issue(row, officer.person) if row.state == State.APPROVED else row

    def _issue(self, row: DeskRequest, actor: str) -> DeskRequest:
        (made,) = self._authority.issue_batch(
            [_request(row)],
            actor=actor,
            officers=row.needed,
            since=row.filed_at,
            agreed=lambda session: _check_approved(session, row.id, row.digest),
        )
        # A crash here leaves a certificate that its request does not name: approving again finds it by the digest.
        with self._database.write() as session:
            row = _locked(session, row.id, row.digest)
            if row.state == State.APPROVED:
                _conclude(session, row, made, self._clock.now())
        # A crash here leaves a finished request whose officer was not told: it stands in the list.
        if row.state == State.APPROVED and isinstance(made, TrustError):
            raise made
        return row

    def return_(self, identifier: str, *, digest: str, comment: str, officer: Officer) -> DeskRequest:
        """Give a request back to be corrected, saying what is wrong with it."""
        return self._stop((identifier, digest), State.RETURNED, comment, officer)

    def reject(self, identifier: str, *, digest: str, comment: str, officer: Officer) -> DeskRequest:
        """Refuse a request for good, saying why."""
        return self._stop((identifier, digest), State.REJECTED, comment, officer)

    def _stop(self, which: tuple[str, str], end: State, comment: str, officer: Officer) -> DeskRequest:
        with self._database.write() as session:
            row, at = _locked(session, *which), self._clock.now()
            deskofficer.check(session, officer, at)
            deskstate.check_stoppable(_standing(row), signing=_is_signing(session, row))
            row.state, row.comment = end.value, comment
            session.add(row)
            evidence.append(session, events.request_decided(row, end.value, actor=officer.person), at=at)
        # A crash here leaves a decision that its officer was not told: it stands in the list.
        return row


def blank(identifier: str, *, actor: str, at: datetime, code: str = "") -> DeskRequest:
    """Return a request without content; ``code`` is the one-time code that it comes by, ``actor`` then who made it."""
    return DeskRequest(id=identifier, requester=actor, filed_at=at, code=code)


def enter(session: Session, row: DeskRequest, request: IssuanceRequest) -> None:
    """File a request that was checked, in the caller's transaction."""
    _enter(session, row, request)
    session.add(row)
    evidence.append(session, events.request_filed(row), at=row.filed_at)


def find(session: Session, state: str, limit: int) -> Sequence[DeskRequest]:
    """Return requests, newest first, in one state or in all."""
    statement = select(DeskRequest).order_by(col(DeskRequest.filed_at).desc()).limit(limit)
    return session.exec(statement.where(DeskRequest.state == state) if state else statement).all()


def get(session: Session, identifier: str) -> DeskRequest:
    """Return one request; raises ``NotFound``."""
    found = session.get(DeskRequest, identifier)
    if found is None:
        raise NotFound(f"there is no request `{identifier[:20]}`", hint="see `guosuo request list`")
    return found


def _locked(session: Session, identifier: str, digest: str = "") -> DeskRequest:
    """Return a request that nobody else decides on meanwhile (SQLite: by the write lock).

    Raises ``NotWaiting`` when it is not the one with ``digest`` any more.
    """
    session.get(DeskRequest, identifier, with_for_update=True, populate_existing=True)
    row = get(session, identifier)
    if digest not in ("", row.digest):
        hint = f"see `guosuo request show {identifier}`"
        raise NotWaiting("this request was corrected after you had seen it: look at it again", hint=hint)
    return row


def _check_approved(session: Session, identifier: str, digest: str) -> None:
    """Raise ``NotWaiting`` unless the request is approved at the very moment that its signature is intended."""
    state = State(_locked(session, identifier, digest).state)
    if state is not State.APPROVED:
        raise NotWaiting(f"this request is {state} in the meantime: it is not issued")


def _drop_lapsed(session: Session, row: DeskRequest, at: datetime) -> None:
    """Drop who approved and may not decide any more, and record it.

    Raises ``NotWaiting`` while a certificate that they agreed to is about to be made: what becomes of it is seen first.
    """
    approvers = deskofficer.read(row.approved_by)
    lapsed = deskofficer.find_lapsed(session, approvers, at)
    if not lapsed:
        return
    if row.state == State.APPROVED and _is_signing(session, row):
        raise NotWaiting("the certificate for this request is about to be made", hint="try again in a few minutes")
    gone = [one.person for one in lapsed]
    row.state = deskstate.lapse(_standing(row), gone).state.value
    row.approved_by = " ".join(str(one) for one in approvers if one not in lapsed)
    session.add(row)
    evidence.append(session, events.request_decided(row, "lapsed", actor="authority", lapsed=gone), at=at)


def _is_signing(session: Session, row: DeskRequest) -> bool:
    """Say whether a certificate for the request was made since it was filed, or is about to be."""
    return admission.is_intended(session, row.digest, row.filed_at)


def _conclude(session: Session, row: DeskRequest, outcome: Outcome, at: datetime) -> None:
    # Somebody else's approval at the same time may have issued it, whatever became of ours.
    serial = admission.find_issued(session, row.digest, row.filed_at)
    if serial is not None:
        _finish(session, row, serial, at)
    elif not isinstance(outcome, TrustError):
        _finish(session, row, outcome.serial, at)
    elif not _is_signing(session, row):
        # The world has changed since it was checked: whoever filed it is told, and may correct it. While it is still
        # to be signed it stays approved: approving again then tells what became of it.
        row.state, row.comment = State.RETURNED.value, outcome.detail[:1000]
        session.add(row)
        evidence.append(session, events.request_decided(row, "returned", actor="authority"), at=at)


def _finish(session: Session, row: DeskRequest, serial: Serial, at: datetime) -> None:
    row.state, row.serial = State.ISSUED.value, serial
    session.add(row)
    evidence.append(session, events.request_issued(row), at=at)


def _enter(session: Session, row: DeskRequest, asked: IssuanceRequest) -> None:
    """Enter what is asked for, and what follows from register and profiles: how many officers must agree."""
    # In one spelling: what stands around the request in its file is not part of it.
    request = replace(asked, csr=form.normalise(asked.csr), holder_kind=None)
    profile = profileset.active(session).get(request.profile)
    about = holder.find(session, asked.holder_kind or profile.holder, request.holder)
    row.profile, row.holder, row.holder_kind, row.domain = profile.name, request.holder, about.kind, about.domain
    row.csr, row.digest = request.csr.decode("ascii"), request.digest
    row.dns_names, row.ip_addresses = json.dumps(request.dns_names), json.dumps(request.ip_addresses)
    row.lifetime_seconds, row.renews = request.lifetime_seconds, request.renews
    row.needed = profile.officers(about.level)


def _standing(row: DeskRequest) -> Standing:
    person = row.holder if row.holder_kind == SubjectKind.PERSON else ""
    return Standing(
        State(row.state),
        row.requester,
        person,
        tuple(one.person for one in deskofficer.read(row.approved_by)),
        row.needed,
    )


def _request(row: DeskRequest) -> IssuanceRequest:
    return IssuanceRequest(
        csr=row.csr.encode("ascii"),
        profile=row.profile,
        holder_kind=None,
        holder=row.holder,
        dns_names=tuple(json.loads(row.dns_names)),
        ip_addresses=tuple(json.loads(row.ip_addresses)),
        lifetime_seconds=row.lifetime_seconds,
        renews=row.renews,
    )
