"""Another verifier says the same: OpenSSL, over every third part of the NIST suite and where it is known to differ."""

import base64
import subprocess
from pathlib import Path

from tests.pki.validation import pkits
from tests.pki.validation.pkits import Case

#: Where OpenSSL 3.0 says otherwise than NIST: it does not inherit DSA parameters, and a signer of a list that is in
#: that list itself is a loop to it.
DIFFERENT = {"4.1.5", "4.14.30"}


def pem(files: list[Path], kind: str) -> str:
    bodies = (base64.encodebytes(file.read_bytes()).decode() for file in files)
    return "".join(f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n" for body in bodies)


def is_accepted(case: Case, folder: Path) -> bool:
    *above, last = (pkits.certificate_file(name) for name in case.path)
    files = {
        "root": pem([pkits.certificate_file("TrustAnchorRootCertificate")], "CERTIFICATE"),
        "above": pem([*above, *map(pkits.certificate_file, case.signers)], "CERTIFICATE"),
        "last": pem([last], "CERTIFICATE"),
        "lists": pem([pkits.list_file(name) for name in ("TrustAnchorRootCRL", *case.lists)], "X509 CRL"),
    }
    for name, content in files.items():
        (folder / name).write_text(content, encoding="ascii")
    command = ["openssl", "verify", "-attime", str(int(pkits.NOW.timestamp())), "-auth_level", "0"]
    command += ["-crl_check_all", "-extended_crl", "-use_deltas", "-policy_check"]
    command += ["-CAfile", str(folder / "root"), "-CRLfile", str(folder / "lists")]
    command += ["-untrusted", str(folder / "above")] if files["above"] else []
    for policy in [f"2.16.840.1.101.3.2.1.48.{last}" for last in case.policies] or ["2.5.29.32.0"]:
        command += ["-policy", policy]
    asked = {"-explicit_policy": case.explicit, "-inhibit_map": case.inhibit_mapping, "-inhibit_any": case.inhibit_any}
    command += [option for option, is_asked in asked.items() if is_asked]
    return subprocess.run([*command, str(folder / "last")], capture_output=True, check=False).returncode == 0


def test_openssl_agrees(tmp_path: Path) -> None:
    cases = pkits.cases()
    sample = [case for number, case in enumerate(cases) if number % 3 == 0 or case.section in DIFFERENT]
    wrong = {case.section for case in sample if is_accepted(case, tmp_path) != (case.expected == "accepted")}
    assert wrong == DIFFERENT
