"""The signer process over a real token: what it signs, what it refuses, and how it comes back."""

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from core.errors import TrustError, Unavailable
from hsm.adapters import TokenEcKey
from hsm.client import SignerClient
from hsm.errors import KeyExists, MechanismRefused, UnknownKey
from hsm.models import KeyAlgorithm, KeyPurpose
from tests.services.softhsm import Running

DIGEST = hashlib.sha256(b"guosuo").digest()


def p256(client: SignerClient, label: str = "test-ca") -> None:
    client.generate(label, KeyAlgorithm.P256, KeyPurpose.CA)


def test_attributes_are_read_back(signer_process: Running) -> None:
    info = signer_process.client.generate("attributes", KeyAlgorithm.P256, KeyPurpose.CRL)
    assert (info.extractable, info.sensitive, info.never_extractable, info.local, info.private) == (
        False, True, True, True, True,
    )  # fmt: skip


def test_pkcs11_tool_sees_the_same(signer_process: Running) -> None:
    p256(signer_process.client)
    settings = signer_process.settings
    command = ["pkcs11-tool", "--module", str(settings.module), "--token-label", "guosuo", "--list-objects", "--login"]
    environment = {**os.environ, "SOFTHSM2_CONF": str(settings.configuration), "P": settings.user_pin_file.read_text()}
    listed = subprocess.run(
        [*command, "--pin", "env:P", "--type", "privkey"], capture_output=True, text=True, env=environment, check=True
    ).stdout
    assert "test-ca" in listed
    assert "never extractable" in listed
    assert "extract" not in listed.replace("never extractable", "")


def test_ecdsa_verifies_elsewhere(signer_process: Running, tmp_path: Path) -> None:
    p256(signer_process.client)
    info = signer_process.client.get("test-ca")
    key = load_der_public_key(info.spki)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    signature = signer_process.client.sign("test-ca", DIGEST)
    key.verify(signature, DIGEST, ec.ECDSA(Prehashed(hashes.SHA256())))
    for name, content in (
        ("key", key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)),
        ("sig", signature),
        ("data", b"guosuo"),
    ):
        (tmp_path / name).write_bytes(content)
    command = ["openssl", "dgst", "-sha256", "-verify", "key", "-signature", "sig", "data"]
    assert "Verified OK" in subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout


def test_ed25519_verifies_elsewhere(signer_process: Running) -> None:
    info = signer_process.client.generate("test-checkpoint", KeyAlgorithm.ED25519, KeyPurpose.CHECKPOINT)
    signature = signer_process.client.sign("test-checkpoint", b"a note")
    ed25519.Ed25519PublicKey.from_public_bytes(info.spki[-32:]).verify(signature, b"a note")


def test_same_request_returns_the_same_key(signer_process: Running) -> None:
    first = signer_process.client.generate("twice", KeyAlgorithm.P256, KeyPurpose.OCSP)
    assert signer_process.client.generate("twice", KeyAlgorithm.P256, KeyPurpose.OCSP) == first
    with pytest.raises(KeyExists):
        signer_process.client.generate("twice", KeyAlgorithm.P256, KeyPurpose.CA)


def test_wrong_pair_is_refused(signer_process: Running) -> None:
    with pytest.raises(MechanismRefused, match="never"):
        signer_process.client.generate("odd", KeyAlgorithm.ED25519, KeyPurpose.CA)
    with pytest.raises(UnknownKey):
        signer_process.client.get("odd")


@pytest.mark.parametrize("data", [b"", b"x" * 31, b"x" * 33, b"x" * 4096])
def test_what_is_no_digest_is_not_signed(signer_process: Running, data: bytes) -> None:
    p256(signer_process.client)
    with pytest.raises(MechanismRefused):
        signer_process.client.sign("test-ca", data)


def test_unknown_key(signer_process: Running) -> None:
    with pytest.raises(UnknownKey, match="nobody"):
        signer_process.client.sign("nobody", DIGEST)


@pytest.mark.parametrize("count", [0, 1, 64, 65, 200])
def test_many_are_signed_in_their_order(signer_process: Running, count: int) -> None:
    info = signer_process.client.generate("together", KeyAlgorithm.P256, KeyPurpose.CA)
    public = load_der_public_key(info.spki)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    digests = [hashlib.sha256(bytes([number])).digest() for number in range(count)]
    for digest, signature in zip(digests, signer_process.client.sign_all("together", digests), strict=True):
        public.verify(signature, digest, ec.ECDSA(Prehashed(hashes.SHA256())))


def test_one_refusal_among_many_refuses_them_all(signer_process: Running) -> None:
    signer_process.client.generate("together", KeyAlgorithm.P256, KeyPurpose.CA)
    with pytest.raises(MechanismRefused):
        signer_process.client.sign_all("together", [bytes(32), bytes(31), bytes(32)])
    assert signer_process.client.sign("together", bytes(32))


def test_many_threads(signer_process: Running) -> None:
    p256(signer_process.client)
    signer_process.client.generate("test-checkpoint", KeyAlgorithm.ED25519, KeyPurpose.CHECKPOINT)
    with ThreadPoolExecutor(8) as pool:
        made = list(
            pool.map(
                lambda number: signer_process.client.sign(("test-ca", "test-checkpoint")[number % 2], DIGEST),
                range(400),
            )
        )
    assert len(made) == 400


@pytest.mark.parametrize(
    "content",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\x00\x00\x04junk",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x10half",
        b"\x00\x00\x00\x00",
    ],
)
def test_hostile_client_harms_nobody(signer_process: Running, content: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as hostile:
        hostile.settimeout(2)
        hostile.connect(str(signer_process.settings.socket))
        hostile.sendall(content)
        hostile.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            hostile.recv(4096)
    p256(signer_process.client)
    assert signer_process.client.sign("test-ca", DIGEST)


def test_adapter_never_gives_the_key(signer_process: Running) -> None:
    p256(signer_process.client)
    key = TokenEcKey(signer_process.client, signer_process.client.get("test-ca"))
    with pytest.raises(MechanismRefused):
        key.private_numbers()
    with pytest.raises(MechanismRefused):
        key.sign(b"x", ec.ECDSA(hashes.SHA512()))
    key.public_key().verify(key.sign(b"x", ec.ECDSA(hashes.SHA256())), b"x", ec.ECDSA(hashes.SHA256()))


def test_pin_is_nowhere_but_in_its_file(signer_process: Running) -> None:
    settings = signer_process.settings
    assert settings.state.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (settings.user_pin_file, settings.so_pin_file)} == {0o400}
    pins = [settings.user_pin_file.read_bytes(), settings.so_pin_file.read_bytes()]
    assert len(set(pins)) == 2
    assert signer_process.process is not None
    process = Path(f"/proc/{signer_process.process.pid}")
    places = [process / "environ", process / "cmdline", signer_process.log, settings.configuration, settings.inventory]
    for place in places:
        content = place.read_bytes()
        assert not any(pin in content for pin in pins), place


def test_second_signer_is_refused(signer_process: Running) -> None:
    command = [sys.executable, "-m", "hsm.signerd", str(signer_process.settings.state)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert "has a signer already" in done.stderr


def test_signer_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        SignerClient(tmp_path / "none.sock").keys()
    assert "guosuo serve" in caught.value.hint


def test_killed_signer_keeps_its_keys(fresh_signer: Running) -> None:
    p256(fresh_signer.client)
    before = fresh_signer.client.keys()
    fresh_signer.kill()
    fresh_signer.start()
    assert fresh_signer.client.keys() == before
    assert fresh_signer.client.sign("test-ca", DIGEST)


def test_vanished_token_comes_back_without_a_restart(fresh_signer: Running) -> None:
    p256(fresh_signer.client)
    tokens, away = fresh_signer.settings.tokens, fresh_signer.settings.state / "away"
    tokens.rename(away)
    with pytest.raises(Unavailable):
        fresh_signer.client.sign("test-ca", DIGEST)
    away.rename(tokens)
    deadline = time.monotonic() + 15
    while True:
        try:
            assert fresh_signer.client.sign("test-ca", DIGEST)
            break
        except Unavailable:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert fresh_signer.client.health().generation == 2


def test_wrong_pin_is_tried_once(fresh_signer: Running) -> None:
    fresh_signer.stop()
    pin = fresh_signer.settings.user_pin_file
    pin.chmod(0o600)
    pin.write_text("0" * 32)
    command = [sys.executable, "-m", "hsm.signerd", str(fresh_signer.settings.state)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert "refuses the PIN" in done.stderr


def test_emptied_token_object_is_put_back(fresh_signer: Running) -> None:
    p256(fresh_signer.client)
    fresh_signer.stop()
    for path in fresh_signer.settings.tokens.glob("*/token.object"):
        path.write_bytes(b"")
    fresh_signer.start()
    assert fresh_signer.client.sign("test-ca", DIGEST)


def test_kills_near_login_lose_nothing(fresh_signer: Running) -> None:
    p256(fresh_signer.client)
    fresh_signer.stop()
    for number in range(8):
        process = subprocess.Popen([sys.executable, "-m", "hsm.signerd", str(fresh_signer.settings.state)])
        time.sleep(0.12 + number * 0.01)
        process.kill()
        process.wait()
    fresh_signer.start()
    assert fresh_signer.client.sign("test-ca", DIGEST)


def test_swapped_token_is_refused(fresh_signer: Running) -> None:
    """A token with the same label and other keys is not ours: keys are bound by hash."""
    p256(fresh_signer.client)
    fresh_signer.stop()
    text = fresh_signer.settings.inventory.read_text()
    spki = next(line for line in text.splitlines() if '"spki"' in line)
    fresh_signer.settings.inventory.write_text(
        text.replace(spki, spki[:-6] + ("aa" if spki[-6:-4] != "aa" else "bb") + spki[-4:])
    )
    with pytest.raises(RuntimeError, match=r"is another one|damaged|not in the token"):
        fresh_signer.start()


def test_foreign_user_is_not_served(signer_process: Running) -> None:
    script = (
        "import socket, sys, os\n"
        "s = socket.socket(socket.AF_UNIX); s.settimeout(3)\n"
        "os.setresuid(65534, 65534, 65534) if sys.argv[2] == 'after' else None\n"
        "s.connect(sys.argv[1]); s.sendall(b'\\x00\\x00\\x00\\x01\\x80'); print(len(s.recv(100)))\n"
    )
    place = signer_process.settings.socket
    assert (place.stat().st_mode & 0o777, place.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    if os.geteuid() != 0:
        # An ordinary user cannot become another one; the modes above are what keeps others out.
        return
    done = subprocess.run(
        [sys.executable, "-c", script, str(signer_process.settings.socket), "after"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "PermissionError" in done.stderr


def test_every_error_is_ours(signer_process: Running) -> None:
    with pytest.raises(TrustError):
        signer_process.client.get("none")
