"""Certificates in a text (RFC 7468), each with the line where it begins; what stands between is passed over. Pure."""

import base64
import binascii
from collections.abc import Iterator

from pki.takeover import row
from pki.takeover.row import Fault

_BEGIN = {f"-----BEGIN {name}-----": f"-----END {name}-----" for name in ("CERTIFICATE", "TRUSTED CERTIFICATE")}

#: Most lines of one certificate, and of all.
_LONGEST, _MOST = 2_000, 50 * row.MOST_ROWS


def certificates(text: str) -> Iterator[tuple[int, bytes]]:
    """Yield line and octets of each certificate. Raises ``Fault`` naming the line."""
    begun, end, inside = 0, "", list[str]()
    for number, line in row.lines(text, _MOST):
        stripped = line.strip()
        if not end:
            if stripped in _BEGIN:
                begun, end, inside = number, _BEGIN[stripped], []
        elif stripped == end:
            yield begun, _decoded(begun, inside)
            end = ""
        elif len(inside) >= _LONGEST:
            raise Fault(f"line {begun}: a certificate has more than {_LONGEST} lines")
        else:
            inside.append(stripped)
    if end:
        raise Fault(f"line {begun}: a certificate begins and does not end")


def _decoded(begun: int, inside: list[str]) -> bytes:
    try:
        return base64.b64decode("".join(inside), validate=True)
    except (ValueError, binascii.Error) as error:
        raise Fault(f"line {begun}: no base64") from error
