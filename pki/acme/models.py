"""Tables of ACME. What has ended is removed by the job ``pki.acme.tidy``; the evidence keeps what happened."""

from datetime import datetime

from sqlalchemy import Text
from sqlmodel import Field, SQLModel

from core.database import UtcDateTime


class AcmeKey(SQLModel, table=True):
    """A key that binds one new account to a holder. ``state`` is open, used or withdrawn.

    The key itself stands nowhere: it is worked out from this row and a secret that is not in the store.
    """

    __tablename__ = "acme_key"

    id: str = Field(primary_key=True, max_length=32)
    holder_kind: str = Field(max_length=20)
    holder: str = Field(index=True, max_length=80)
    domain: str = Field(max_length=80)
    state: str = Field(default="open", max_length=10)
    actor: str = Field(max_length=120)
    made_at: datetime = Field(sa_type=UtcDateTime)
    ends_at: datetime = Field(sa_type=UtcDateTime)
    account: str = Field(default="", max_length=32)


class AcmeAccount(SQLModel, table=True):
    """An account: a key pair that speaks for a holder. ``jwk`` is its key's one form, ``contact`` a JSON list."""

    __tablename__ = "acme_account"

    id: str = Field(primary_key=True, max_length=32)
    thumbprint: str = Field(unique=True, max_length=43)
    jwk: str = Field(sa_type=Text)
    status: str = Field(max_length=12)
    contact: str = Field(default="[]", sa_type=Text)
    holder_kind: str = Field(max_length=20)
    holder: str = Field(index=True, max_length=80)
    domain: str = Field(max_length=80)
    key: str = Field(default="", max_length=32)
    made_at: datetime = Field(sa_type=UtcDateTime)


class AcmeNonce(SQLModel, table=True):
    """A nonce that was used: not again before it ends by itself."""

    __tablename__ = "acme_nonce"

    value: str = Field(primary_key=True, max_length=43)
    ends_at: datetime = Field(index=True, sa_type=UtcDateTime)


class AcmeOrder(SQLModel, table=True):
    """An order. ``identifiers`` is JSON, ``replaces`` the serial number of the certificate that it renews.

    ``request`` is the digest by which the authority knows what it was finalized with, ``serial`` what was issued.
    """

    __tablename__ = "acme_order"

    id: str = Field(primary_key=True, max_length=32)
    account: str = Field(foreign_key="acme_account.id", index=True, max_length=32)
    status: str = Field(index=True, max_length=12)
    identifiers: str = Field(sa_type=Text)
    made_at: datetime = Field(sa_type=UtcDateTime)
    ends_at: datetime = Field(index=True, sa_type=UtcDateTime)
    replaces: str = Field(default="", index=True, max_length=40)
    request: str = Field(default="", max_length=64)
    finalized_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    serial: str = Field(default="", max_length=40)
    error: str = Field(default="", sa_type=Text)


class AcmeAuthorization(SQLModel, table=True):
    """That the holder's machine must show, for one identifier of one order."""

    __tablename__ = "acme_authorization"

    id: str = Field(primary_key=True, max_length=32)
    order: str = Field(foreign_key="acme_order.id", index=True, max_length=32)
    kind: str = Field(max_length=4)
    value: str = Field(max_length=253)
    status: str = Field(max_length=12)


class AcmeChallenge(SQLModel, table=True):
    """One way of showing it. ``error`` is a problem document (JSON)."""

    __tablename__ = "acme_challenge"

    id: str = Field(primary_key=True, max_length=32)
    authorization: str = Field(foreign_key="acme_authorization.id", index=True, max_length=32)
    kind: str = Field(max_length=20)
    token: str = Field(max_length=43)
    status: str = Field(index=True, max_length=12)
    validated_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    error: str = Field(default="", sa_type=Text)


class AcmeRenewal(SQLModel, table=True):
    """A certificate whose renewal somebody moved (an incident): the window in which it is to be renewed."""

    __tablename__ = "acme_renewal"

    serial: str = Field(primary_key=True, max_length=40)
    starts_at: datetime = Field(sa_type=UtcDateTime)
    ends_at: datetime = Field(sa_type=UtcDateTime)
    explanation: str = Field(default="", max_length=500)
    actor: str = Field(max_length=120)
    at: datetime = Field(sa_type=UtcDateTime)
