"""The authority's generations: ``tsa-1``, ``tsa-2`` …, each with a key of its own that is used for a year.

A token is verified long after it was made, by many against the clock of that day: the certificate lasts as long as its
issuer lets it, the key is used for the first year only (privateKeyUsagePeriod, X.509 9.2.2.5).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from sqlmodel import Session, col, select

from pki.errors import NotEstablished
from pki.issuer import TSA
from pki.models import Authority

FIRST = f"{TSA}-1"


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation; ``key`` is the label in the token, used until ``until`` (inclusive)."""

    number: int
    name: str
    key: str
    certificate: x509.Certificate
    until: datetime


def current(session: Session, now: datetime) -> Generation:
    """Return the newest generation that is valid at ``now``, or the newest of all. Raises ``NotEstablished``.

    One that was made while the clock was ahead does not stand in the way of the one before.
    """
    known = _all(session)
    if not known:
        raise NotEstablished("there is no time-stamp authority yet", hint="the worker makes it; see `guosuo doctor`")
    begun = [one for one in known if one.certificate.not_valid_before_utc <= now]
    return (begun or known)[-1]


def newest_number(session: Session) -> int:
    """Return the number of the newest generation; 0 when there is none."""
    known = _all(session)
    return known[-1].number if known else 0


def _all(session: Session) -> list[Generation]:
    rows = session.exec(select(Authority).where(col(Authority.name).startswith(f"{TSA}-")))
    return sorted((_generation(row) for row in rows), key=lambda one: one.number)


def _generation(row: Authority) -> Generation:
    certificate = x509.load_der_x509_certificate(row.der)
    period = certificate.extensions.get_extension_for_class(x509.PrivateKeyUsagePeriod).value
    assert period.not_after is not None
    return Generation(
        number=int(row.name.removeprefix(f"{TSA}-")),
        name=row.name,
        key=row.key,
        certificate=certificate,
        until=period.not_after.replace(tzinfo=UTC),
    )
