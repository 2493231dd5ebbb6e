"""A few records with their proofs, as a zip: what is handed to somebody who must not see the whole log.

Members: ``verifier-key``, ``records/NUMBER.tlog-proof`` (C2SP tlog-proof, each carries its record), ``README.md``.
"""

import io
import zipfile
from collections.abc import Sequence

from sqlmodel import Session

from core.ledger import proving
from core.ledger.bundle import KEY, README, write_member
from core.ledger.entry import Event
from core.ledger.place import LedgerPlace

#: Most records of one extract; whoever needs more takes the bundle.
MOST = 200

_README = """\
# 证据摘录 · Extract of evidence

每个 `records/编号.tlog-proof` 含一条记录、它在默克尔树中的路径和签名检查点, 可离线核验; 指纹须另经可信渠道取得。
Each `records/NUMBER.tlog-proof` carries one record, its path in the Merkle tree and the signed checkpoint (C2SP
tlog-proof). It proves that the record is in the log, and says nothing about records that are not here. Check each with

    guosuo evidence check-proof FILE --key verifier-key

and the key itself against the fingerprint that you have from somebody you trust: `sha256sum verifier-key`.
"""


def extract(session: Session, place: LedgerPlace, wanted: Sequence[str]) -> tuple[list[int], bytes]:
    """Return the numbers and the zip of the records that ``wanted`` names, each by its number or identifier.

    Raises ``UnknownRecord`` for one that is not there or was purged, ``BadProof`` for one under no checkpoint yet.
    """
    numbers = sorted({proving.find_number(session, one) for one in wanted})
    proofs = [(number, proving.prove_record(place, number)) for number in numbers]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        write_member(archive, README, _README.encode())
        write_member(archive, KEY, str(place.key).encode())
        for number, proof in proofs:
            write_member(archive, f"records/{number}.tlog-proof", proof.encode())
    return numbers, out.getvalue()


def exported(place: LedgerPlace, numbers: Sequence[int], *, actor: str) -> Event:
    """Records left the house with their proofs."""
    return Event("ledger.extract.exported", actor, f"log:{place.origin}"[:200], details={"numbers": list(numbers)})
