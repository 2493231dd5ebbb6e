"""Every package's answer to what somebody holds, put together."""

from collections.abc import Sequence
from pathlib import Path

from authz.application import Application
from authz.holding import Access
from core.approval.holding import Proposals
from core.duty.holding import Duties
from core.registry.holding import Holders
from core.registry.tenure import Tenure
from hsm.holding import Keys
from monitor.holding import Watched
from pki.acme.holding import Enrolments
from pki.device.holding import InitialSecrets
from pki.holding import Certificates, Codes


def holders(applications: Sequence[Application], inventory: Path) -> Holders:
    """Return them in the order in which they are given up: what follows a post comes before the posts."""
    certificates = (Certificates(), Codes(), Enrolments(), InitialSecrets())
    rest = (Watched(), Proposals(), Duties(), Tenure())
    return Holders((*certificates, Access(applications), Keys(inventory), *rest))
