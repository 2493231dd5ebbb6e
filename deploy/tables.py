"""Every table of every package, imported once so that the metadata is complete."""

from sqlmodel import SQLModel

import authz.models
import backup.models
import core.approval.models
import core.duty.models
import core.jobs
import core.ledger.models
import core.notice.models
import core.registry.credential
import core.registry.models
import monitor.models
import pki.acme.models
import pki.cmp.models
import pki.device.models
import pki.models
import pki.takeover.models
import pki.tsa.models

#: What a complete store holds.
METADATA = SQLModel.metadata

#: The modules that declare tables.
DECLARING = (
    authz.models,
    backup.models,
    core.approval.models,
    core.duty.models,
    core.jobs,
    core.ledger.models,
    core.notice.models,
    core.registry.credential,
    core.registry.models,
    monitor.models,
    pki.acme.models,
    pki.cmp.models,
    pki.device.models,
    pki.models,
    pki.takeover.models,
    pki.tsa.models,
)
