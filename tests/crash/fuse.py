"""A fuse: kills its own process with SIGKILL when a crash point is reached for the n-th time.

The interpreter's own tracing (``sys.settrace``) watches the one function; the product knows nothing of it.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from tests.crash.points import Point

Trace = Callable[[FrameType, str, Any], Any]


def kill() -> None:
    """End this process as a power failure would end it."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Fuse:
    """Burns at ``point`` when it is reached for the ``hit``-th time; then ``burn`` is called."""

    point: Point
    hit: int = 1
    burn: Callable[[], None] = kill
    _reached: int = field(default=0, init=False)

    def arm(self) -> None:
        """Watch from now on, in this thread and in every thread to come."""
        threading.settrace(self._call)
        sys.settrace(self._call)

    def disarm(self) -> None:
        """Watch no longer."""
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]  # None ends it, as for sys

    def _call(self, frame: FrameType, event: str, _argument: object) -> Trace | None:
        code = frame.f_code
        if event != "call" or code.co_qualname != self.point.function or code.co_filename != self.point.file:
            return None
        return self._follow_statement() if self.point.fires else self._follow_end()

    def _follow_statement(self) -> Trace:
        """Reached when the statement right after the comment begins: on its first line, coming from outside of it."""
        inside = set(self.point.fires)
        state = {"line": 0}

        def trace(frame: FrameType, event: str, _argument: object) -> Trace:
            if event == "line":
                # Python comes back to the first line of a call over several lines, and of a loop.
                came, state["line"] = state["line"], frame.f_lineno
                if frame.f_lineno == self.point.fires[0] and came not in inside:
                    self._reach()
            return trace

        return trace

    def _follow_end(self) -> Trace:
        """Reached when the statement before the comment was left in order: to another line, or out of the function."""
        inside = set(self.point.after)
        state = {"inside": False}

        def trace(frame: FrameType, event: str, _argument: object) -> Trace:
            if event == "exception":
                state["inside"] = False
            elif event == "line" and frame.f_lineno in inside:
                state["inside"] = True
            elif state["inside"] and (event == "return" or event == "line"):
                state["inside"] = False
                self._reach()
            return trace

        return trace

    def _reach(self) -> None:
        self._reached += 1
        if self._reached == self.hit:
            self.burn()
