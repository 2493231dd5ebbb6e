"""Whether the machine's clock is kept, as its kernel knows it from whoever keeps it (adjtimex(2)); read, never set."""

import ctypes
from datetime import timedelta


class _Timex(ctypes.Structure):
    """``struct timex`` of 64-bit Linux, as far as it is read; the kernel fills 208 octets."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 160),
    )


#: STA_UNSYNC of ``status``, and the clock's state TIME_ERROR: nobody keeps the clock.
_UNSYNC, _ERROR = 0x0040, 5


class KernelSynchrony:
    """Implements ``pki.tsa.authority.Synchrony``. Without such a kernel nothing is known of the clock."""

    def is_kept(self, within: timedelta) -> bool:
        """Say whether somebody keeps the clock, and its greatest error (in microseconds) is at most ``within``."""
        found = _Timex()
        adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
        if adjtimex is None:
            return False
        state = adjtimex(ctypes.byref(found))
        if state in (-1, _ERROR) or found.status & _UNSYNC:
            return False
        return timedelta(microseconds=found.maxerror) <= within
