"""Where the token, its PIN files and the signer's socket are: all below the site's state folder."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class HsmSettings(BaseModel):
    """Settings of one token. ``module`` is the PKCS#11 library; the default is Debian's SoftHSM."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Path
    module: Path = Path("/usr/lib/softhsm/libsofthsm2.so")
    token_label: str = "guosuo"  # noqa: S105  # a name, not a secret
    sessions: int = 4

    @property
    def configuration(self) -> Path:
        """SoftHSM's own configuration file."""
        return self.state / "softhsm2.conf"

    @property
    def tokens(self) -> Path:
        """SoftHSM's token directory."""
        return self.state / "tokens"

    @property
    def token_copy(self) -> Path:
        """The copy of ``token.object`` made before each login."""
        return self.state / "token-copy"

    @property
    def inventory(self) -> Path:
        """The list of our keys, each bound by the hash of its public key."""
        return self.state / "keys.json"

    @property
    def user_pin_file(self) -> Path:
        """The PIN of the user (0400)."""
        return self.state / "secrets" / "user.pin"

    @property
    def so_pin_file(self) -> Path:
        """The PIN of the security officer (0400); never read by the signer."""
        return self.state / "secrets" / "so.pin"

    @property
    def socket(self) -> Path:
        """Where the signer listens."""
        return self.state / "run" / "signer.sock"

    @property
    def lock(self) -> Path:
        """Held by the one signer of this state folder."""
        return self.state / "run" / "signer.lock"
