"""A restore lets nobody use an ACME key twice, nobody act by a closed account, and nobody by a key that was rolled."""

import secrets
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from sqlmodel import Session, SQLModel, select

from core.clock import SystemClock
from core.identity import Serial
from pki.acme import account, binding, renewal
from pki.acme.jwk import Jwk, parse_jwk
from pki.acme.models import AcmeAccount, AcmeKey, AcmeRenewal
from tests.backup.realm import Realm
from tests.backup.test_reconcile import Return, come_back  # noqa: F401  # a fixture
from tests.pki.acme import client

NOW = SystemClock().now


def new_key() -> Jwk:
    return parse_jwk(client.jwk(ec.generate_private_key(ec.SECP256R1())))


def make(session: Session) -> AcmeKey:
    holder = binding.find_holder(session, "fin-budget")
    life = timedelta(hours=1)
    return binding.make(session, holder, actor="zhao-ra", at=NOW(), life=life, random=secrets.token_bytes)


def enrol(session: Session, key: AcmeKey) -> AcmeAccount:
    """As a new account does, once its binding was verified."""
    made = account.make(session, secrets.token_hex(16), new_key(), key, (), at=NOW())
    key.state, key.account = "used", made.id
    session.add(key)
    return made


def kept(session: Session) -> list[list[dict[str, object]]]:
    tables: tuple[type[SQLModel], ...] = (AcmeKey, AcmeAccount, AcmeRenewal)
    dropped = ("made_at", "at")
    rows = [[row.model_dump() for row in session.exec(select(table))] for table in tables]
    return [
        sorted(({name: one for name, one in row.items() if name not in dropped} for row in listed), key=str)
        for listed in rows
    ]


def test_what_was_used_rolled_and_closed_after_the_cut_stays_so(realm: Realm, come_back: Return) -> None:  # noqa: F811
    serial = Serial(realm.issue())
    with realm.database.write() as session:
        early, withdrawn = make(session), make(session)
        first, second = enrol(session, make(session)), enrol(session, make(session))
    realm.point()
    with realm.database.write() as session:
        enrol(session, session.merge(early))
        enrol(session, make(session))
        make(session)
        binding.withdraw(session, withdrawn.id, actor="zhao-ra", at=NOW())
        account.rekey(session, session.get_one(AcmeAccount, first.id), new_key(), at=NOW())
        account.close(session, session.get_one(AcmeAccount, second.id), actor="zhao-ra", at=NOW())
        more = {"explanation": "https://trust.beichen.example/1", "actor": "lu-security", "at": NOW()}
        renewal.move(session, [serial], within=timedelta(hours=1), **more)  # type: ignore[arg-type]
        before = kept(session)
    restored = come_back()
    with restored.database.read() as session:
        assert kept(session) == before
