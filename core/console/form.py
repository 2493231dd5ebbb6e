"""What a form brings back: only from a page of ours, in the browser and under the certificate that it was shown to.

Two guards, each enough by itself: where the browser says the request comes from (Fetch Metadata; RFC 6454), and a token
that is bound to the browser's secret, the certificate and the very act.
"""

import hmac
from collections.abc import Mapping
from typing import Annotated, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ValidationError

from core.console import viewer
from core.console.errors import BadForm, ForeignForm
from core.enforcement import Acting
from core.rule import SAME_ORIGIN

MEDIA = "application/x-www-form-urlencoded"

#: Most octets of a form: the longest comment, each of its characters in twelve.
LARGEST = 32 * 1024

#: Carries the token.
FIELD = "form"

_MOST_FIELDS = 16

Body = TypeVar("Body", bound=BaseModel)


class Posted:
    """The fields of a form that was let in."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        """Hold ``fields``, without the token."""
        self.fields = fields

    def read(self, kind: type[Body]) -> Body:
        """Return the fields as the body that the interface takes for the same act. Raises ``BadForm``."""
        try:
            return kind.model_validate(dict(self.fields))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise BadForm(f"`{place[:40]}`: {first['msg'].lower()}", hint="go back and fill it in") from error


async def _octets(request: Request) -> bytes:
    """Return a request's body; asynchronous, for only so the framework leaves it unread."""
    return await request.body()


def _posted(request: Request, principal: Acting, content: Annotated[bytes, Depends(_octets)]) -> Posted:
    check_origin(request)
    fields = parse(request.headers.get("content-type", ""), content)
    secret = request.cookies.get(viewer.COOKIE, "")
    wanted = viewer.token(secret, principal, request.url.path)
    if not secret or not hmac.compare_digest(fields.pop(FIELD, "").encode(), wanted.encode()):
        raise _foreign("the form was not made for this browser and certificate, or is an old one")
    return Posted(fields)


#: What an endpoint declares to take a form.
Form = Annotated[Posted, Depends(_posted)]


def check_origin(request: Request) -> None:
    """Raise ``ForeignForm`` unless the browser says that a page of this very origin sends it.

    A browser that says neither where from nor how is not taken for one of ours.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = f"https://{request.headers.get('host', '')}"
    if (site is None and origin is None) or site not in (None, "same-origin") or origin not in (None, own):
        raise _foreign("the form comes from somewhere else than a page of this console")


def parse(media: str, content: bytes) -> dict[str, str]:
    """Return the fields of a form, each once; line ends as one character. Raises ``BadForm``."""
    if media.partition(";")[0].strip().lower() != MEDIA:
        raise BadForm(f"a form is sent as {MEDIA}")
    try:
        text = content.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict") if text else []
    except ValueError as error:
        raise BadForm("the form cannot be read") from error
    fields = {name: value.replace("\r\n", "\n").strip() for name, value in pairs}
    if len(fields) != len(pairs):
        raise BadForm("the form says something twice")
    if any(_is_control(one) for value in fields.values() for one in value):
        raise BadForm("the form holds a character that cannot be printed", hint="write it again by hand")
    return fields


def see(path: str) -> RedirectResponse:
    """Answer an act that was done: look there (303), so that reloading repeats nothing (RFC 9110, 15.4.4)."""
    return RedirectResponse(path, status_code=303)


def _is_control(one: str) -> bool:
    return (ord(one) < 32 and one not in "\n\t") or 127 <= ord(one) < 160 or one in "\u2028\u2029"


def _foreign(detail: str) -> ForeignForm:
    return ForeignForm(detail, hint="open the page anew and act there; nothing was done", rule=str(SAME_ORIGIN))
