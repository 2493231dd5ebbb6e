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
from core.identity import SubjectKind
from core.ledger import evidence
from pki import deskstate, events, form, holder, profileset
from pki.deskstate import Standing, State
from pki.issuance import CertificateAuthority
from pki.models import DeskRequest
from pki.request import IssuanceRequest


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
        at = self._clock.now()
        row = DeskRequest(
            id=self._random(8).hex(), requester=actor, filed_at=at, profile="", holder="", csr="", digest=""
        )
        with self._database.write() as session:
            _enter(session, row, request)
            session.add(row)
            evidence.append(session, events.request_filed(row), at=row.filed_at)
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

    def approve(self, identifier: str, *, comment: str, actor: str) -> DeskRequest:
        """Approve a request; with the last approval it is issued. One that is approved already is issued by it, too."""
        with self._database.write() as session:
            row = _locked(session, identifier)
            if row.state != State.APPROVED:
                row.state = deskstate.approve(_standing(row), actor).value
                row.approved_by = " ".join([*row.approved_by.split(), actor])
                row.comment = comment
                session.add(row)
                evidence.append(session, events.request_decided(row, "approved", actor=actor), at=self._clock.now())
        # A crash here leaves an approved request without a certificate: approving it again issues it.
        if row.state != State.APPROVED:
            return row
        (made,) = self._authority.issue_batch([_request(row)], actor=actor, officers=row.needed)
        # A crash here leaves a certificate that its request does not name: approving again finds it by the digest.
        with self._database.write() as session:
            row = _locked(session, identifier)
            if row.state == State.APPROVED:
                _conclude(session, row, made.serial if not isinstance(made, TrustError) else made, self._clock.now())
        # A crash here leaves a finished request whose officer was not told: it stands in the list.
        return row

    def return_(self, identifier: str, *, comment: str, actor: str) -> DeskRequest:
        """Give a request back to be corrected, saying what is wrong with it."""
        return self._decide(identifier, deskstate.return_, "returned", comment, actor)

    def reject(self, identifier: str, *, comment: str, actor: str) -> DeskRequest:
        """Refuse a request for good, saying why."""
        return self._decide(identifier, deskstate.reject, "rejected", comment, actor)

    def _decide(
        self, identifier: str, step: Callable[[Standing], State], word: str, comment: str, actor: str
    ) -> DeskRequest:
        with self._database.write() as session:
            row = _locked(session, identifier)
            row.state, row.comment = step(_standing(row)).value, comment
            session.add(row)
            evidence.append(session, events.request_decided(row, word, actor=actor), at=self._clock.now())
        # A crash here leaves a decision that its officer was not told: it stands in the list.
        return row


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


def _locked(session: Session, identifier: str) -> DeskRequest:
    """Return a request that nobody else decides on meanwhile (SQLite: by the write lock)."""
    session.get(DeskRequest, identifier, with_for_update=True, populate_existing=True)
    return get(session, identifier)


def _conclude(session: Session, row: DeskRequest, outcome: str | TrustError, at: datetime) -> None:
    if isinstance(outcome, TrustError):
        # The world has changed since it was checked: whoever filed it is told, and may correct it.
        row.state, row.comment = State.RETURNED.value, outcome.detail[:1000]
        event = events.request_decided(row, "returned", actor="authority")
    else:
        row.state, row.serial = State.ISSUED.value, outcome
        event = events.request_issued(row)
    session.add(row)
    evidence.append(session, event, at=at)


def _enter(session: Session, row: DeskRequest, asked: IssuanceRequest) -> None:
    """Enter what is asked for, and what follows from register and profiles: how many officers must agree."""
    # In one spelling: what stands around the request in its file is not part of it.
    request = replace(asked, csr=form.normalise(asked.csr))
    profile = profileset.active(session).get(request.profile)
    about = holder.find(session, request.holder_kind or profile.holder, request.holder)
    row.profile, row.holder, row.holder_kind, row.domain = profile.name, request.holder, about.kind, about.domain
    row.csr, row.digest = request.csr.decode("ascii"), request.digest
    row.dns_names, row.lifetime_seconds = json.dumps(request.dns_names), request.lifetime_seconds
    row.needed = profile.officers(about.level)


def _standing(row: DeskRequest) -> Standing:
    person = row.holder if row.holder_kind == SubjectKind.PERSON else ""
    return Standing(State(row.state), row.requester, person, tuple(row.approved_by.split()), row.needed)


def _request(row: DeskRequest) -> IssuanceRequest:
    hosts = tuple(json.loads(row.dns_names))
    return IssuanceRequest(
        row.csr.encode("ascii"), row.profile, None, row.holder, hosts, lifetime_seconds=row.lifetime_seconds
    )
