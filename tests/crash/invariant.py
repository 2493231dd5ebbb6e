"""What holds after every kill and its repair, read from outside: tables, files, and what the witness saw."""

import hashlib

from cryptography import x509
from sqlmodel import Session, col, select

from authz.models import GatewayRequest
from core.identity import Serial
from core.registry import credential
from core.registry.credential import CredentialState
from pki import listing, pointers
from pki.acme.models import AcmeAccount, AcmeOrder
from pki.cmp.models import CmpTransaction
from pki.issuer import ISSUING, ROOT
from pki.models import (
    Authority,
    BulkRevocation,
    Certificate,
    CertificateHold,
    CrlList,
    CrlPublication,
    IssuanceIntent,
    Revocation,
    RevocationChange,
)
from pki.pointers import SHARDS
from pki.takeover.models import Takeover
from pki.tbslist import DELTA, FULL
from tests.crash import stamp_scenarios, vouching
from tests.crash import takeover_scenarios as takeovers
from tests.crash.site import Site
from tests.crash.witness import AUTHORITY_KEYS
from tests.ledger_check import check_folder, check_ledger


def check(site: Site) -> None:
    """Raise ``AssertionError`` unless everything holds; the site has been settled before."""
    assert site.witness.violations == []
    with site.parts.database.read() as session:
        _check_signed(session, site)
        check_records(session)
        _check_lists(session, site)
        _check_orders(session)
        _check_transactions(session)
        stamps = stamp_scenarios.check(session, site.witness.stamps)
    assert {value for kind, value in site.acknowledged if kind == "stamped"} <= stamps
    _check_acknowledged(site, _check_evidence(site))
    if vouching.is_asked(site.folder):
        vouching.check(site.folder, site.parts.database, site.parts.vkey())
    _check_going_on(site)


def check_lists(site: Site) -> None:
    """Raise ``AssertionError`` unless the lists hold; nothing is written."""
    with site.parts.database.read() as session:
        _check_lists(session, site)


def _check_signed(session: Session, site: Site) -> None:
    """No signature without a record, and no serial number twice."""
    intents = {one.serial: one for one in session.exec(select(IssuanceIntent))}
    for serial, digest in site.witness.serials.items():
        assert serial in intents, f"{serial} was signed, and nobody knows it any more"
        assert hashlib.sha256(intents[serial].tbs).digest() == digest


def _check_orders(session: Session) -> None:
    """No order is left to itself, and a finished one names a certificate that is its holder's."""
    for row in session.exec(select(AcmeOrder)):
        assert row.status != "processing", f"the order {row.id} waits for nobody"
        if row.status == "valid":
            held = credential.get(session, Serial(row.serial))
            assert held.holder == session.get_one(AcmeAccount, row.account).holder


def _check_transactions(session: Session) -> None:
    """No machine's certificate waits to be confirmed any more, and one that was not is revoked."""
    for row in session.exec(select(CmpTransaction)):
        assert row.state != "confirming", f"the transaction {row.id} waits for nobody"
        if row.state in ("rejected", "unconfirmed"):
            assert credential.get(session, Serial(row.serial)).state == CredentialState.REVOKED


def check_records(session: Session) -> None:
    """No intention is open; each certificate is exactly what was intended under its number, and has its credential."""
    revoked = set(session.exec(select(Revocation.serial)))
    intents = {one.serial: one for one in session.exec(select(IssuanceIntent))}
    for serial, intent in intents.items():
        assert intent.state in ("issued", "abandoned"), f"{serial} is still {intent.state}"
        assert intent.state == "issued" or serial in revoked, f"{serial} may have been signed and is not revoked"
    rows: list[tuple[str, bytes]] = [(one.serial, one.der) for one in session.exec(select(Certificate))]
    for serial, der in rows:
        held = credential.get(session, Serial(serial))
        assert held.certificate_sha256 == hashlib.sha256(der).hexdigest()
    taken = set(session.exec(select(Takeover.authority)))
    # What an old authority issued, and its own certificate, were intended elsewhere.
    rows = [(serial, der) for serial, der in rows if credential.get(session, Serial(serial)).issuer not in taken]
    rows += [(one.serial, one.der) for one in session.exec(select(Authority)) if one.name not in taken]
    for serial, der in rows:
        made = x509.load_der_x509_certificate(der)
        assert f"{made.serial_number:040x}" == serial
        assert intents[serial].state == "issued"
        assert intents[serial].tbs == made.tbs_certificate_bytes
    assert len({serial for serial, _der in rows}) == len(rows)
    issued = {serial for serial, intent in intents.items() if intent.state == "issued"}
    assert issued == {serial for serial, _der in rows}


def _check_lists(session: Session, site: Site) -> None:
    """Numbers only grow, none is used twice, and the newest lists name exactly the serial numbers that are listed."""
    for row in session.exec(select(CrlList).where(col(CrlList.der).is_not(None))):
        key = (row.issuer, row.scope, row.number)
        assert row.der is not None
        assert site.lists.setdefault(key, row.der) == row.der, f"list {key} changed"
        if row.issuer not in AUTHORITY_KEYS.values():
            # Taken over: what its key signed elsewhere was on no record of ours, and the witness does not judge it.
            continue
        told = hashlib.sha256(x509.load_der_x509_crl(row.der).tbs_certlist_bytes).digest()
        assert site.witness.lists.get(key) == told, f"list {key} is not the one that was signed"
    assert session.exec(select(RevocationChange).where(col(RevocationChange.number).is_(None))).all() == []
    numbers = _numbers(site)
    known = listing.newest(session, ISSUING)
    for name in (ROOT, ISSUING):
        listed = _listed(session, name)
        full = _newest(site, name, FULL, numbers)
        assert {f"{entry.serial_number:040x}" for entry in full} == set().union(*listed.values())
        for shard in listed:
            if name == ISSUING:
                # One of 128. What is served is read from the store alone: the same row needs no second look.
                seen = (known[str(shard)].number, numbers[ISSUING, str(shard)], frozenset(listed[shard]))
                if site.shards.get(shard) != seen:
                    _check_shard(site, shard, listed[shard], numbers)
                    site.shards[shard] = seen
        if name == ISSUING:
            # A full list made later than the base, with what the delta tells, is what is listed now.
            _check_delta(site, set().union(*listed.values()), numbers)


def _numbers(site: Site) -> dict[tuple[str, str], int]:
    """The highest number of each list that was ever seen."""
    found: dict[tuple[str, str], int] = {}
    for issuer, scope, number in site.lists:
        found[issuer, scope] = max(number, found.get((issuer, scope), 0))
    return found


def _check_shard(site: Site, shard: int, listed: set[str], numbers: dict[tuple[str, str], int]) -> None:
    entries = {f"{entry.serial_number:040x}" for entry in _newest(site, ISSUING, str(shard), numbers)}
    assert entries == listed, f"shard {shard}"


def _check_delta(site: Site, listed: set[str], numbers: dict[tuple[str, str], int]) -> None:
    known = {number: der for (name, scope, number), der in site.lists.items() if (name, scope) == (ISSUING, FULL)}
    delta = _newest(site, ISSUING, DELTA, numbers)
    base = delta.extensions.get_extension_for_class(x509.DeltaCRLIndicator).value.crl_number
    if base not in known:
        return
    found = {f"{entry.serial_number:040x}" for entry in x509.load_der_x509_crl(known[base])}
    for entry in delta:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        change = found.discard if reason is x509.ReasonFlags.remove_from_crl else found.add
        change(f"{entry.serial_number:040x}")
    assert found == listed


def _listed(session: Session, name: str) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {shard: set() for shard in range(SHARDS)}
    for table in (Revocation, CertificateHold):
        for serial in session.exec(select(table.serial).where(table.issuer == name)):
            found[pointers.shard(Serial(serial))].add(serial)
    return found


def _newest(site: Site, name: str, scope: str, numbers: dict[tuple[str, str], int]) -> x509.CertificateRevocationList:
    newest = x509.load_der_x509_crl(site.parts.publisher.current(name, scope))
    number = newest.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert number == numbers[name, scope]
    return newest


def _check_evidence(site: Site) -> list[bytes]:
    """The log verifies, in its directory and by itself in the mirror, and is never shorter than it was."""
    vkey = site.parts.vkey()
    size = check_ledger(site.parts.database, site.folder / "ledger", vkey)
    entries, _leaves = check_folder(site.folder / "mirror", vkey)
    assert len(entries) == size >= site.size
    site.size = size
    log = b"\n".join(entries)
    with site.parts.database.read() as session:
        for request in session.exec(select(GatewayRequest.request_id)):
            assert request.encode() in log, f"request {request} was answered, and no evidence says so"
    return entries


def _check_acknowledged(site: Site, entries: list[bytes]) -> None:
    """Nothing that was answered is lost."""
    log = b"\n".join(entries)
    with site.parts.database.read() as session:
        for kind, value in site.acknowledged:
            if kind == "issued":
                assert session.get(Certificate, value) is not None, f"{value} was handed out and is gone"
            elif kind == "revoked":
                assert credential.get(session, Serial(value)).state == CredentialState.REVOKED
                assert session.get(Revocation, value) is not None
            elif kind == "recorded":
                assert value.encode() in log, f"record {value} was acknowledged and is gone"
            elif kind == "published":
                name, number = value.split(":")
                row = session.get(CrlPublication, (name, int(number)))
                assert row is not None
                assert row.published_at is not None
            elif kind == "stamped":
                assert value.encode() in log, f"the token {value} was handed out, and no evidence says so"
            elif kind == "ordered":
                assert session.get_one(BulkRevocation, value).state == "done"
            elif kind == "taken":
                takeovers.check(session, value)
            elif kind == "held":
                # Released or revoked since, perhaps; never good without a record that says so.
                state = credential.get(session, Serial(value)).state
                said = b'"pki.certificate.released"' in log if state == CredentialState.GOOD else True
                assert said, f"{value} is good again, and nobody released it"
            else:
                raise AssertionError(f"nobody checks `{kind}`")


def _check_going_on(site: Site) -> None:
    """The next operations work."""
    issued = site.parts.issue("sun-yue")
    site.parts.decide(issued.der)
    assert site.parts.sequencer().run_once() > 0
