"""Name constraints (RFC 5280, 4.2.1.10): what a name may be below an authority that constrains it. Pure.

What cannot be judged is refused: a form that nobody here compares, a name that is not of its form's syntax.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from pki.validation.certificate import Certificate
from pki.validation.extension import Subtrees
from pki.validation.name import ADDRESS, DIRECTORY, DNS, EMAIL, URI, GeneralName, Name
from pki.validation.refusal import Why, refused

#: Most comparisons of a name with a subtree along one path.
MOST_COMPARISONS = 65_536

#: Most octets of a name that is compared: a host's (RFC 1035, 2.3.4), a mailbox's (RFC 5321, 4.5.3.1), a URI's.
_LONGEST = {DNS: 255, EMAIL: 320, URI: 2_048}

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_HOST = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_DOMAIN = re.compile(rf"\.?{_LABEL}(?:\.{_LABEL})*")


@dataclass(frozen=True, slots=True)
class State:
    """Each authority's permitted subtrees for themselves, because all of them must hold; the excluded ones together."""

    permitted: tuple[tuple[GeneralName, ...], ...] = ()
    excluded: tuple[GeneralName, ...] = ()
    comparisons: int = 0


#: Nothing is constrained.
FREE = State()


def add(state: State, subtrees: Subtrees) -> State:
    """Narrow ``state`` by an authority's constraints (6.1.4 (g))."""
    for one in (*subtrees.permitted, *subtrees.excluded):
        _check_subtree(one)
    permitted = (*state.permitted, subtrees.permitted) if subtrees.permitted else state.permitted
    return State(permitted, state.excluded + subtrees.excluded, state.comparisons)


def check(state: State, certificate: Certificate) -> State:
    """Raise unless every name of the certificate is permitted and none excluded (6.1.3 (b) and (c))."""
    if not state.permitted and not state.excluded:
        return state
    names = _names(certificate)
    constraining = sum(len(one) for one in state.permitted) + len(state.excluded)
    comparisons = state.comparisons + len(names) * constraining
    if comparisons > MOST_COMPARISONS:
        raise refused(Why.TOO_MUCH, f"more than {MOST_COMPARISONS} comparisons of names with constraints")
    for one in names:
        _check_name(state, one)
    return State(state.permitted, state.excluded, comparisons)


def _names(certificate: Certificate) -> list[GeneralName]:
    """Return what is constrained: the subject unless it is empty, its mail addresses, the alternative names.

    4.2.1.10 asks to constrain the subject's mail addresses where there are no alternative names; here they always are,
    or an alternative name of any form would free them.
    """
    subject = certificate.subject
    own = [GeneralName(DIRECTORY, subject)] if subject.relative else []
    return [*own, *(GeneralName(EMAIL, one.encode()) for one in subject.emails), *certificate.alternative]


def _check_name(state: State, one: GeneralName) -> None:
    for authority in state.permitted:
        same = [subtree for subtree in authority if subtree.form == one.form]
        if same and not any(_is_within(one, subtree, excluding=False) for subtree in same):
            raise refused(Why.NOT_PERMITTED, f"the name `{_shown(one)}` is not permitted")
    for subtree in state.excluded:
        if subtree.form == one.form and _is_within(one, subtree, excluding=True):
            raise refused(Why.EXCLUDED, f"the name `{_shown(one)}` is excluded")


def _is_within(one: GeneralName, subtree: GeneralName, *, excluding: bool) -> bool:
    """Say whether a name lies in a subtree of its own form; of two readings the one that refuses."""
    if isinstance(one.value, Name) or isinstance(subtree.value, Name):
        return isinstance(one.value, Name) and isinstance(subtree.value, Name) and one.value.is_within(subtree.value)
    if one.form == ADDRESS:
        return _is_address_within(one.value, subtree.value)
    if len(one.value) > _LONGEST.get(one.form, 0) > 0:
        raise refused(Why.TOO_MUCH, f"a name of {len(one.value)} octets is constrained, more than {_LONGEST[one.form]}")
    if one.form == DNS:
        return _is_host_within(_text(one.value), _text(subtree.value), excluding=excluding)
    if one.form == URI:
        return _is_domain(_host_of(_text(one.value)), _text(subtree.value))
    if one.form == EMAIL:
        return _is_mailbox_within(_text(one.value), _text(subtree.value))
    raise refused(Why.NOT_PERMITTED, f"names of the form {one.form} are constrained, which nobody here can judge")


def _is_host_within(host: str, constraint: str, *, excluding: bool) -> bool:
    """Zero or more labels to the left of the constraint; a leading dot asks for one at least."""
    host, constraint = host.lower(), constraint.lower()
    if not _HOST.fullmatch(host):
        raise refused(Why.NOT_PERMITTED, "a host name is not of its syntax (RFC 5280, 4.2.1.6)")
    if not constraint:
        return True
    parent = constraint.removeprefix(".")
    if host.startswith("*.") and excluding:
        # Some host that the wildcard stands for lies within.
        return _is_below(host[2:], parent) or _is_below(parent, host[2:])
    return _is_below(host, parent) and (host != constraint[1:] or not constraint.startswith("."))


def _is_below(host: str, parent: str) -> bool:
    return host == parent or host.endswith("." + parent)


def _is_domain(host: str, constraint: str) -> bool:
    """A host, or with a leading dot all below a domain and not itself: for URIs and mail addresses."""
    host, constraint = host.lower(), constraint.lower()
    return host.endswith(constraint) if constraint.startswith(".") else host == constraint


def _host_of(uri: str) -> str:
    """Return the host of a URI, which has to be a host's name as soon as URIs are constrained."""
    try:
        host = urlsplit(uri).hostname or ""
    except ValueError as error:
        raise refused(Why.NOT_PERMITTED, "a URI is not of its syntax (RFC 3986)") from error
    if not _HOST.fullmatch(host) or host.startswith("*") or host.rsplit(".", 1)[-1].isdigit():
        raise refused(Why.NOT_PERMITTED, "a URI has no host's name that a constraint could be about")
    return host


def _is_mailbox_within(mailbox: str, constraint: str) -> bool:
    """A mailbox, all mailboxes of a host, or (leading dot) of all hosts below a domain; the local part has a case."""
    local, at, host = mailbox.rpartition("@")
    if not at or not local or not _HOST.fullmatch(host.lower()):
        raise refused(Why.NOT_PERMITTED, "a mail address is not of its syntax (RFC 5280, 4.2.1.6)")
    wanted, at, domain = constraint.rpartition("@")
    return _is_domain(host, domain) and (not at or wanted == local)


def _is_address_within(address: bytes, subtree: bytes) -> bool:
    if len(address) not in (4, 16):
        raise refused(Why.NOT_PERMITTED, "an address is of neither version of IP")
    half = len(subtree) // 2
    return half == len(address) and all(
        one & mask == wanted & mask for one, wanted, mask in zip(address, subtree[:half], subtree[half:], strict=True)
    )


def _check_subtree(one: GeneralName) -> None:
    """Raise unless a constraint says something in its form's syntax."""
    if isinstance(one.value, Name):
        return
    if one.form == ADDRESS:
        half = len(one.value) // 2
        mask = int.from_bytes(one.value[half:], "big") ^ ((1 << 8 * half) - 1)
        sound = len(one.value) in (8, 32) and mask & (mask + 1) == 0
    elif one.form in (DNS, URI, EMAIL):
        domain = _text(one.value).lower()
        domain = domain.rpartition("@")[2] if one.form == EMAIL else domain
        written = _DOMAIN.fullmatch(domain) is not None or (one.form == DNS and domain == "")
        sound = written and len(one.value) <= _LONGEST[one.form]
    else:
        sound = True  # judged, and then refused, when a name of that form comes
    if not sound:
        raise refused(Why.MALFORMED, f"a name constraint `{_shown(one)}` is not of its form's syntax")


def _text(value: bytes) -> str:
    try:
        return value.decode("ascii")
    except UnicodeDecodeError as error:
        raise refused(Why.MALFORMED, "a name is not of the characters its form allows") from error


def _shown(one: GeneralName) -> str:
    if isinstance(one.value, Name):
        return str(one.value)
    if one.form == ADDRESS and len(one.value) in (4, 16):
        return str(ipaddress.ip_address(one.value))
    return one.value[:80].decode("ascii", "backslashreplace")
