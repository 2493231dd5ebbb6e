"""A client without a certificate, for whoever has a one-time code: what answers must prove itself under our root."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx2

from core.errors import Unavailable
from core.ledger.entry import JsonValue
from deploy.anchor import Anchor, verifying
from deploy.client import Answer, check_url, decoded, error_of

_SECONDS = 60.0


class Visitor:
    """Speaks to one service as nobody in particular."""

    def __init__(self, url: str, anchor: Anchor) -> None:
        """Prepare a client. Raises ``Malformed`` for what is no address of a service."""
        check_url(url)
        self._url = url
        self._client = httpx2.Client(base_url=url, verify=verifying(anchor), timeout=_SECONDS, trust_env=False)

    def post(self, path: str, body: Mapping[str, JsonValue]) -> Answer:
        """Post ``body`` and return the JSON object of the answer. Raises the error that it tells of."""
        try:
            response = self._client.post(path, json=body)
        except httpx2.RequestError as error:
            detail = f"the service at `{self._url}` does not answer: {error or type(error).__name__}"
            raise Unavailable(detail, hint="the same call goes on where this one ended") from error
        if not response.is_success:
            raise error_of(response)
        content = decoded(response)
        if content is None:
            raise Unavailable(f"what answers at `{self._url}` is not this service", hint="is the address right?")
        return content

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._client.close()
