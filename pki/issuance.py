"""Issue certificates: check, record the intention, sign, record the outcome. In this order, whatever happens between.

1. Each request's content is checked against the register; a refusal uses no serial number and leaves its record alone.
2. Serial numbers and to-be-signed certificates are linted, recorded and committed, before any key is used.
3. The token signs exactly these octets.
4. Certificates and credentials are recorded and committed; only then is anything handed out.

One request and many go the same way: two transactions for all of them. Requests that come at the same time go together
(``convoy.py``), and a large batch goes in parts, of which one waits for the disk or the token while another computes.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlmodel import Session

from core.clock import Clock
from core.database import Database
from core.errors import Malformed, TrustError
from core.ledger import evidence
from core.ledger.entry import Event
from core.ledger.group import GroupCommit
from hsm.client import SignerClient
from pki import admission, chain, events, issuer, namespace, outcome, plan, profileset, template
from pki.admission import Earlier, Judgement
from pki.authorisation import Admitted
from pki.convoy import Convoy
from pki.errors import AuthorityExpired, NeedsSecond
from pki.issuer import ISSUING, Issuer
from pki.lint import Meant
from pki.plan import Plan
from pki.planned import Planned
from pki.profile import Profile, Profiles
from pki.request import IssuanceRequest, IssuedCertificate, issued
from pki.settings import PkiSettings
from pki.tbs import Press
from pki.template import Filling, Template

#: Most requests of one batch: two transactions of that size are over in a fraction of a second.
LARGEST = 256

#: Certificates of one part of a batch, and parts at once.
PART, ABREAST = 64, 3

Outcome = IssuedCertificate | TrustError


class CertificateAuthority:
    """The issuing authorities: each domain's own, and the default one. Safe for many threads."""

    def __init__(
        self,
        *,
        database: Database,
        group: GroupCommit,
        keys: SignerClient,
        clock: Clock,
        random: Callable[[int], bytes],
        settings: PkiSettings,
    ) -> None:
        """Issue with the keys in the token behind ``keys``; write through ``group``."""
        self._database = database
        self._group = group
        self._keys = keys
        self._clock = clock
        self._random = random
        self._settings = settings
        self._press = Press()
        self._issuers: dict[str, Issuer] = {}
        self._templates: dict[tuple[str, str, str], Template] = {}
        self._convoy: Convoy[_Asked, Outcome] = Convoy(self._issue)

    def check(self, request: IssuanceRequest, *, actor: str) -> None:
        """Raise the refusal (recorded) with which ``issue`` would answer; nothing is issued."""
        (judged,), _profiles, _plans = self._judge([request])
        if isinstance(judged, TrustError):
            self._group.append(_refusal(request, judged, actor), at=self._clock.now())
            # A crash here leaves a recorded refusal that nobody was told: asking again is refused, and recorded, again.
            raise judged

    def issue(self, request: IssuanceRequest, *, actor: str, officers: int = 2) -> IssuedCertificate:
        """Issue a certificate that so many ``officers`` agreed to (two: no rule asks for more).

        Raises the refusal (recorded), or ``Unavailable`` when token or store do not answer.
        """
        made = self._convoy.travel(_Asked(request, _Terms(actor, officers)))
        if isinstance(made, TrustError):
            raise made
        return made

    def issue_batch(
        self,
        requests: Sequence[IssuanceRequest],
        *,
        actor: str,
        officers: int = 2,
        since: datetime = admission.EVER,
        agreed: Callable[[Session], None] | None = None,
    ) -> list[Outcome]:
        """Issue for each request its certificate, or return its refusal (recorded); they stand in the same order.

        What was issued ``since`` for the very same request, and is good, is returned again and not issued twice.
        ``agreed`` is asked in the transaction of the intentions: what it raises is raised, and nothing of that part is
        issued (up to ``PART`` requests are one part).
        Raises ``Malformed`` for too many, ``Unavailable`` when token or store do not answer: asking again is then
        harmless.
        """
        if not 1 <= len(requests) <= LARGEST:
            raise Malformed(f"a batch has 1 to {LARGEST} requests, not {len(requests)}")
        digests = [one.digest for one in requests]
        with self._database.read() as session:
            earlier = admission.find_earlier(session, digests, self._clock.now(), since=since)
        # The very same request twice in one batch is one request.
        fresh = {digest: one for digest, one in zip(digests, requests, strict=True) if digest not in earlier}
        terms = _Terms(actor, officers, since, agreed)
        made = dict(zip(fresh, self._issue([_Asked(one, terms) for one in fresh.values()]), strict=True))
        made |= {digest: self._again(one) for digest, one in earlier.items()}
        return [made[digest] for digest in digests]

    def _issue(self, asked: "Sequence[_Asked]") -> list[Outcome]:
        # 1. All of them at once: of two over one key the first is first.
        if not asked:
            return []
        judged, profiles, plans = self._judge([one.request for one in asked])
        judged = [_agreed(one, about.terms.officers) for one, about in zip(judged, asked, strict=True)]
        pairs = list(zip(asked, judged, strict=True))
        parts = [pairs[first : first + PART] for first in range(0, len(pairs), PART)]
        carry = partial(self._carry, profiles=profiles, plans=plans)
        if len(parts) == 1:
            return carry(parts[0])
        with ThreadPoolExecutor(ABREAST) as threads:
            return [one for part in threads.map(carry, parts) for one in part]

    def _carry(
        self, pairs: "Sequence[tuple[_Asked, Judgement]]", *, profiles: Profiles, plans: Sequence[Plan]
    ) -> list[Outcome]:
        planned = [self._plan(asked, judged, profiles, plans) for asked, judged in pairs]
        going = [one for one in planned if isinstance(one, Planned)]
        # 2.
        self._group.run(lambda session: self._record(session, [asked for asked, _judged in pairs], planned))
        # A crash here leaves recorded refusals that nobody was told (who asks again is refused again) and serial
        # numbers that are known and were never signed: ``resume`` gives them up and revokes them.
        if not going:
            return [one for one in planned if isinstance(one, TrustError)]
        # 3.
        told = self._sign(going)
        # A crash here leaves signed certificates that nobody has, under known serial numbers: as above.
        # 4.
        late = self._group.run(lambda session: outcome.conclude(session, told, at=self._clock.now()))
        # A crash here leaves issued certificates that their holders did not get: they are listed, and can be revoked.
        above = self._above({one.issuer for one in going})
        made = {one.serial: late.get(one.serial) or issued(one.serial, der, above[one.issuer]) for one, der in told}
        return [made[one.serial] if isinstance(one, Planned) else one for one in planned]

    def _judge(self, requests: Sequence[IssuanceRequest]) -> tuple[list[Judgement], Profiles, Sequence[Plan]]:
        with self._database.read() as session:
            profiles, plans = profileset.active(session), plan.serving(session)
            judged = [_inside(one, plans) for one in admission.judge(session, profiles, requests)]
            for one in plans:
                if one.kind == ISSUING and one.name not in self._issuers:
                    # Read once: an authority's certificate does not change.
                    self._issuers[one.name] = issuer.load(session, one.name, self._keys)
        return judged, profiles, plans

    def _sign(self, going: Sequence[Planned]) -> list[tuple[Planned, bytes]]:
        """Have each signed by its authority."""
        pairs: list[tuple[Planned, bytes]] = []
        for name in dict.fromkeys(one.issuer for one in going):
            own = [one for one in going if one.issuer == name]
            signed = self._issuers[name].sign_all(self._press, [(one.prepared, one.prepared.request) for one in own])
            pairs += zip(own, signed, strict=True)
        return pairs

    def _above(self, names: set[str]) -> dict[str, list[bytes]]:
        with self._database.read() as session:
            return {name: chain.above(session, name) for name in names}

    def _plan(
        self, asked: "_Asked", judged: Judgement, profiles: Profiles, plans: Sequence[Plan]
    ) -> Planned | TrustError:
        """Prepare what is admitted; a refusal stays one, and what cannot be prepared becomes one."""
        if isinstance(judged, TrustError):
            return judged
        try:
            authority = self._issuers[plan.for_domain(plans, judged.holder.domain).name]
            start = self._clock.now().replace(microsecond=0)
            filling = Filling(issuer.new_serial(self._random), start, _end(judged, start, authority), judged)
            form = self._template(profiles, judged.profile, authority)
            meant = Meant(filling, form, authority.certificate)
            prepared = self._press.prepare(template.fill(form, filling), meant, request=asked.request.digest)
        except TrustError as refusal:
            return refusal
        terms = asked.terms
        return Planned(
            prepared, judged, profiles.digest, terms.actor, authority.name, terms.since, renews=asked.request.renews
        )

    def _template(self, profiles: Profiles, wanted: Profile, authority: Issuer) -> Template:
        key = profiles.digest, wanted.name, authority.name
        if key not in self._templates:
            made = template.compile_template(wanted, authority.certificate, authority.name, self._settings.public_url)
            # Those of profiles that are not in force any more go.
            kept = {one: form for one, form in self._templates.items() if one[0] == profiles.digest}
            self._templates = {**kept, key: made}
            return made
        return self._templates[key]

    def _record(self, session: Session, asked: "Sequence[_Asked]", planned: Sequence[Planned | TrustError]) -> None:
        for agreed in {one.terms.agreed for one in asked}:
            if agreed is not None:
                agreed(session)
        at = self._clock.now()
        refusals = [
            evidence.prepare(_refusal(about.request, one, about.terms.actor), at=at)
            for about, one in zip(asked, planned, strict=True)
            if isinstance(one, TrustError)
        ]
        if refusals:
            evidence.insert_all(session, refusals)
        if going := [one for one in planned if isinstance(one, Planned)]:
            outcome.intend(session, going, at=at)

    def _again(self, earlier: Earlier) -> IssuedCertificate:
        with self._database.read() as session:
            above = chain.of(session, earlier.serial)
        return issued(earlier.serial, earlier.der, above, repeated=True)


@dataclass(frozen=True, slots=True)
class _Terms:
    """Who asks, how many officers agreed; ``since`` and ``agreed`` as ``issue_batch`` says."""

    actor: str
    officers: int
    since: datetime | None = None
    agreed: Callable[[Session], None] | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request and the terms on which it is asked."""

    request: IssuanceRequest
    terms: _Terms


def _refusal(request: IssuanceRequest, refusal: TrustError, actor: str) -> Event:
    # What cannot be printed cannot be stored everywhere, and is nobody's name.
    holder, profile = (one if one.isprintable() else "?" for one in (request.holder[:80], request.profile[:40]))
    return events.refused(holder, profile, refusal.word, actor=actor)


def _agreed(judged: Judgement, officers: int) -> Judgement:
    """Turn into a refusal what needs more officers than agreed to it."""
    if isinstance(judged, TrustError) or judged.profile.officers(judged.holder.level) <= officers:
        return judged
    level = judged.holder.level
    return NeedsSecond(
        f"a `{judged.profile.name}` certificate at protection level {level} needs a second officer",
        hint="file it at the desk with `guosuo request add`",
    )


def _inside(judged: Judgement, plans: Sequence[Plan]) -> Judgement:
    """Turn into a refusal what would not be valid below the authority of its domain."""
    if isinstance(judged, TrustError):
        return judged
    authority = plan.for_domain(plans, judged.holder.domain)
    try:
        namespace.check(authority.space, judged.hosts, judged.addresses, authority.name)
    except TrustError as refusal:
        return refusal
    return judged


def _end(admitted: Admitted, start: datetime, authority: Issuer) -> datetime:
    """Return the last second: of what was admitted, or of the authority. Raises ``AuthorityExpired``."""
    # A validity period includes its last second (RFC 5280, 4.1.2.5).
    end = start + admitted.life - timedelta(seconds=0 if admitted.life.total_seconds() <= 1 else 1)
    end = min(end, authority.certificate.not_valid_after_utc)
    if end <= start:
        raise AuthorityExpired("the issuing authority's own certificate has expired", hint="make a new authority")
    return end
