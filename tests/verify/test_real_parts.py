"""What the product's own parts record, over a real token, is accepted by the auditor's program; on both stores."""

from pathlib import Path

import guosuo_verify
from authz.decision import PolicyDecisionPoint
from authz.policy import load
from core.access import DecisionRequest
from core.identity import SITE, RequestId
from core.ledger import bundle, checkpoint, evidence
from core.ledger.entry import Event
from core.ledger.place import LedgerPlace
from core.ledger.publication import published_size
from core.ledger.sequencer import BUNDLE_EXPORTED
from core.registry import role
from hsm.models import KeyAlgorithm, KeyPurpose
from hsm.signer import TokenCheckpointSigner
from pki import revocation
from pki.request import IssuedCertificate
from tests.core.ledger.logs import Log
from tests.pki.conftest import Pki, build
from tests.services.softhsm import Running
from tests.verify import bundles

ORIGIN = "evidence.beichen.example/sample"


def decide(point: PolicyDecisionPoint, pki: Pki, certificate: IssuedCertificate, number: int) -> bool:
    principal = pki.authenticator.authenticate(certificate.der)
    request = DecisionRequest(
        principal, "evidence:record:read", "installation", SITE, SITE, RequestId(f"{number:032x}")
    )
    return point.decide(request).allowed


def test_records_of_the_real_parts_hold(log: Log, fresh_signer: Running, tmp_path: Path) -> None:
    database, clock = log.database, log.clock
    pki = build(database, clock, fresh_signer, tmp_path)
    fresh_signer.client.generate("checkpoint", KeyAlgorithm.ED25519, KeyPurpose.CHECKPOINT)
    signer = TokenCheckpointSigner(fresh_signer.client, "checkpoint")
    with database.write() as session:
        role.appoint(session, person="wei-auditor", role="auditor", giver="founding", at=clock.now())
    point = PolicyDecisionPoint(database=database, clock=clock, policies=load())
    mine, theirs = pki.issue("wei-auditor"), pki.issue("li-wen")
    pki.publisher.refresh()
    assert decide(point, pki, mine, 1)
    pki.issue("sun-yue")
    with database.write() as session:
        revocation.revoke(session, theirs.serial, reason="key-compromise", actor="zhao-ra", at=clock.now())
    pki.publisher.refresh()
    with database.write() as session:
        evidence.append(session, Event(BUNDLE_EXPORTED, "wei-auditor", f"log:{ORIGIN}"), at=clock.now())
    log.sequencer(signer=signer).run_once()
    with database.read() as session:
        size = published_size(session)
    place = LedgerPlace(log.directory, checkpoint.verifier_key(ORIGIN, signer))
    path = tmp_path / "evidence.zip"
    with path.open("wb") as out:
        bundle.write_bundle(place, size, out)
    report = guosuo_verify.verify(str(path), place.fingerprint, now=bundles.NOW)
    assert bundles.failures(report) == {}
    told = {check.name: check.found for check in report.checks}
    assert told["issuance"].startswith("3 certificates issued")
    assert told["revocation"].startswith("1 revocations")
    assert told["decisions"].startswith("1 decisions")
    assert told["crl numbers"].startswith("3 revocation lists")
