"""What all tests share."""

from __future__ import annotations

import signal

# A job that a script starts with & ignores SIGINT, and so would all that the tests start; they send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
