"""Who asks: a signed request that was verified, from an account or from whoever holds a key (RFC 8555, 6.2 to 6.5).

1. It is a JWS by an algorithm that is taken, with a key or an account. 2. It was made for this very address. 3. The key
signed it. 4. Its nonce is ours and was not used; from then on it is. Only then is anything of it looked at.
"""

import json
from dataclasses import dataclass

from core.database import Database
from pki.acme import account as accounts
from pki.acme import jws
from pki.acme.directory import Urls
from pki.acme.errors import BadRequest, BadSignature
from pki.acme.jwk import Jwk, parse_jwk
from pki.acme.jws import Jws
from pki.acme.nonce import Nonces
from pki.names import Holder


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who holds a key and showed it: nothing else is known."""

    key: Jwk
    payload: bytes


@dataclass(frozen=True, slots=True)
class Caller:
    """An account that asks, and whom it acts for."""

    account: str
    holder: Holder
    key: Jwk
    payload: bytes


class Callers:
    """Verifies requests. Safe for many threads."""

    def __init__(self, *, database: Database, nonces: Nonces, urls: Urls) -> None:
        """Find accounts in ``database``."""
        self._database = database
        self._nonces = nonces
        self._urls = urls

    def by_key(self, content: bytes, url: str) -> Newcomer:
        """Return who signed with a key of their own. Raises what is wrong with the request."""
        found = self._read(content, url)
        if found.key is None:
            raise BadRequest("this is signed with the key itself (`jwk`), not for an account")
        self._verify(found, found.key)
        return Newcomer(found.key, found.payload)

    def by_account(self, content: bytes, url: str) -> Caller:
        """Return which account signed. Raises what is wrong with the request, or with the account."""
        found = self._read(content, url)
        if found.key is not None:
            raise BadRequest("this is signed for an account (`kid`), not with a key alone")
        return self._account(found)

    def by_either(self, content: bytes, url: str) -> Caller | Newcomer:
        """Return who signed, an account or a key (RFC 8555, 7.6)."""
        found = self._read(content, url)
        if found.key is None:
            return self._account(found)
        self._verify(found, found.key)
        return Newcomer(found.key, found.payload)

    def _read(self, content: bytes, url: str) -> Jws:
        found = jws.parse_jws(content)
        if found.url != url:
            raise BadSignature(f"the request was signed for `{found.url[:200]}`, and this is `{url[:200]}`")
        return found

    def _account(self, found: Jws) -> Caller:
        identifier = self._urls.account_of(found.account)
        with self._database.read() as session:
            row = accounts.get(session, identifier)
            key = parse_jwk(json.loads(row.jwk))
        self._verify(found, key)
        with self._database.read() as session:
            holder = accounts.holder_of(session, accounts.get(session, identifier))
        return Caller(identifier, holder, key, found.payload)

    def _verify(self, found: Jws, key: Jwk) -> None:
        jws.verify(found, key)
        self._nonces.use(found.nonce)


def new_key(urls: Urls, inner: Jws) -> Jwk:
    """Return the key that an account asks for, which signed that itself (RFC 8555, 7.3.5). Raises what is wrong."""
    if inner.key is None or inner.nonce:
        raise BadRequest("the inner request is signed with the new key (`jwk`) and has no nonce")
    if inner.url != urls.at("key-change"):
        raise BadRequest("the inner request was signed for another address")
    jws.verify(inner, inner.key)
    return inner.key
