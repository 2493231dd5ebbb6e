"""Whether a certificate is a client's, under our authorities, with a reason for every refusal (RFC 5280, 6.1). Pure.

1. readable, version 3, no critical extension that is not understood · 2. issuer's name is one of ours ·
3. issuer's signature · 4. validity of the certificate and of every authority above it · 5. purpose ·
6. what else its authorities ask: names, policies (``pki.validation``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pki import der
from pki.errors import (
    BadCertificate,
    Expired,
    ForeignIssuer,
    LookAlikeIssuer,
    NotYetValid,
    RefusedPath,
    WrongPurpose,
)
from pki.validation import certificate, element, extension, process
from pki.validation import path as paths
from pki.validation.certificate import Certificate
from pki.validation.process import Parameters, State

#: id-kp-clientAuth (RFC 5280, 4.2.1.12).
CLIENT = element.octets_of("1.3.6.1.5.5.7.3.2")

#: What a client's certificate may have as critical: less than path validation understands.
_UNDERSTOOD = frozenset(
    {
        extension.BASIC,
        extension.KEY_USAGE,
        extension.PURPOSES,
        extension.ALTERNATIVE,
        extension.AUTHORITY_KEY,
        extension.SUBJECT_KEY,
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Authorities:
    """Our authorities, validated once: the ``state`` of 6.1 below them, whose times are checked at every call."""

    certificates: tuple[Certificate, ...]
    state: State
    parameters: Parameters


def trust(authorities: Sequence[bytes]) -> Authorities:
    """Validate our own authorities' DER certificates (issuing first, root last), but for their times.

    Raises ``RefusedPath``.
    """
    *below, root = (certificate.parse(one) for one in authorities)
    # No time is asked for here: every ``validate`` asks for it anew.
    parameters = Parameters(now=root.not_before, purpose=CLIENT)
    state = paths.prefix(below[::-1], paths.trust(root), parameters)
    return Authorities((*below, root), state, parameters)


def validate(content: bytes, authorities: Authorities, now: datetime) -> Certificate:
    """Return the certificate when it is a client's, under ``authorities``, at ``now``.

    Raises ``BadCertificate``, ``ForeignIssuer``, ``LookAlikeIssuer``, ``Expired``, ``NotYetValid``, ``WrongPurpose``,
    and ``RefusedPath`` for what only the authorities above it ask.
    """
    found = issued(content, authorities)
    check(found, authorities, now)
    return found


def issued(content: bytes, authorities: Authorities) -> Certificate:
    """Return the certificate when ``authorities`` issued it, whenever and for whatever (1. to 3.)."""
    return issued_by_one(content, (authorities,))[0]


def issued_by_one(content: bytes, known: tuple[Authorities, ...]) -> tuple[Certificate, Authorities]:
    """As ``issued``, with which of the ``known`` ones issued it; no two of them have one name."""
    # 1.
    found = _load(content)
    # 2. and 3. A name is no proof: what bears our name must bear our signature.
    authorities = next((one for one in known if found.issuer == one.state.name), None)
    if authorities is None:
        raise ForeignIssuer(f"issued by `{found.issuer}`, which is no authority of ours")
    try:
        process.check_issued(authorities.state, found, authorities.parameters.algorithms)
    except RefusedPath as error:
        raise LookAlikeIssuer("issued under our authority's name, but not with its key") from error
    # What is not under the signature has one encoding too: a second form of the same certificate is not ours.
    if der.signed(found.tbs, found.signature[1:]) != content:
        raise BadCertificate("the certificate is not in its one encoding (X.690, 10)")
    return found, authorities


def check(found: Certificate, authorities: Authorities, now: datetime) -> None:
    """Raise unless a certificate that was ``issued`` is a client's at ``now`` (4. to 6.)."""
    # 4.
    for one in (found, *authorities.certificates):
        _check_time(one, now)
    # 5.
    _check_purpose(found)
    # 6.
    process.finish(process.accept(authorities.state, found), found, authorities.parameters)


def _load(content: bytes) -> Certificate:
    try:
        found = certificate.parse(content)
    except RefusedPath as error:
        raise BadCertificate(f"the certificate cannot be read: {error.detail}") from error
    if found.version != 3:
        raise BadCertificate("the certificate is not of version 3")
    if found.serial_number < 1:
        raise BadCertificate("the certificate's serial number is not positive (RFC 5280, 4.1.2.2)")
    for kind, one in found.extensions.items():
        if one.critical and kind not in _UNDERSTOOD:
            raise BadCertificate(f"the certificate has a critical extension {element.dotted(kind)}")
    return found


def _check_time(one: Certificate, now: datetime) -> None:
    if now < one.not_before:
        raise NotYetValid(f"the certificate is valid only from {one.not_before:%Y-%m-%d %H:%M}Z")
    if now > one.not_after:
        hint = "ask the registration officer for a new one"
        raise Expired(f"the certificate expired at {one.not_after:%Y-%m-%d %H:%M}Z", hint=hint)


def _check_purpose(found: Certificate) -> None:
    signs = found.key_usage is not None and found.key_usage & extension.DIGITAL_SIGNATURE
    client = found.purposes is not None and CLIENT in found.purposes
    if found.is_authority or not signs or not client:
        raise WrongPurpose("the certificate is not for authenticating a client")
