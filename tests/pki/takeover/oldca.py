"""An authority that ``openssl ca`` runs, with its key in a file; and that key imported into a token of ours."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hsm.settings import HsmSettings

_CONFIGURATION = """
[ca]
default_ca = old
[old]
dir = {folder}
database = $dir/index.txt
new_certs_dir = $dir/newcerts
certificate = $dir/cacert.pem
private_key = $dir/ca.key
serial = $dir/serial
crlnumber = $dir/crlnumber
default_md = sha256
default_days = 365
default_crl_days = 7
policy = any
x509_extensions = person
crl_extensions = list
unique_subject = no
utf8 = yes
string_mask = utf8only
[any]
countryName = optional
organizationName = optional
commonName = optional
UID = optional
[person]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[list]
authorityKeyIdentifier = keyid
[req]
distinguished_name = name
utf8 = yes
string_mask = utf8only
[name]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""


@dataclass(frozen=True)
class OldCa:
    folder: Path

    def make(self, kind: str = "EC") -> "OldCa":
        (self.folder / "newcerts").mkdir(parents=True)
        (self.folder / "openssl.cnf").write_text(_CONFIGURATION.format(folder=self.folder))
        for name, text in (("index.txt", ""), ("serial", "1000\n"), ("crlnumber", "2A\n")):
            (self.folder / name).write_text(text)
        option = "ec_paramgen_curve:prime256v1" if kind == "EC" else "rsa_keygen_bits:2048"
        self.run("genpkey", "-algorithm", kind, "-pkeyopt", option, "-out", "ca.key")
        subject = "/C=CN/O=旧机构 演练样本/CN=Old CA"
        self.run(
            *("req", "-new", "-x509", "-config", "openssl.cnf", "-key", "ca.key", "-subj", subject, "-utf8"),
            *("-days", "3650", "-extensions", "authority", "-out", "cacert.pem"),
        )
        self.list()
        return self

    def run(self, *command: str) -> str:
        line = ["openssl", *command]
        done = subprocess.run(line, cwd=self.folder, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def issue(self, name: str, *more: str) -> str:
        """Issue a certificate and return its file."""
        out = f"{name}-{len(list((self.folder / 'newcerts').iterdir()))}.pem"
        self.run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", "leaf.key")
        self.run(
            "req", "-new", "-config", "openssl.cnf", "-key", "leaf.key", "-subj", f"/CN={name}", "-out", "leaf.csr"
        )
        self.run("ca", "-config", "openssl.cnf", "-batch", "-notext", "-in", "leaf.csr", "-out", out, *more)
        return out

    def revoke(self, file: str, *more: str) -> None:
        self.run("ca", "-config", "openssl.cnf", "-revoke", file, *more)

    def list(self) -> None:
        """Sign the list anew."""
        self.run("ca", "-config", "openssl.cnf", "-gencrl", "-out", "crl.pem")


def import_key(settings: HsmSettings, file: Path, label: str, identifier: str) -> None:
    """Import a key as an administrator does: while no signer runs."""
    line = ["softhsm2-util", "--import", str(file), "--token", settings.token_label, "--label", label]
    _run(settings, [*line, "--id", identifier, "--force", "--pin", settings.user_pin_file.read_text()])


def write_loose(settings: HsmSettings, file: Path, label: str, identifier: str) -> None:
    """Write a key pair that can be taken out again, which no authority's may."""
    line = ["pkcs11-tool", "--module", str(settings.module), "--token-label", settings.token_label, "--login"]
    line += ["--pin", settings.user_pin_file.read_text(), "--label", label, "--id", identifier, "--extractable"]
    for kind, option in (("privkey", ()), ("pubkey", ("-pubout",))):
        der = file.with_name(f"{label}.der")
        subprocess.run(["openssl", "pkey", "-in", file, "-outform", "DER", "-out", der, *option], check=True)
        _run(settings, [*line, "--write-object", str(der), "--type", kind])


def _run(settings: HsmSettings, line: list[str]) -> None:
    environment = {**os.environ, "SOFTHSM2_CONF": str(settings.configuration)}
    subprocess.run(line, env=environment, check=True, capture_output=True)
