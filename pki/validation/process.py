"""The state of path validation, certificate by certificate (RFC 5280, 6.1.2 to 6.1.5). Pure.

A ``State`` is a value: what is proven of the authorities of a path can be kept and used for every certificate below.
Time (6.1.3 (a)(2)) and status (6.1.3 (a)(3)) pass; they are checked apart, by ``check_time`` and ``revocation``.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from pki.validation import constraints, element, extension, policy, signature
from pki.validation.certificate import Certificate
from pki.validation.extension import ANY_POLICY, ANY_PURPOSE, CERT_SIGN
from pki.validation.name import Name
from pki.validation.policy import Graph
from pki.validation.refusal import Why, refused
from pki.validation.signature import Algorithms, Key

#: What is understood, so that it may be critical (6.1.4 (o), 6.1.5 (f)); purposes count only where one is asked for.
_UNDERSTOOD = frozenset(
    {
        extension.SUBJECT_KEY,
        extension.AUTHORITY_KEY,
        extension.KEY_USAGE,
        extension.ALTERNATIVE,
        extension.ISSUER_ALTERNATIVE,
        extension.BASIC,
        extension.CONSTRAINTS,
        extension.POINTS,
        extension.POLICIES,
        extension.MAPPINGS,
        extension.POLICY_CONSTRAINTS,
        extension.INHIBIT_ANY,
        extension.FRESHEST,
    }
)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A trust anchor (6.1.1 (d)): a name and a key, believed without proof; its own constraints do not count."""

    name: Name
    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The other inputs (6.1.1): ``policies`` as object identifiers' contents; ``purpose`` is asked of every purpose."""

    now: datetime
    policies: frozenset[bytes] = frozenset({ANY_POLICY})
    inhibit_mapping: bool = False
    explicit_policy: bool = False
    inhibit_any: bool = False
    purpose: bytes | None = None
    algorithms: Algorithms = signature.MODERN


@dataclass(frozen=True, slots=True)
class State:
    """The state variables (6.1.2); ``left`` is how many certificates are still to come."""

    left: int
    name: Name
    key: Key
    explicit_policy: int
    policy_mapping: int
    inhibit_any: int
    path_length: int
    graph: Graph | None = policy.START
    names: constraints.State = constraints.FREE


def start(anchor: Anchor, length: int, parameters: Parameters) -> State:
    """Return the initial state for a path of ``length`` certificates (6.1.2)."""
    return State(
        left=length,
        name=anchor.name,
        key=anchor.key,
        explicit_policy=0 if parameters.explicit_policy else length + 1,
        policy_mapping=0 if parameters.inhibit_mapping else length + 1,
        inhibit_any=0 if parameters.inhibit_any else length + 1,
        path_length=length,
    )


def check_issued(state: State, certificate: Certificate, algorithms: Algorithms) -> None:
    """Raise unless the certificate is issued by whom the path has come to (6.1.3 (a)(1) and (4))."""
    if certificate.issuer != state.name:
        raise refused(Why.CHAINING, f"issued by `{certificate.issuer}`, and not by `{state.name}`")
    signature.verify(state.key, certificate.algorithm, certificate.tbs, certificate.signature, algorithms)


def check_time(certificate: Certificate, now: datetime) -> None:
    """Raise unless the certificate is valid at ``now`` (6.1.3 (a)(2))."""
    if now < certificate.not_before:
        raise refused(Why.NOT_YET_VALID, f"the certificate is valid only from {certificate.not_before:%Y-%m-%d %H:%M}Z")
    if now > certificate.not_after:
        raise refused(Why.EXPIRED, f"the certificate expired at {certificate.not_after:%Y-%m-%d %H:%M}Z")


def accept(state: State, certificate: Certificate) -> State:
    """Take names and policies of the next certificate into account (6.1.3 (b) to (f))."""
    own = certificate.is_self_issued and state.left > 1
    names = state.names if own else constraints.check(state.names, certificate)
    graph = None
    if state.graph is not None and certificate.policies is not None:
        graph = policy.extend(state.graph, certificate.policies, any_counts=state.inhibit_any > 0 or own)
    if state.explicit_policy == 0 and graph is None:
        raise refused(Why.NO_POLICY, "no policy is valid along the path, and one is required")
    return replace(state, left=state.left - 1, graph=graph, names=names)


def descend(state: State, certificate: Certificate, parameters: Parameters) -> State:
    """Go on below a certificate that is not the last (6.1.4)."""
    state = _map(state, certificate)
    names = state.names if certificate.subtrees is None else constraints.add(state.names, certificate.subtrees)
    _check_authority(certificate)
    _check_extensions(certificate, Why.CRITICAL, parameters.purpose)
    return replace(
        _counted(state, certificate),
        name=certificate.subject,
        key=signature.load(certificate.spki, state.key),
        names=names,
    )


def _map(state: State, certificate: Certificate) -> State:
    """(a) and (b)."""
    mappings = certificate.mappings
    if mappings is None:
        return state
    if ANY_POLICY in mappings or any(ANY_POLICY in subjects for subjects in mappings.values()):
        raise refused(Why.ANY_MAPPED, "a policy is mapped from or to anyPolicy")
    if state.graph is None:
        return state
    return replace(state, graph=policy.map_policies(state.graph, mappings, allowed=state.policy_mapping > 0))


def _counted(state: State, certificate: Certificate) -> State:
    """(h) to (j), (l) and (m): the counters."""
    step = 0 if certificate.is_self_issued else 1
    explicit, mapping = max(state.explicit_policy - step, 0), max(state.policy_mapping - step, 0)
    inhibit = max(state.inhibit_any - step, 0)
    if step and state.path_length == 0:
        raise refused(Why.TOO_LONG, "more authorities follow than the path's length allows")
    length = state.path_length - step
    if (limits := certificate.policy_constraints) is not None:
        explicit = _least(explicit, limits.require_explicit)
        mapping = _least(mapping, limits.inhibit_mapping)
    return replace(
        state,
        explicit_policy=explicit,
        policy_mapping=mapping,
        inhibit_any=_least(inhibit, certificate.inhibit_any),
        path_length=_least(length, certificate.basic.path_length if certificate.basic else None),
    )


def _least(value: int, limit: int | None) -> int:
    return value if limit is None else min(value, limit)


def _check_authority(certificate: Certificate) -> None:
    """(k) and (n)."""
    # An older version than 3 has no extension that could say so.
    if not certificate.is_authority:
        raise refused(Why.NOT_AUTHORITY, f"`{certificate.subject}` is no authority")
    if certificate.key_usage is not None and not certificate.key_usage & CERT_SIGN:
        raise refused(Why.KEY_USAGE, f"the key of `{certificate.subject}` is not for signing certificates")


def _check_extensions(certificate: Certificate, why: Why, purpose: bytes | None) -> None:
    """(o), and (f) of 6.1.5; and the purpose that is asked for (4.2.1.12), of every certificate that names some."""
    for kind, one in certificate.extensions.items():
        understood = kind in _UNDERSTOOD or (kind == extension.PURPOSES and purpose is not None)
        if one.critical and not understood:
            raise refused(why, f"the certificate has a critical extension {element.dotted(kind)}")
    named = certificate.purposes
    if purpose is not None and named is not None and not named & {purpose, ANY_PURPOSE}:
        raise refused(Why.PURPOSE, f"the certificate is not for the purpose {element.dotted(purpose)}")


def finish(state: State, certificate: Certificate, parameters: Parameters) -> frozenset[bytes]:
    """Wrap up with the last certificate (6.1.5); return the policies it is good for."""
    explicit = max(state.explicit_policy - 1, 0)
    if certificate.policy_constraints is not None and certificate.policy_constraints.require_explicit == 0:
        explicit = 0
    _check_extensions(certificate, Why.CRITICAL_LAST, parameters.purpose)
    policies = policy.constrained(state.graph, parameters.policies)
    if explicit == 0 and not policies:
        raise refused(Why.NO_POLICY_LEFT, "the path is good for none of the policies that are accepted")
    return policies
