"""The directory and every address of the server (RFC 8555, 7.1.1). Pure."""

from dataclasses import dataclass

from core.ledger.entry import JsonValue
from pki.acme.errors import NoAccount


@dataclass(frozen=True, slots=True)
class Urls:
    """The addresses of one authority's server; ``origin`` is scheme, host and port."""

    origin: str
    issuer: str

    def at(self, *parts: str) -> str:
        """Return the address of something."""
        return "/".join((self.origin, "acme", self.issuer, *parts))

    def directory(self) -> dict[str, JsonValue]:
        """Return the directory: what there is, and that accounts must be bound."""
        return {
            "newNonce": self.at("new-nonce"),
            "newAccount": self.at("new-account"),
            "newOrder": self.at("new-order"),
            "revokeCert": self.at("revoke-cert"),
            "keyChange": self.at("key-change"),
            "renewalInfo": self.at("renewal-info"),
            "meta": {"externalAccountRequired": True},
        }

    def account_of(self, url: str) -> str:
        """Return the id in an account's address (``kid``). Raises ``NoAccount``."""
        head = self.at("account", "")
        identifier = url.removeprefix(head)
        if identifier == url or not identifier or "/" in identifier or len(identifier) > 32:
            raise NoAccount(f"`{url[:200]}` is the address of no account here")
        return identifier
