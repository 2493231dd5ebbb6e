"""Evidence checkpoints stamped by our own authority: the same job, checks and files as with a foreign one."""

from datetime import timedelta

import pytest
from cryptography import x509

from core.ledger import published
from core.ledger.errors import WitnessFailed
from core.ledger.timestamping import Timestamping, tokens
from pki.tsa.poster import OwnPoster
from pki.tsa.settings import TsaSettings
from tests.core.ledger.logs import Log
from tests.pki.tsa.conftest import Tsa
from tests.services.tsa import is_accepted

URL = "http://localhost:8480/tsa"


@pytest.fixture
def log(tsa: Tsa) -> Log:
    made = Log(tsa.database, tsa.clock, tsa.folder)
    made.append(3)
    made.sequencer().run_once()
    return made


def stamping(tsa: Tsa, log: Log, **settings: object) -> Timestamping:
    return Timestamping(
        database=tsa.database,
        clock=tsa.clock,
        directory=log.directory,
        mirror=log.mirror,
        urls=[URL],
        roots=[x509.load_pem_x509_certificate(tsa.trust(log.root).read_bytes())],
        every=timedelta(minutes=60),
        poster=OwnPoster(tsa.authority(settings=TsaSettings.model_validate(settings))),
    )


def test_a_checkpoint_is_stamped_shown_and_accepted_by_openssl(tsa: Tsa, log: Log) -> None:
    size = log.check()
    stamping(tsa, log).run()
    assert list(published.tokens(log.directory)) == [size]
    token = log.directory / "ts" / f"{size}.tsr"
    assert is_accepted(token, log.directory / "checkpoints" / str(size), tsa.trust(log.root))
    assert token.read_bytes() == (log.mirror / "ts" / f"{size}.tsr").read_bytes()
    with tsa.database.read() as session:
        (row,) = tokens(session)
    assert (row.authority, row.size) == (URL, size)
    # The token is on record itself, so the log has grown by it: once an hour, and not without end.
    log.sequencer().run_once()
    for _ in range(3):
        stamping(tsa, log).run()
        log.sequencer().run_once()
    assert log.check() == size + 2
    assert len(published.tokens(log.directory)) == 1
    tsa.clock.advance(minutes=61)
    stamping(tsa, log).run()
    assert len(published.tokens(log.directory)) == 2


def test_without_a_time_the_job_says_why(tsa: Tsa, log: Log) -> None:
    tsa.synchrony.kept = False
    with pytest.raises(WitnessFailed, match="not known to be right"):
        stamping(tsa, log, synchronised=True).run()
    assert published.tokens(log.directory) == {}
    tsa.synchrony.kept = True
    stamping(tsa, log, synchronised=True).run()
    assert len(published.tokens(log.directory)) == 1
