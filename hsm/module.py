"""The PKCS#11 library: the only module that imports the binding, and the only one that speaks of its objects.

python-pkcs11 initialises a library without locking but calls it from many threads at once, which crashes SoftHSM.
``_LockedLibrary`` initialises with ``CKF_OS_LOCKING_OK`` instead (PKCS#11 3.1, 5.4). C_InitToken and C_InitPIN are
called here too, so that no PIN ever stands in the arguments of a program.
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11 import _pkcs11 as binding
from pkcs11 import exceptions as codes
from pkcs11.types import SignMixin

from hsm.errors import PinRefused, TokenUnavailable, UnsafeKey
from hsm.models import KeyAlgorithm

Session = pkcs11.Session
PrivateKey = pkcs11.PrivateKey
Token = pkcs11.Token

_CKF_OS_LOCKING_OK = 0x2
_OK, _ALREADY_INITIALISED = 0x0, 0x191

# Places in CK_FUNCTION_LIST after its version.
_INITIALIZE, _FINALIZE, _INIT_TOKEN = 0, 1, 9

#: EC parameters: P-256 as a named curve (X9.62), Ed25519 as PKCS#11 3.1, 6.3.3 names it.
_PARAMETERS = {
    KeyAlgorithm.P256: bytes.fromhex("06082a8648ce3d030107"),
    KeyAlgorithm.ED25519: b"\x13\x0cedwards25519",
}
_KEY_TYPES = {KeyAlgorithm.P256: KeyType.EC, KeyAlgorithm.ED25519: KeyType.EC_EDWARDS}
_MECHANISMS = {KeyAlgorithm.P256: Mechanism.ECDSA, KeyAlgorithm.ED25519: Mechanism.EDDSA}

#: Read back after generation. The order is that of ``KeyInfo``'s flags.
_FLAGS = (Attribute.EXTRACTABLE, Attribute.SENSITIVE, Attribute.NEVER_EXTRACTABLE, Attribute.LOCAL, Attribute.PRIVATE)

#: A session that is gone: open another. A handle that is stale: find the key again.
SESSION_LOST = (codes.SessionHandleInvalid, codes.SessionClosed)
HANDLE_STALE = (codes.ObjectHandleInvalid, codes.KeyHandleInvalid, codes.NoSuchKey)


class _InitialiseArguments(ctypes.Structure):
    _fields_ = (
        ("create", ctypes.c_void_p),
        ("destroy", ctypes.c_void_p),
        ("lock", ctypes.c_void_p),
        ("unlock", ctypes.c_void_p),
        ("flags", ctypes.c_ulong),
        ("reserved", ctypes.c_void_p),
    )


class _LockedLibrary(binding.lib):
    """The binding's library, initialised by us, with locking."""

    def initialize(self) -> None:
        """Do nothing: ``Module`` has initialised the library before this object was made."""


class Module:
    """A loaded library. ``initialise`` and ``finalise`` may alternate: after an outage nothing else helps."""

    def __init__(self, path: Path, configuration: Path) -> None:
        """Load the library at ``path``; SoftHSM finds its token directory through ``configuration`` (no secret)."""
        os.environ["SOFTHSM2_CONF"] = str(configuration)
        self._path = path
        self._native = ctypes.CDLL(str(path))
        listing = ctypes.c_void_p()
        if self._native.C_GetFunctionList(ctypes.byref(listing)) != _OK or listing.value is None:
            raise TokenUnavailable(f"`{path}` is not a PKCS#11 library", hint="see `guosuo doctor`")
        self._functions = ctypes.cast(listing.value + 8, ctypes.POINTER(ctypes.c_void_p))
        self._library: _LockedLibrary | None = None

    def initialise(self) -> None:
        """Initialise the library with OS locking."""
        arguments = _InitialiseArguments(flags=_CKF_OS_LOCKING_OK)
        self._call(_INITIALIZE, ctypes.byref(arguments), allowed=(_OK, _ALREADY_INITIALISED))
        if self._library is None:
            self._library = _LockedLibrary(str(self._path))

    def finalise(self) -> None:
        """Finalise the library, whatever it answers: it is called when nothing works any more."""
        self._function(_FINALIZE)(None)

    def token(self, label: str) -> Token:
        """Return the token with ``label``. Raises ``TokenUnavailable``."""
        assert self._library is not None
        with translated():
            for slot in self._library.get_slots(token_present=True):
                token = slot.get_token()
                if token.label == label:
                    return token
        raise TokenUnavailable(f"there is no token `{label}`", hint="is the token directory where it was?")

    def make_token(self, label: str, *, so_pin: str, user_pin: str) -> None:
        """Initialise a free slot as a token and set its user PIN (C_InitToken, C_InitPIN)."""
        assert self._library is not None
        slot = self._library.get_slots(token_present=True)[-1]
        pin = so_pin.encode()
        padded = label.encode().ljust(32)
        self._call(_INIT_TOKEN, ctypes.c_ulong(slot.slot_id), pin, ctypes.c_ulong(len(pin)), padded)
        # A crash here leaves a token without a user PIN and without an inventory: the next run removes it.
        with translated(), self.token(label).open(rw=True, so_pin=so_pin) as session:
            session.init_pin(user_pin)

    def _function(self, place: int) -> Callable[..., int]:
        return ctypes.CFUNCTYPE(ctypes.c_ulong)(self._functions[place] or 0)

    def _call(self, place: int, *arguments: object, allowed: tuple[int, ...] = (_OK,)) -> None:
        code = self._function(place)(*arguments)
        if code not in allowed:
            raise TokenUnavailable(f"the token library answered {code:#x}", hint="see `guosuo doctor`")


@contextmanager
def translated() -> Iterator[None]:
    """Turn PKCS#11 return codes into our errors, here and nowhere else."""
    try:
        yield
    except (codes.PinIncorrect, codes.PinInvalid, codes.PinLocked, codes.PinExpired, codes.PinLenRange) as error:
        detail = "the token refuses the PIN; it is not tried again"
        raise PinRefused(detail, hint="restore the PIN file, then start the signer again") from error
    except codes.PKCS11Error as error:
        raise TokenUnavailable(f"the token does not answer: {type(error).__name__}") from error


def generate(session: Session, *, label: str, identifier: bytes, algorithm: KeyAlgorithm) -> None:
    """Generate a token key that can only sign and never leave (CKA_SENSITIVE, not CKA_EXTRACTABLE)."""
    parameters = session.create_domain_parameters(
        _KEY_TYPES[algorithm], {Attribute.EC_PARAMS: _PARAMETERS[algorithm]}, local=True
    )
    private = {
        Attribute.EXTRACTABLE: False,
        Attribute.SENSITIVE: True,
        Attribute.PRIVATE: True,
        Attribute.SIGN: True,
        Attribute.DECRYPT: False,
        Attribute.UNWRAP: False,
        Attribute.DERIVE: False,
    }
    parameters.generate_keypair(id=identifier, label=label, store=True, private_template=private)


def find_labelled(session: Session, label: str) -> bytes:
    """Return the CKA_ID of the one private key with a label; raises ``NoSuchKey``, or ``UnsafeKey`` for several."""
    found = list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: label}))
    if not found:
        raise codes.NoSuchKey
    identifier = bytes(found[0][Attribute.ID])
    if len(found) > 1 or not identifier:
        raise UnsafeKey(f"`{label}` is the label of {len(found)} keys, or of one without an id")
    return identifier


def find_private(session: Session, identifier: bytes) -> PrivateKey:
    """Return the one private key with ``CKA_ID``; raises ``NoSuchKey``, or ``UnsafeKey`` when two share it."""
    found = list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: identifier}))
    if not found:
        raise codes.NoSuchKey
    if len(found) > 1:
        raise UnsafeKey(f"{len(found)} keys share the id {identifier.hex()}")
    key = found[0]
    assert isinstance(key, PrivateKey)
    return key


def read_flags(key: PrivateKey) -> tuple[bool, ...]:
    """Return extractable, sensitive, never extractable, local, private, as the token has them."""
    return tuple(bool(key[flag]) for flag in _FLAGS)


def read_point(session: Session, identifier: bytes) -> bytes:
    """Return the public key's point without its OCTET STRING wrapping: 65 octets for P-256, 32 for Ed25519."""
    found = list(session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.ID: identifier}))
    if len(found) != 1:
        raise codes.NoSuchKey
    wrapped = bytes(found[0][Attribute.EC_POINT])
    return wrapped[2:] if wrapped[:1] == b"\x04" and wrapped[1] == len(wrapped) - 2 else wrapped


def destroy_labelled(session: Session, label: str) -> int:
    """Destroy every object with ``label``; return how many there were."""
    found = list(session.get_objects({Attribute.LABEL: label}))
    for thing in found:
        thing.destroy()
    return len(found)


def sign(key: PrivateKey, algorithm: KeyAlgorithm, data: bytes) -> bytes:
    """Sign in the token: raw ``r || s`` for P-256, the signature itself for Ed25519."""
    assert isinstance(key, SignMixin)
    return bytes(key.sign(data, mechanism=_MECHANISMS[algorithm]))
