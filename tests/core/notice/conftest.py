"""A certificate for the relays and receivers of this machine."""

import pytest

from tests.services import certificate
from tests.services.certificate import Identity


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return certificate.make(tmp_path_factory.mktemp("identity"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """Somebody else's certificate, for another name."""
    return certificate.make(tmp_path_factory.mktemp("stranger"), "elsewhere.example")
