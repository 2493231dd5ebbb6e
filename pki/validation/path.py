"""Certification path validation (RFC 5280, 6): the path, the trust anchor, parameters and lists in. Pure.

    proven = path.validate(certificates, path.trust(root), Parameters(now=now), Evidence(lists=lists))

Every piece of work is counted: hostile certificates can make a validation fail, and not make it long.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from pki.errors import RefusedPath
from pki.validation import process, revocation, signature
from pki.validation.certificate import Certificate
from pki.validation.crl import Crl
from pki.validation.extension import ANY_POLICY, CRL_SIGN
from pki.validation.process import Anchor, Parameters, State
from pki.validation.refusal import Why, refused
from pki.validation.signature import Key

#: Most certificates of a path, lists and signers handed in, and pieces of work: a signature, a step of a search.
LONGEST, MOST_LISTS, MOST_SIGNERS, MOST_WORK = 16, 64, 64, 512


@dataclass(frozen=True, slots=True)
class Evidence:
    """The lists, and certificates of those who sign lists and are not on the path themselves."""

    lists: tuple[Crl, ...]
    signers: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Proven:
    """A valid path's outcome (6.1.6): its last certificate, with its key, and the policies it is good for."""

    certificate: Certificate
    key: Key
    policies: frozenset[bytes]


def trust(root: Certificate) -> Anchor:
    """Take a certificate as a trust anchor: its name and its key, nothing else of it."""
    return Anchor(root.subject, signature.load(root.spki))


def validate(
    certificates: Sequence[Certificate], anchor: Anchor, parameters: Parameters, evidence: Evidence | None = None
) -> Proven:
    """Return what the path proves, the anchor's own child first and the certificate in question last.

    Without ``evidence`` nobody asks whether anything is revoked. Raises ``RefusedPath`` with the certificate's place.
    """
    if evidence is not None and (len(evidence.lists) > MOST_LISTS or len(evidence.signers) > MOST_SIGNERS):
        raise refused(Why.TOO_MUCH, f"more than {MOST_LISTS} lists or {MOST_SIGNERS} signers")
    return _Validation(anchor, parameters, evidence).run(certificates, ())


def prefix(certificates: Sequence[Certificate], anchor: Anchor, parameters: Parameters) -> State:
    """Return the state after a path's authorities, for any one certificate below them; times are left to the caller."""
    state = process.start(anchor, len(certificates) + 1, parameters)
    for one in certificates:
        process.check_issued(state, one, parameters.algorithms)
        state = process.descend(process.accept(state, one), one, parameters)
    return state


@dataclass(slots=True)
class _Work:
    left: int = MOST_WORK

    def spend(self) -> None:
        """Raise when the work for one validation is used up."""
        self.left -= 1
        if self.left < 0:
            raise refused(Why.TOO_MUCH, f"more than {MOST_WORK} pieces of work")


@dataclass(slots=True)
class _Above:
    """What is proven above a certificate, and the signers of lists whose own paths are being validated."""

    pending: tuple[Certificate, ...]
    issued: list[tuple[Certificate, Key]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Validation:
    anchor: Anchor
    parameters: Parameters
    evidence: Evidence | None
    work: _Work = field(default_factory=_Work)

    def run(self, certificates: Sequence[Certificate], pending: tuple[Certificate, ...]) -> Proven:
        """Go down the path; ``pending`` are the signers of lists whose own paths are being validated."""
        if not 1 <= len(certificates) <= LONGEST:
            raise refused(Why.TOO_LONG, f"a path has 1 to {LONGEST} certificates, not {len(certificates)}")
        state, above = process.start(self.anchor, len(certificates), self.parameters), _Above(pending=pending)
        *authorities, last = certificates
        for place, one in enumerate(authorities, 1):
            with _placed(place):
                self._check(state, above, one)
                state = process.descend(process.accept(state, one), one, self.parameters)
                above.issued.append((one, state.key))
        with _placed(len(certificates)):
            self._check(state, above, last)
            policies = process.finish(process.accept(state, last), last, self.parameters)
            return Proven(last, signature.load(last.spki, state.key), policies)

    def _check(self, state: State, above: "_Above", one: Certificate) -> None:
        """6.1.3 (a)."""
        self.work.spend()
        process.check_issued(state, one, self.parameters.algorithms)
        process.check_time(one, self.parameters.now)
        if self.evidence is not None:

            def prove(crl: Crl) -> Key | None:
                return next((key for key in self._keys(crl, above, one) if self._verifies(crl, key)), None)

            revocation.check(one, self.evidence.lists, self.parameters.now, prove, self._verifies)

    def _verifies(self, crl: Crl, key: Key) -> bool:
        self.work.spend()
        try:
            signature.verify(key, crl.algorithm, crl.tbs, crl.signature, self.parameters.algorithms)
        except RefusedPath:
            return False
        return True

    def _keys(self, crl: Crl, above: "_Above", one: Certificate) -> Iterator[Key]:
        """The keys that may have signed a list (6.3.3 (f)): of the anchor, the path so far, and proven signers."""
        if self.anchor.name == crl.issuer:
            yield self.anchor.key
        yield from (key for authority, key in above.issued if _may_sign(authority, crl))
        # A signer may be in the list that it signs: it can say there that it is revoked, and hardly anything else.
        if above.pending and one is above.pending[-1] and _may_sign(one, crl):
            yield signature.load(one.spki)
        yield from self._proven_keys(crl, above)

    def _proven_keys(self, crl: Crl, above: "_Above") -> Iterator[Key]:
        signers = () if self.evidence is None else self.evidence.signers
        pool = [*(one for one, _ in above.issued), *signers]
        for signer in signers:
            if not _may_sign(signer, crl) or signer in above.pending:
                continue
            for found in self._paths(signer, pool, LONGEST):
                try:
                    yield self._for_signers().run(found, (*above.pending, signer)).key
                except RefusedPath as error:
                    # What does not prove this signer leaves the others; what used up the work ends it all.
                    if error.word == Why.TOO_MUCH.value[0]:
                        raise

    def _for_signers(self) -> "_Validation":
        """The same validation with no demands on policy or purpose: those are on the certificate in question."""
        plain = replace(
            self.parameters,
            policies=frozenset({ANY_POLICY}),
            explicit_policy=False,
            inhibit_mapping=False,
            inhibit_any=False,
            purpose=None,
        )
        return replace(self, parameters=plain)

    def _paths(self, last: Certificate, pool: Sequence[Certificate], most: int) -> Iterator[tuple[Certificate, ...]]:
        """The paths from the anchor to ``last`` through ``pool``, by their names, no certificate twice."""
        self.work.spend()
        if last.issuer == self.anchor.name:
            yield (last,)
        rest = [one for one in pool if one is not last]
        for one in rest:
            if most > 1 and one.subject == last.issuer and one.is_authority:
                yield from ((*above, last) for above in self._paths(one, rest, most - 1))


def _may_sign(certificate: Certificate, crl: Crl) -> bool:
    usage = certificate.key_usage
    return certificate.subject == crl.issuer and (usage is None or bool(usage & CRL_SIGN))


@contextmanager
def _placed(place: int) -> Iterator[None]:
    """Give a refusal the certificate's place; one from a signer's own path keeps its place there."""
    try:
        yield
    except RefusedPath as error:
        error.place = error.place or place
        raise
