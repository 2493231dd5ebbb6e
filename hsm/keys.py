"""The keys in the token: generate and read back, sign and verify. What the signer process does for its clients."""

import functools
import hashlib
import threading
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hsm import inventory, mechanisms
from hsm import module as pkcs11
from hsm.errors import KeyExists, KeyMismatch, TokenUnavailable, UnknownKey, UnsafeKey
from hsm.inventory import Entry
from hsm.models import KeyAlgorithm, KeyInfo, KeyPurpose
from hsm.pool import SessionPool, Worker
from hsm.settings import HsmSettings

#: What every key of ours must be: extractable, sensitive, never extractable, local, private.
_WANTED = (False, True, True, True, True)

_HALF = 32


class KeyStore:
    """Our keys in one token; safe for many threads."""

    def __init__(self, pool: SessionPool, settings: HsmSettings, random: Callable[[int], bytes]) -> None:
        """Read the inventory and hold every key of it against the token; raises ``KeyMismatch`` naming the first."""
        self.signatures = 0
        self._pool = pool
        self._path = settings.inventory
        self._random = random
        self._managing = threading.Lock()
        self._entries = inventory.read(self._path)
        for entry in self._entries.values():
            self._check_bound(entry)

    def list(self) -> list[KeyInfo]:
        """Return every key."""
        return [entry.info for entry in self._entries.values()]

    def generate(self, label: str, algorithm: KeyAlgorithm, purpose: KeyPurpose) -> KeyInfo:
        """Generate a key, read its attributes back, then record it. The same request again returns the same key.

        Raises ``BadLabel``, ``KeyExists`` for another algorithm or purpose, ``UnsafeKey`` for a key not as asked for.
        """
        mechanisms.check_label(label)
        mechanisms.check_pair(algorithm, purpose)
        with self._managing:
            known = self._entries.get(label)
            if known is not None:
                if (known.info.algorithm, known.info.purpose) != (algorithm, purpose):
                    raise KeyExists(f"`{label}` is a {known.info.algorithm} key for {known.info.purpose}")
                return known.info
            entry = self._make(label, algorithm, purpose)
            # A crash here leaves a key pair that the inventory does not know, and so was never used: see _make.
            entries = {**self._entries, label: entry}
            inventory.write(self._path, entries)
            # A crash here leaves a key that is known and not yet used: the same request again returns it.
            self._entries = entries
            return entry.info

    def sign(self, label: str, data: bytes) -> bytes:
        """Sign, and verify before it leaves. Raises ``UnknownKey``, ``MechanismRefused``, ``Unavailable``."""
        entry = self._entries.get(label)
        if entry is None:
            raise UnknownKey(f"there is no key `{label}`")
        mechanisms.check_input(entry.info.algorithm, data)
        signature = _encode(entry.info.algorithm, self._attempt(entry, data))
        verify(entry.info, signature, data)
        self.signatures += 1
        return signature

    def _attempt(self, entry: Entry, data: bytes) -> bytes:
        """Sign; after a lost session or stale handle once more, after anything else once more on a fresh library."""
        for last in (False, False, True):
            generation = self._pool.generation
            try:
                with self._pool.worker() as worker:
                    return self._sign_once(worker, entry, data)
            except TokenUnavailable:
                # A signature is safe to repeat: nothing in the token changes, and a second one is as good.
                if last:
                    raise
                self._pool.recover(generation)
        raise AssertionError("the last attempt returns or raises")

    def _sign_once(self, worker: Worker, entry: Entry, data: bytes) -> bytes:
        try:
            with pkcs11.translated():
                try:
                    return pkcs11.sign(worker.key(entry.identifier), entry.info.algorithm, data)
                except pkcs11.HANDLE_STALE:
                    worker.handles.clear()
                    return pkcs11.sign(worker.key(entry.identifier), entry.info.algorithm, data)
        except TokenUnavailable as error:
            if isinstance(error.__cause__, pkcs11.SESSION_LOST):
                self._pool.renew(worker)
                with pkcs11.translated():
                    return pkcs11.sign(worker.key(entry.identifier), entry.info.algorithm, data)
            raise

    def _make(self, label: str, algorithm: KeyAlgorithm, purpose: KeyPurpose) -> Entry:
        identifier = self._random(16)
        with self._pool.worker() as worker, pkcs11.translated():
            session = worker.session
            if session is None:
                raise TokenUnavailable("the token does not answer yet", hint="try again")
            # Left over from a crash before the inventory was written: nobody has used it, nobody can.
            pkcs11.destroy_labelled(session, label)
            pkcs11.generate(session, label=label, identifier=identifier, algorithm=algorithm)
            flags = pkcs11.read_flags(pkcs11.find_private(session, identifier))
            if flags != _WANTED:
                pkcs11.destroy_labelled(session, label)
                raise UnsafeKey(f"the token made `{label}` with other attributes than asked for; it was destroyed")
            spki = inventory.public_key_info(algorithm, pkcs11.read_point(session, identifier))
        info = KeyInfo(label, algorithm, purpose, spki, hashlib.sha256(spki).hexdigest(), *flags)
        return Entry(info, identifier)

    def _check_bound(self, entry: Entry) -> None:
        """Raise ``KeyMismatch`` when the token's key is not the one whose hash was recorded."""
        with self._pool.worker() as worker:
            try:
                with pkcs11.translated():
                    worker.key(entry.identifier)
                    assert worker.session is not None
                    point = pkcs11.read_point(worker.session, entry.identifier)
            except TokenUnavailable as error:
                raise KeyMismatch(
                    f"the key `{entry.info.label}` is not in the token", hint="restore the token"
                ) from error
        if inventory.public_key_info(entry.info.algorithm, point) != entry.info.spki:
            raise KeyMismatch(f"the key `{entry.info.label}` in the token is another one", hint="restore the token")


def verify(info: KeyInfo, signature: bytes, data: bytes) -> None:
    """Verify what the token made against the recorded public key; raises ``KeyMismatch`` (fault, or another key)."""
    public = _public(info.spki)
    try:
        if isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, data, ec.ECDSA(Prehashed(hashes.SHA256())))
        else:
            assert isinstance(public, ed25519.Ed25519PublicKey)
            public.verify(signature, data)
    except InvalidSignature as error:
        raise KeyMismatch(f"a signature of `{info.label}` does not verify; it was thrown away") from error


@functools.lru_cache(maxsize=256)
def _public(spki: bytes) -> PublicKeyTypes:
    return load_der_public_key(spki)


def _encode(algorithm: KeyAlgorithm, raw: bytes) -> bytes:
    """Turn a token's ``r || s`` into ECDSA-Sig-Value (RFC 3279, 2.2.3)."""
    if algorithm is KeyAlgorithm.ED25519:
        return raw
    return encode_dss_signature(int.from_bytes(raw[:_HALF], "big"), int.from_bytes(raw[_HALF:], "big"))
