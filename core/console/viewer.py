"""Who looks at a page: in which language, with what rights, and the secret that their forms are bound to."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from core.access import DecisionPoint, DecisionRequest, Foresight
from core.console import language
from core.console.language import Language
from core.enforcement import Acting
from core.identity import SITE, Principal, RequestId
from core.provision import provided

#: Holds what the forms of a browser are bound to; no page of another origin can read or set it.
COOKIE = "__Host-guosuo-form"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who was let in. ``secret`` is their browser's, ``fresh`` when it has not been told so yet."""

    principal: Principal
    language: Language
    secret: str
    fresh: bool
    foresight: Foresight
    decisions: DecisionPoint

    def offered(self, actions: Sequence[str]) -> frozenset[str]:
        """Return those of ``actions`` that a page may offer: not on record, for nothing is done yet."""
        return self.foresight.allowed(self.principal, actions)

    def reads(self, action: str) -> bool:
        """Say whether a page may tell what needs ``action``: decided and on record, as if it were asked for alone.

        What would be refused is left out without a record: nobody asked for it.
        """
        if action not in self.offered([action]):
            return False
        request = DecisionRequest(
            principal=self.principal,
            action=action,
            resource_type="installation",
            resource_id="site",
            domain=SITE,
            request_id=RequestId(secrets.token_hex(16)),
        )
        return self.decisions.decide(request).allowed

    def token(self, path: str) -> str:
        """Return what a form to ``path`` must carry."""
        return token(self.secret, self.principal, path)


def token(secret: str, principal: Principal, path: str) -> str:
    """Return the token of one browser's form to one path under one certificate (HMAC-SHA-256, RFC 2104)."""
    said = f"{principal.serial} {path}".encode()
    return hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()


def _viewer(
    request: Request,
    principal: Acting,
    foresight: Annotated[Foresight, Depends(provided(Foresight))],
    decisions: Annotated[DecisionPoint, Depends(provided(DecisionPoint))],
) -> Viewer:
    kept = request.cookies.get(COOKIE, "")
    secret = kept or secrets.token_hex(32)
    found = Viewer(principal, language.of(request), secret, not kept, foresight, decisions)
    # For the page of an error, should there be one.
    request.state.viewer = found
    return found


#: What an endpoint declares to make a page.
Viewing = Annotated[Viewer, Depends(_viewer)]
