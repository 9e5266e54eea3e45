"""A task never outlives the sandbox, however the sandbox ends."""

import contextlib
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1


def hold_on_to_parent() -> None:
    """Exit at once when stdin ends, which it does when the sandbox is gone.

    The sandbox holds the other end of the pipe and never writes to it. On Linux the kernel
    kills us too, for the case that this process hangs.
    """
    threading.Thread(target=_wait_for_end, daemon=True).start()


def _wait_for_end() -> None:
    if sys.platform == "linux":
        _ask_the_kernel()
    with contextlib.suppress(OSError):
        while os.read(0, 1):
            pass
    os._exit(1)


def _ask_the_kernel() -> None:
    import ctypes  # here, because it is slow to import and the app is waited for

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
