"""A client of our own interface over mutual TLS; problem documents become the errors they were."""

import base64
import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2

from core import durable, errors
from core.clock import Clock, SystemClock, to_rfc3339
from core.ledger.entry import JsonValue
from core.signed import Statement
from deploy import tls
from deploy.login import Login, key_of

#: Seconds for a large answer: to be made, and between two pieces of it.
_PATIENCE = 600.0

#: A decoded JSON object of an answer.
Answer = dict[str, JsonValue]

_KINDS: dict[int, type[errors.TrustError]] = {
    400: errors.Malformed,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.Malformed,
    422: errors.Rejected,
    503: errors.Unavailable,
}


class ServiceClient:
    """Speaks to one service as one person or device."""

    def __init__(self, login: Login, *, timeout: float = 60.0, clock: Clock | None = None) -> None:
        """Prepare a client; raises ``NotFound`` or ``Malformed`` when a file or the address is missing or unfit.

        With a key on a token, asks for its PIN. Raises ``Unauthenticated`` when the token refuses it.
        """
        check_url(login.url)
        for path in (login.certificate, login.trusted):
            if not Path(path).is_file():
                raise errors.NotFound(f"there is no file `{path}`", hint="log in with files that are there")
        self._key = key_of(login)
        try:
            context = tls.client_context(
                certificate=Path(login.certificate),
                key=self._key.pem,
                trusted=Path(login.trusted),
                password=self._key.pin(),
            )
        except (ssl.SSLError, OSError) as error:
            raise errors.Malformed(f"the certificate or key cannot be used: {error}", hint="log in again") from error
        self._client = httpx2.Client(base_url=login.url, verify=context, timeout=timeout, trust_env=False)
        self._url = login.url
        self._clock = clock or SystemClock()
        self._identity: Answer = {}

    def get(self, path: str, **query: str | int | None) -> Answer:
        """Return the JSON object at ``path``."""
        parameters = {name: value for name, value in query.items() if value not in (None, "")}
        return self._object(self._request("GET", path, parameters=parameters))

    def post(self, path: str, body: Mapping[str, JsonValue]) -> Answer:
        """Post ``body`` and return the JSON object of the answer."""
        return self._object(self._request("POST", path, body=body))

    def download(self, path: str, body: Mapping[str, JsonValue] | None = None) -> httpx2.Response:
        """Return a raw answer (posted when there is a ``body``)."""
        return self._request("GET" if body is None else "POST", path, body=body)

    def save(self, path: str, body: Mapping[str, JsonValue], out: Path) -> Mapping[str, str]:
        """Post ``body`` and write the raw answer to ``out`` as it comes: whole, or not at all. Return its headers.

        However large it is, it is never in memory; the service may take its time to make it.
        """
        part = out.with_name(f".{out.name}.part")
        try:
            with self._client.stream("POST", path, json=body, timeout=_PATIENCE) as response:
                if not response.is_success:
                    response.read()
                    raise error_of(response)
                # Its own file, never one that somebody else put there to read along.
                part.unlink(missing_ok=True)
                with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    for piece in response.iter_bytes():
                        file.write(piece)
                    file.flush()
                    os.fsync(file.fileno())
            part.replace(out)
            durable.sync_folder(out.parent)
        except httpx2.RequestError as error:
            raise self._silent(error) from error
        except OSError as error:
            raise errors.Unavailable(f"`{out}` cannot be written: {(error.strerror or '').lower()}") from error
        finally:
            part.unlink(missing_ok=True)
        return response.headers

    def sign(self, *, act: str, object_: str, digest: str) -> Answer:
        """Return ``{"at", "signature"}`` over the text of ``core/signed.py``, by the key of this login.

        Raises ``Malformed`` when the key cannot sign.
        """
        who = self._identity = self._identity or self.get("/api/v1/identity")
        statement = Statement(
            act=act,
            object=object_,
            digest=digest,
            person=str(who["id"]),
            at=self._clock.now(),
            origin=str(who["origin"]),
        )
        signature = self._key.sign(statement.text.encode())
        return {"at": to_rfc3339(statement.at), "signature": base64.b64encode(signature).decode("ascii")}

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def _request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, JsonValue] | None = None,
        parameters: Mapping[str, str | int | None] | None = None,
    ) -> httpx2.Response:
        try:
            response = self._client.request(method, path, json=body, params=dict(parameters or {}))
        except httpx2.RequestError as error:
            raise self._silent(error) from error
        if response.is_success:
            return response
        raise error_of(response)

    def _silent(self, error: httpx2.RequestError) -> errors.Unavailable:
        detail = f"the service at `{self._url}` does not answer: {error or type(error).__name__}"
        return errors.Unavailable(detail, hint="is `guosuo serve` running?")

    def _object(self, response: httpx2.Response) -> Answer:
        content = decoded(response)
        if content is None:
            detail = f"what answers at `{self._url}` is not this service"
            raise errors.Unavailable(detail, hint="is the address of the login right?")
        return content


def check_url(url: str) -> None:
    """Raise ``Malformed`` unless ``url`` is reached over TLS: without it there is neither their name nor ours."""
    try:
        found = httpx2.URL(url)
        sound = found.scheme == "https" and bool(found.host) and not found.userinfo
    except httpx2.InvalidURL:
        sound = False
    if not sound:
        raise errors.Malformed(
            f"`{url[:80]}` is not the address of a service", hint="for example https://localhost:8443"
        )


def decoded(response: httpx2.Response) -> Answer | None:
    """Return the JSON object of an answer, or nothing when it is something else."""
    try:
        content = response.json()
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def items(answer: Mapping[str, JsonValue], name: str = "items") -> list[Mapping[str, JsonValue]]:
    """Return the list of objects under ``name`` in an answer."""
    found = answer[name]
    assert isinstance(found, Sequence)
    return [item for item in found if isinstance(item, Mapping)]


def error_of(response: httpx2.Response) -> errors.TrustError:
    """Return the error that an answer tells of."""
    problem = decoded(response) or {}
    kind = _KINDS.get(response.status_code, errors.Unavailable)
    detail = str(problem.get("detail", f"the service answered {response.status_code}"))
    words = {name: str(problem.get(name, "")) for name in ("hint", "reason", "rule")}
    return kind(detail, **words)
