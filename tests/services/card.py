"""A person's token: SoftHSM with a key of its own, and what its PKCS#11 module was asked (OpenSC's spy)."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
SPY = "/usr/lib/x86_64-linux-gnu/pkcs11-spy.so"

PIN = "135790"


@dataclass(frozen=True)
class Token:
    folder: Path
    key: str = "EC:prime256v1"

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to find the token; every call of the module is written down."""
        return {
            "SOFTHSM2_CONF": str(self.folder / "softhsm2.conf"),
            "PKCS11SPY": MODULE,
            "PKCS11SPY_OUTPUT": str(self.folder / "calls"),
        }

    def uri(self, *, pin: str | None = PIN, token: str = "card", module: str = SPY) -> str:
        """The key's URI; without a ``pin`` it names no file to read one from."""
        query = [f"module-path={module}"]
        if pin is not None:
            source = self.folder / f"pin-{pin}"
            source.write_text(f"{pin}\n")
            query.append(f"pin-source=file:{source}")
        return f"pkcs11:token={token};object=signing?{'&'.join(query)}"

    def logins(self) -> int:
        """How often a PIN was shown to the token since this was last asked."""
        calls = self.folder / "calls"
        found = calls.read_text(errors="replace").count(": C_Login") if calls.exists() else 0
        calls.unlink(missing_ok=True)
        return found

    def make(self) -> "Token":
        (self.folder / "tokens").mkdir(parents=True)
        lines = f"directories.tokendir = {self.folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
        (self.folder / "softhsm2.conf").write_text(lines)
        given = ["--label", "card", "--pin", PIN, "--so-pin", "24680246"]
        self._run("softhsm2-util", "--init-token", "--free", *given)
        self.tool("--keypairgen", "--key-type", self.key, "--label", "signing", "--id", "01")
        return self

    def hold(self, certificates: Path) -> None:
        """Put a certificate and those above it (PEM) on the token."""
        blocks = certificates.read_text().split("-----END CERTIFICATE-----\n")[:-1]
        for number, block in enumerate(blocks):
            pem, der = self.folder / "one.pem", self.folder / "one.der"
            pem.write_text(f"{block}-----END CERTIFICATE-----\n")
            self._run("openssl", "x509", "-in", str(pem), "-outform", "DER", "-out", str(der))
            name = "signing" if number == 0 else f"above-{number}"
            self.tool("--write-object", str(der), "--type", "cert", "--label", name, "--id", f"0{number + 1}")

    def tool(self, *arguments: str) -> None:
        self._run("pkcs11-tool", "--module", MODULE, "--token-label", "card", "--login", "--pin", PIN, *arguments)

    def _run(self, *command: str) -> None:
        environment = {**os.environ, **self.environment}
        subprocess.run(command, env=environment, check=True, capture_output=True)


def make(key: str = "EC:prime256v1") -> Token:
    # A short path: SoftHSM's configuration has a longest line.
    return Token(Path(tempfile.mkdtemp(prefix="gs-card-")) / "card", key).make()
