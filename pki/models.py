"""Tables of certificates: intentions before signatures, outcomes after them."""

from datetime import datetime

from sqlalchemy import Column, Index, LargeBinary, Text, text
from sqlmodel import Field, SQLModel

from core.database import UtcDateTime

#: What an intention that renews is, in the words of the store.
RENEWS = text("renews <> ''")


class Authority(SQLModel, table=True):
    """An authority or delegated responder of ours and its certificate; ``issuer`` is whose key signed it."""

    __tablename__ = "authority"

    name: str = Field(primary_key=True, max_length=40)
    key: str = Field(max_length=80)
    serial: str = Field(unique=True, max_length=40)
    der: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    issuer: str = Field(default="", max_length=40)


class AuthorityPlan(SQLModel, table=True):
    """An authority that two people agreed on: data from which the worker makes it.

    ``domains``, ``space``, ``policies`` are JSON; ``parent`` is whose key signs it. ``root`` to ``days`` are those of a
    certificate for another installation (``crossing.py``).
    """

    __tablename__ = "authority_plan"

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    name: str = Field(unique=True, max_length=40)
    parent: str = Field(max_length=40)
    path_length: int
    algorithm: str = Field(max_length=20)
    domains: str = Field(sa_type=Text)
    space: str = Field(sa_type=Text)
    root: str = Field(default="", sa_type=Text)
    policies: str = Field(default="[]", sa_type=Text)
    days: int = 0
    proposer: str = Field(max_length=80)
    approver: str = Field(max_length=80)
    basis: str = Field(max_length=400)
    at: datetime = Field(sa_type=UtcDateTime)


class IssuanceIntent(SQLModel, table=True):
    """What we are about to sign: recorded before any key is used. ``state`` is open, issued or abandoned.

    ``request`` is the digest of the request, ``profiles`` that of the profiles it was judged by (both empty for an
    authority's own certificate). ``renews`` is the serial number that alone vouched for it.
    """

    __tablename__ = "issuance_intent"
    # Few are renewals: the others cost nothing here.
    __table_args__ = (Index("ix_issuance_intent_renews", "renews", sqlite_where=RENEWS, postgresql_where=RENEWS),)

    serial: str = Field(primary_key=True, max_length=40)
    issuer: str = Field(max_length=40)
    profile: str = Field(max_length=40)
    holder_kind: str = Field(max_length=20)
    holder: str = Field(max_length=80)
    domain: str = Field(max_length=80)
    actor: str = Field(max_length=120)
    at: datetime = Field(sa_type=UtcDateTime)
    tbs: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str = Field(default="open", index=True, max_length=10)
    request: str = Field(default="", index=True, max_length=64)
    profiles: str = Field(default="", max_length=64)
    renews: str = Field(default="", max_length=40)


class ProfileSet(SQLModel, table=True):
    """Profiles that two people put into force; the newest counts. ``text`` is what they agreed on, octet for octet."""

    __tablename__ = "profile_set"

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(max_length=64)
    version: str = Field(max_length=40)
    text: str = Field(sa_type=Text)
    proposer: str = Field(max_length=80)
    approver: str = Field(max_length=80)
    basis: str = Field(max_length=400)
    at: datetime = Field(sa_type=UtcDateTime)


class DeskRequest(SQLModel, table=True):
    """A request at the registration desk.

    ``approved_by``: of the present revision, each a person's id, a slash and the serial number of their certificate.

    ``code`` is the one-time code that it came by: then ``requester`` made the code. ``renews`` is the serial number of
    the certificate that it follows.
    """

    __tablename__ = "desk_request"

    id: str = Field(primary_key=True, max_length=16)
    requester: str = Field(max_length=120)
    filed_at: datetime = Field(sa_type=UtcDateTime, index=True)
    profile: str = Field(default="", max_length=40)
    holder_kind: str = Field(default="", max_length=20)
    holder: str = Field(default="", max_length=80)
    domain: str = Field(default="", max_length=80)
    csr: str = Field(default="", sa_type=Text)
    dns_names: str = Field(default="[]", sa_type=Text)
    ip_addresses: str = Field(default="[]", sa_type=Text)
    lifetime_seconds: int | None = None
    renews: str = Field(default="", max_length=40)
    code: str = Field(default="", max_length=6)
    digest: str = Field(default="", max_length=64)
    revision: int = 1
    needed: int = 1
    approved_by: str = Field(default="", max_length=400)
    state: str = Field(default="submitted", index=True, max_length=10)
    comment: str = Field(default="", max_length=1000)
    serial: str = Field(default="", max_length=40)


class EnrolmentCode(SQLModel, table=True):
    """A one-time code: for whom, by whom, until when. Of its secret only a salted slow hash is kept (``onetime.py``).

    ``digest`` is that of the request it was used for, ``request`` that request's id at the desk; ``ticket_sha256`` is
    the hash of what asks how far it is. ``purpose`` is onboarding or lost-token.
    """

    __tablename__ = "enrolment_code"

    id: str = Field(primary_key=True, max_length=6)
    holder_kind: str = Field(max_length=20)
    holder: str = Field(index=True, max_length=80)
    domain: str = Field(max_length=80)
    profile: str = Field(max_length=40)
    dns_names: str = Field(default="[]", sa_type=Text)
    purpose: str = Field(max_length=20)
    maker: str = Field(index=True, max_length=120)
    made_at: datetime = Field(sa_type=UtcDateTime, index=True)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    salt: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    verifier: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str = Field(default="open", index=True, max_length=10)
    tries: int = 0
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    digest: str = Field(default="", max_length=64)
    request: str = Field(default="", max_length=16)
    ticket_sha256: str = Field(default="", index=True, max_length=64)


class Certificate(SQLModel, table=True):
    """An issued certificate, as handed out."""

    __tablename__ = "certificate"

    serial: str = Field(primary_key=True, max_length=40)
    issuer: str = Field(max_length=40)
    issued_at: datetime = Field(sa_type=UtcDateTime)
    der: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Revocation(SQLModel, table=True):
    """A serial number that is revoked for ever; ``entry`` is its DER for the CRL, encoded once (RFC 5280, 5.1)."""

    __tablename__ = "revocation"
    __table_args__ = (Index("ix_revocation_issuer_shard", "issuer", "shard"),)

    serial: str = Field(primary_key=True, max_length=40)
    issuer: str = Field(max_length=40)
    shard: int
    at: datetime = Field(sa_type=UtcDateTime)
    reason: str = Field(max_length=40)
    entry: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class CertificateHold(SQLModel, table=True):
    """A certificate that is on hold since ``at`` and until ``until``."""

    __tablename__ = "certificate_hold"
    __table_args__ = (Index("ix_certificate_hold_issuer_shard", "issuer", "shard"),)

    serial: str = Field(primary_key=True, max_length=40)
    issuer: str = Field(max_length=40)
    shard: int
    at: datetime = Field(sa_type=UtcDateTime)
    until: datetime = Field(sa_type=UtcDateTime, index=True)
    entry: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class RevocationChange(SQLModel, table=True):
    """One change of the lists, in the order it was made; ``number`` is the publication that was the first to tell it.

    ``entry`` is what a delta list says of it. Changes that every delta has behind it are dropped.
    """

    __tablename__ = "revocation_change"
    __table_args__ = (Index("ix_revocation_change_issuer_number", "issuer", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    issuer: str = Field(max_length=40)
    shard: int
    serial: str = Field(max_length=40, index=True)
    at: datetime = Field(sa_type=UtcDateTime)
    number: int | None = Field(default=None)
    entry: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class CrlPublication(SQLModel, table=True):
    """One number of an authority's lists: taken first, its lists follow; numbers never go back.

    Every list of one publication bears its number, so that a full list and a delta of one number say the same (RFC
    5280, 5.2.4). ``entries`` is how many serial numbers are listed; without ``published_at`` nobody saw it.
    """

    __tablename__ = "crl_publication"

    issuer: str = Field(primary_key=True, max_length=40)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    this_update: datetime = Field(sa_type=UtcDateTime)
    next_update: datetime = Field(sa_type=UtcDateTime)
    entries: int
    published_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class CrlList(SQLModel, table=True):
    """One list of a publication: ``scope`` is ``full``, ``delta`` or a shard's number.

    ``tbs_sha256`` is recorded before the key is used, ``der`` after it; only the newest list of a scope is kept. Its
    entries are the octets of ``der`` from ``start`` (counted from 0), ``length`` of them. ``base`` is a delta's base.
    """

    __tablename__ = "crl_list"

    issuer: str = Field(primary_key=True, max_length=40)
    scope: str = Field(primary_key=True, max_length=10)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    this_update: datetime = Field(sa_type=UtcDateTime)
    next_update: datetime = Field(sa_type=UtcDateTime)
    entries: int
    base: int | None = Field(default=None)
    tbs_sha256: str = Field(max_length=64)
    start: int = 0
    length: int = 0
    der: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))


class BulkRevocation(SQLModel, table=True):
    """An order to revoke many certificates; ``id`` is the digest of what was ordered, ``done`` how many were looked at.

    ``state`` is planned until it is ordered, then open until none is left; ``skipped`` were revoked before.
    """

    __tablename__ = "bulk_revocation"

    id: str = Field(primary_key=True, max_length=64)
    reason: str = Field(max_length=40)
    actor: str = Field(max_length=120)
    at: datetime = Field(sa_type=UtcDateTime)
    total: int
    done: int = 0
    skipped: int = 0
    state: str = Field(default="open", index=True, max_length=10)


class BulkRevocationItem(SQLModel, table=True):
    """A certificate that an order still has to revoke; it goes when that is done."""

    __tablename__ = "bulk_revocation_item"

    order: str = Field(primary_key=True, max_length=64)
    serial: str = Field(primary_key=True, max_length=40)
