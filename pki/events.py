"""What happens to certificates, as evidence: wire names never change, details suffice to rebuild a credential."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from core.clock import to_rfc3339
from core.ledger.entry import Event, JsonValue
from core.registry.credential import Credential
from pki.entered import Entered
from pki.models import (
    Authority,
    AuthorityPlan,
    BulkRevocation,
    DeskRequest,
    EnrolmentCode,
    IssuanceIntent,
    ProfileSet,
)


class Revocable(Protocol):
    """What is told of a certificate that is revoked: a holder's, or one that we gave another installation."""

    @property
    def serial(self) -> str:
        """Its serial number."""
        ...

    @property
    def issuer(self) -> str:
        """Whose list tells it."""
        ...

    @property
    def holder(self) -> str:
        """Whom it stands for."""
        ...

    @property
    def domain(self) -> str:
        """The holder's domain."""
        ...


class Intended(Protocol):
    """What is told of an intention: its row, or what becomes one."""

    @property
    def serial(self) -> str:
        """Its serial number."""
        ...

    @property
    def issuer(self) -> str:
        """The authority that is to sign."""
        ...

    @property
    def profile(self) -> str:
        """The profile's name."""
        ...

    @property
    def profiles(self) -> str:
        """The digest of the profiles."""
        ...

    @property
    def holder(self) -> str:
        """Whom it stands for."""
        ...

    @property
    def request(self) -> str:
        """The digest of the request."""
        ...

    @property
    def renews(self) -> str:
        """The serial number that alone vouched for it, or nothing."""
        ...

    @property
    def actor(self) -> str:
        """Who asked."""
        ...

    @property
    def domain(self) -> str:
        """The holder's domain."""
        ...


def intended(intent: Intended) -> Event:
    """A serial number was taken and its to-be-signed certificate recorded; no key was used yet."""
    details = {
        "profile": intent.profile,
        "profiles": intent.profiles,
        "holder": intent.holder,
        "issuer": intent.issuer,
        "request": intent.request,
    }
    details |= {"renews": intent.renews} if intent.renews else {}
    return Event("pki.issuance.intended", intent.actor, f"certificate:{intent.serial}", intent.domain, details=details)


def abandoned(intent: IssuanceIntent) -> Event:
    """An intention without outcome was given up; its serial number is revoked, because it may have been signed."""
    details = {"serial": intent.serial, "holder": intent.holder}
    return Event("pki.issuance.abandoned", "founding", f"certificate:{intent.serial}", intent.domain, details=details)


def issued(credential: Entered, der: bytes, *, actor: str) -> Event:
    """A certificate was issued; it stands in the record itself, so that a restore can rebuild everything from here."""
    details = {
        "serial": credential.serial,
        "issuer": credential.issuer,
        "holder_kind": credential.holder_kind,
        "holder": credential.holder,
        "domain": credential.domain,
        "profile": credential.profile,
        "not_before": to_rfc3339(credential.not_before),
        "not_after": to_rfc3339(credential.not_after),
        "certificate_sha256": credential.certificate_sha256,
        "spki_sha256": credential.spki_sha256,
        "certificate": base64.b64encode(der).decode("ascii"),
    }
    return Event(
        "pki.certificate.issued", actor, f"certificate:{credential.serial}", credential.domain, details=details
    )


def refused(holder: str, profile: str, reason: str, *, actor: str) -> Event:
    """A request was refused; no serial number was used."""
    details = {"reason": reason, "profile": profile}
    return Event("pki.request.refused", actor, f"holder:{holder}", result="refused", details=details)


def request_filed(row: DeskRequest) -> Event:
    """A request came to the desk, or came back corrected."""
    details: dict[str, JsonValue] = {
        "profile": row.profile,
        "holder": row.holder,
        "revision": row.revision,
        "needed": row.needed,
        "request": row.digest,
    }
    details |= {name: text for name, text in (("code", row.code), ("renews", row.renews)) if text}
    # Who redeems a code shows no certificate; who made the code stands with the code's own record.
    actor = "anonymous" if row.code and row.revision == 1 else row.requester
    return Event("pki.desk.filed", actor, f"request:{row.id}", row.domain, details=details)


def request_decided(row: DeskRequest, word: str, *, actor: str, lapsed: Sequence[str] = ()) -> Event:
    """An officer approved, returned or rejected a request: exactly this revision of it.

    Or the approvals of those in ``lapsed`` do not count any more, because they may not decide now.
    """
    details: dict[str, JsonValue] = {
        "decision": word,
        "state": row.state,
        "revision": row.revision,
        "request": row.digest,
        "comment": row.comment,
        "approved_by": list(row.approved_by.split()),
    }
    if lapsed:
        details["lapsed"] = list(lapsed)
    return Event("pki.desk.decided", actor, f"request:{row.id}", row.domain, details=details)


def request_issued(row: DeskRequest) -> Event:
    """An approved request has its certificate."""
    details: dict[str, JsonValue] = {"serial": row.serial, "request": row.digest}
    approver = row.approved_by.split()[-1].partition("/")[0]
    return Event("pki.desk.issued", approver, f"request:{row.id}", row.domain, details=details)


def code_opened(row: EnrolmentCode) -> Event:
    """A one-time code was made; what it opens with stands nowhere."""
    details: dict[str, JsonValue] = {
        "profile": row.profile,
        "holder": row.holder,
        "purpose": row.purpose,
        "until": to_rfc3339(row.expires_at),
    }
    return Event("pki.code.opened", row.maker, f"code:{row.id}", row.domain, details=details)


def code_redeemed(row: EnrolmentCode) -> Event:
    """A one-time code was used: for exactly this request, which now waits at the desk."""
    details: dict[str, JsonValue] = {"holder": row.holder, "request": row.digest, "desk": row.request}
    return Event("pki.code.redeemed", "anonymous", f"code:{row.id}", row.domain, details=details)


def code_refused(row: EnrolmentCode | None, reason: str) -> Event:
    """Somebody showed a one-time code that opened nothing; of a code that there is not, nothing is repeated."""
    details: dict[str, JsonValue] = {"reason": reason}
    details |= {"tries": row.tries, "state": row.state} if row else {}
    about, domain = (row.id, row.domain) if row else ("unknown", "")
    return Event("pki.code.refused", "anonymous", f"code:{about}", domain, result="refused", details=details)


def code_withdrawn(row: EnrolmentCode, *, actor: str) -> Event:
    """A one-time code was withdrawn, or another took its place."""
    details: dict[str, JsonValue] = {"holder": row.holder, "profile": row.profile}
    return Event("pki.code.withdrawn", actor, f"code:{row.id}", row.domain, details=details)


def profiles_activated(row: ProfileSet, *, before: str) -> Event:
    """Other profiles came into force; their text stands in the record, so that a restore can rebuild them."""
    details: dict[str, JsonValue] = {
        "number": row.number,
        "digest": row.digest,
        "version": row.version,
        "before": before,
        "proposer": row.proposer,
        "basis": row.basis,
        "text": row.text,
    }
    return Event("pki.profile.activated", row.approver, f"profiles:{row.digest[:16]}", details=details)


def revoked(of: Revocable, reason: str, *, since: datetime | None, actor: str) -> Event:
    """A certificate was revoked, for ever; ``since`` is when it was put on hold, if it was."""
    details = {"serial": of.serial, "issuer": of.issuer, "reason": reason, "holder": of.holder}
    if since is not None:
        details["since"] = to_rfc3339(since)
    return Event("pki.certificate.revoked", actor, f"certificate:{of.serial}", of.domain, details=details)


def held(of: Credential, until: datetime, *, since: datetime, actor: str) -> Event:
    """A certificate was put on hold, or its hold got another end."""
    details = {"serial": of.serial, "issuer": of.issuer, "holder": of.holder}
    details |= {"since": to_rfc3339(since), "until": to_rfc3339(until)}
    return Event("pki.certificate.held", actor, f"certificate:{of.serial}", of.domain, details=details)


def released(of: Credential, *, actor: str) -> Event:
    """A certificate was released from hold, by somebody or because its end had come."""
    details = {"serial": of.serial, "issuer": of.issuer, "holder": of.holder}
    return Event("pki.certificate.released", actor, f"certificate:{of.serial}", of.domain, details=details)


def ordered(made: BulkRevocation) -> Event:
    """Many certificates are to be revoked; each has its own record when it is."""
    details: dict[str, JsonValue] = {"reason": made.reason, "total": made.total}
    return Event("pki.revocation.ordered", made.actor, f"certificates:{made.id}", details=details)


def carried_out(made: BulkRevocation) -> Event:
    """Every certificate of an order is revoked."""
    details: dict[str, JsonValue] = {"reason": made.reason, "total": made.total, "skipped": made.skipped}
    return Event("pki.revocation.finished", made.actor, f"certificates:{made.id}", details=details)


def crl_published(issuer: str, number: int, entries: int, lists: int) -> Event:
    """Lists were published under one number, which never goes back; ``entries`` serial numbers are listed."""
    details = {"number": number, "entries": entries, "lists": lists}
    return Event("pki.crl.published", "device:trust", f"crl:{issuer}", details=details)


def authority_made(made: Authority, spki_sha256: str, *, actor: str) -> Event:
    """An authority's or responder's own certificate was made; ``issuer`` is whose key signed it."""
    details = {
        "serial": made.serial,
        "key": made.key,
        "issuer": made.issuer,
        "spki_sha256": spki_sha256,
        "certificate": base64.b64encode(made.der).decode("ascii"),
    }
    return Event("pki.authority.made", actor, f"authority:{made.name}", details=details)


def authority_planned(row: AuthorityPlan) -> Event:
    """Two people agreed on another authority; the worker makes it from what stands here."""
    details: dict[str, JsonValue] = {
        "number": row.number,
        "parent": row.parent,
        "path_length": row.path_length,
        "algorithm": row.algorithm,
        "domains": row.domains,
        "space": row.space,
        "root": row.root,
        "policies": row.policies,
        "days": row.days,
        "proposer": row.proposer,
        "basis": row.basis,
    }
    return Event("pki.authority.planned", row.approver, f"authority:{row.name}", details=details)
