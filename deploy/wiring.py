"""The one place that builds things: settings in, every collaborator out. Nothing here decides anything."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from authz.application import Application, parse_application
from authz.decision import PolicyDecisionPoint
from authz.policy import load_policies
from core.access import Authenticator, DecisionPoint
from core.clock import Clock, SystemClock
from core.database import Database
from core.ledger.place import LedgerPlace
from core.ledger.sequencer import Sequencer
from deploy.settings import Settings
from hsm.client import SignerClient
from hsm.settings import HsmSettings
from hsm.signer import TokenCheckpointSigner
from pki.authentication import CertificateAuthenticator
from pki.crl import CrlPublisher
from pki.issuance import CertificateAuthority
from pki.ocsp import OcspResponder
from pki.settings import PkiSettings

#: The label of the key that signs the evidence log's checkpoints.
CHECKPOINT_KEY = "checkpoint"


def store(settings: Settings) -> Database:
    """Return the site's store."""
    return Database(settings.site.store)


def token(settings: Settings) -> HsmSettings:
    """Return the settings of the site's token."""
    return HsmSettings(state=settings.state)


def signer(settings: Settings) -> SignerClient:
    """Return a client of the site's signer process."""
    return SignerClient(token(settings).socket)


def sequencer(settings: Settings, database: Database, keys: SignerClient, *, owner: str) -> Sequencer:
    """Return the sequencer of the evidence log."""
    return Sequencer(
        database=database,
        clock=SystemClock(),
        directory=settings.ledger,
        origin=settings.site.origin,
        signer=TokenCheckpointSigner(keys, CHECKPOINT_KEY),
        owner=owner,
        mirror=evidence_mirror(settings),
    )
