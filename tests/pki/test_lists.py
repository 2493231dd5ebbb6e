"""Lists beside each other: shards, the full list and its delta say the same, and openssl believes each of them."""

import json
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from sqlmodel import Session, SQLModel, col, select

from core.database import Database
from core.identity import Serial
from pki import listing, pointers, revocation
from pki.models import CertificateHold, CrlList, CrlPublication, Revocation, RevocationChange
from tests.clock import ManualClock
from tests.pki.conftest import Pki, build
from tests.pki.served import Served, fetch, served
from tests.services.softhsm import Running


@pytest.fixture(scope="module")
def status(signer_process: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("status")
    database = Database(f"sqlite:///{folder}/store.sqlite3")
    SQLModel.metadata.create_all(database.engine)
    with served(build(database, ManualClock(), signer_process, folder)) as made:
        yield made
    database.close()


def shard_of(made: Served, name: str) -> str:
    """Return the path of the list that a certificate points to."""
    loaded = x509.load_der_x509_certificate(made.certificates[name].der)
    (point,) = loaded.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert point.full_name is not None
    return urlsplit(point.full_name[0].value).path


def verify(made: Served, name: str, *lists: str, more: tuple[str, ...] = ()) -> str:
    joined = "".join(Path(made.path(one)).read_text() for one in lists)
    (made.folder / "lists.pem").write_text(joined)
    command = ["openssl", "verify", "-crl_check", *more, "-CRLfile", "lists.pem", "-CAfile", "trust.pem"]
    done = made.run(*command, made.path(name))
    return "good" if done.returncode == 0 else done.stderr


@pytest.mark.parametrize(
    ("name", "expected"), [("good", "good"), ("revoked", "certificate revoked"), ("held", "certificate revoked")]
)
def test_openssl_believes_the_shard_and_the_full_list(status: Served, name: str, expected: str) -> None:
    shard = status.crl(shard_of(status, name), "shard")
    point = shard.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    assert point.critical
    assert expected in verify(status, name, "shard")
    full = status.crl("/crl/issuing/0.crl", "full")
    with pytest.raises(x509.ExtensionNotFound):
        full.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    # A certificate that points to a shard is found in the full list all the same.
    assert expected in verify(status, name, "full")


def test_a_shard_speaks_for_its_own_certificates_only(status: Served) -> None:
    other = (pointers.shard(status.certificates["good"].serial) + 1) % pointers.SHARDS
    status.crl(f"/crl/issuing/{pointers.SHARDS}/{other}.crl", "other")
    assert "different CRL scope" in verify(status, "good", "other").replace("Different", "different")


def test_openssl_joins_an_older_full_list_with_the_delta(status: Served) -> None:
    delta = status.crl("/crl/issuing/delta.crl", "delta")
    assert delta.extensions.get_extension_for_class(x509.DeltaCRLIndicator).critical
    for name in ("revoked", "held"):
        assert verify(status, name, "base") == "good"
        assert "certificate revoked" in verify(status, name, "base", "delta", more=("-use_deltas", "-extended_crl"))
    assert verify(status, "good", "base", "delta", more=("-use_deltas", "-extended_crl")) == "good"


@pytest.mark.parametrize(
    "path", ["/crl/issuing/1.crl", "/crl/issuing/128/128.crl", "/crl/issuing/127/1.crl", "/crl/nobody/0.crl",
             "/crl/root/delta.crl", "/crl/issuing/128/-1.crl", "/crl/issuing/128/x.crl"]
)  # fmt: skip
def test_what_is_no_list_is_not_found(status: Served, path: str) -> None:
    assert fetch(f"{status.url}{path}")[0] in (400, 404)


def test_a_list_that_is_known_is_not_sent_again(status: Served) -> None:
    for path in ("/crl/issuing/0.crl", "/crl/issuing/delta.crl", f"/crl/issuing/{pointers.SHARDS}/7.crl"):
        found, headers, content = fetch(f"{status.url}{path}")
        assert (found, headers["content-type"]) == (200, "application/pkix-crl")
        assert "max-age=60" in headers["cache-control"]
        assert headers["expires"]
        assert headers["last-modified"]
        assert content
        again, _headers, nothing = fetch(f"{status.url}{path}", if_none_match=headers["etag"])
        assert (again, nothing) == (304, b"")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("good", ("good", "")), ("revoked", ("revoked", "superseded")), ("held", ("held", "certificate-hold"))],
)
def test_anybody_may_ask_for_a_status_and_learns_no_more(status: Served, name: str, expected: tuple[str, str]) -> None:
    serial = status.certificates[name].serial
    found, _headers, content = fetch(f"{status.url}/api/v1/status/{serial.upper()}")
    said = json.loads(content)
    assert (found, said["serial"], said["state"], said["reason"]) == (200, serial, *expected)
    assert bool(said["since"]) == (name != "good")
    assert set(said) == {"serial", "state", "since", "reason", "at", "crl_number"}


def test_what_nobody_has_is_unknown_and_what_is_none_is_refused(status: Served) -> None:
    _found, _headers, content = fetch(f"{status.url}/api/v1/status/{'01' * 20}")
    assert json.loads(content)["state"] == "unknown"
    for wrong in ("1", "x" * 40, "01" * 21, "%20"):
        assert fetch(f"{status.url}/api/v1/status/{wrong}")[0] == 400


def told(crl: x509.CertificateRevocationList) -> dict[str, str]:
    found = {}
    for entry in crl:
        reasons = [one.value.reason.value for one in entry.extensions if isinstance(one.value, x509.CRLReason)]
        found[f"{entry.serial_number:040x}"] = reasons[0] if reasons else "unspecified"
    return found


def stored(session: Session) -> dict[str, str]:
    words = {"key-compromise": "keyCompromise", "superseded": "superseded"}
    found = {row.serial: words[row.reason] for row in session.exec(select(Revocation))}
    return found | {row.serial: "certificateHold" for row in session.exec(select(CertificateHold))}


@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_done_all_lists_say_the_same(sqlite_pki: Pki, seed: int) -> None:
    """Hold, release and revoke at random; whoever has an older full list learns the same from a delta on it."""
    pki, chosen = sqlite_pki, random.Random(seed)
    serials = [pki.issue().serial for _ in range(8)]
    pki.publisher.refresh()
    fulls: dict[int, dict[str, str]] = {}
    for _ in range(16):
        act(pki, chosen, chosen.choice(serials))
        pki.clock.advance(seconds=chosen.choice([1, 60, 3 * 3600]))
        if chosen.random() < 0.6:
            pki.publisher.refresh()
            check(pki, fulls)


def act(pki: Pki, chosen: random.Random, serial: Serial) -> None:
    at = pki.clock.now()
    with pki.database.write() as session:
        known = stored(session).get(serial)
        if known is None:
            end = at + timedelta(days=80)
            revocation.hold(session, serial, until=end, message="", actor="x", at=at)
        elif known == "certificateHold" and chosen.random() < 0.8:
            revocation.release(session, serial, actor="x", at=at)
        elif known == "certificateHold":
            revocation.revoke(session, serial, reason="key-compromise", actor="x", at=at)


def check(pki: Pki, fulls: dict[int, dict[str, str]]) -> None:
    with pki.database.read() as session:
        expected = stored(session)
        assert session.exec(select(CrlPublication.entries).order_by(CrlPublication.number)).all()[-1] == len(expected)
        rows = session.exec(select(CrlList).where(CrlList.issuer == "issuing", col(CrlList.der).is_not(None))).all()
        lists = {row.scope: x509.load_der_x509_crl(row.der or b"") for row in rows}
    full, delta = lists.pop("full"), lists.pop("delta")
    shards = list(lists.values())
    assert len(shards) == pointers.SHARDS
    assert told(full) == {k: v for shard in shards for k, v in told(shard).items()} == expected
    fulls[number(full)] = told(full)
    base = delta.extensions.get_extension_for_class(x509.DeltaCRLIndicator).value.crl_number
    for older in [one for one in fulls if base <= one <= number(delta)]:
        joined = fulls[older] | told(delta)
        assert {k: v for k, v in joined.items() if v != "removeFromCRL"} == expected


def number(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def test_a_revocation_after_a_hold_counts_from_the_hold(pki: Pki) -> None:
    serial, at = pki.issue().serial, pki.clock.now()
    with pki.database.write() as session:
        revocation.hold(session, serial, until=at + timedelta(days=1), message="", actor="x", at=at)
    pki.clock.advance(hours=5)
    with pki.database.write() as session:
        revocation.revoke(session, serial, reason="key-compromise", actor="x", at=pki.clock.now())
    pki.publisher.refresh()
    entry = x509.load_der_x509_crl(pki.publisher.current("issuing")).get_revoked_certificate_by_serial_number(
        int(serial, 16)
    )
    assert entry is not None
    assert entry.revocation_date_utc == at.replace(microsecond=0)


def test_a_revocation_signs_its_shard_and_not_the_others(pki: Pki) -> None:
    pki.publisher.refresh()
    serial = pki.issue().serial
    with pki.database.write() as session:
        revocation.revoke(session, serial, reason="superseded", actor="x", at=pki.clock.now())
    pki.publisher.refresh()
    with pki.database.read() as session:
        of = select(CrlList.scope).where(CrlList.issuer == "issuing", CrlList.number == 2)
        assert set(session.exec(of)) == {str(pointers.shard(serial)), "full", "delta"}


def test_a_long_full_list_stands_for_a_while_and_its_delta_does_not(pki: Pki) -> None:
    """With more entries than are read at once, a revocation is told by shard and delta; the full list follows later."""
    pki.publisher.refresh()
    serial = pki.issue().serial
    with pki.database.write() as session:
        newest = session.exec(select(CrlList).where(CrlList.issuer == "issuing", CrlList.scope == "full")).one()
        newest.entries = 1_000_000
        session.add(newest)
        revocation.revoke(session, serial, reason="superseded", actor="x", at=pki.clock.now())
    pki.publisher.refresh()
    assert serial in told(x509.load_der_x509_crl(pki.publisher.current("issuing", "delta")))
    assert serial not in told(x509.load_der_x509_crl(pki.publisher.current("issuing")))
    assert not pki.publisher.is_due()
    pki.clock.advance(seconds=listing.pause(1_000_000).total_seconds())
    assert pki.publisher.is_due()
    pki.publisher.refresh()
    assert serial in told(x509.load_der_x509_crl(pki.publisher.current("issuing")))


def test_changes_that_every_delta_has_behind_it_go(pki: Pki) -> None:
    for _ in range(4):
        pki.publisher.refresh()
        serial, at = pki.issue().serial, pki.clock.now()
        with pki.database.write() as session:
            revocation.revoke(session, serial, reason="superseded", actor="x", at=at)
        pki.clock.advance(hours=13)
    pki.publisher.refresh()
    with pki.database.read() as session:
        assert len(session.exec(select(RevocationChange)).all()) < 4
