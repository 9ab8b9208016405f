"""A machine whose reducers break their process in every way that they can."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from itertools import repeat
from typing import Any

from blockfold import Context, Machine, Reject, State, action

KEPT: list[Any] = []


class Rogue(Machine):
    """Counts, and breaks things."""

    @action
    def count(self, state: State, context: Context) -> None:
        state["count"] = state.get("count", 0) + 1

    @action
    def refuse(self, state: State, context: Context) -> None:
        raise Reject("not today")

    @action
    def leave(self, state: State, context: Context, status: int = 3) -> None:
        state["left"] = True
        os._exit(status)

    @action
    def kill(self, state: State, context: Context) -> None:
        signal.raise_signal(signal.SIGKILL)

    @action
    def kill_all(self, state: State, context: Context) -> None:
        os.kill(-1, signal.SIGKILL)

    @action
    def kill_parent(self, state: State, context: Context) -> None:
        ctypes.CDLL(None).kill(os.getppid(), signal.SIGKILL)
        os._exit(0)

    @action
    def stop_parent(self, state: State, context: Context) -> None:
        ctypes.CDLL(None).kill(os.getppid(), signal.SIGSTOP)
        os._exit(0)

    @action
    def crash(self, state: State, context: Context) -> None:
        ctypes.string_at(0)

    @action
    def spin(self, state: State, context: Context) -> None:
        while True:
            pass

    @action
    def spin_in_c(self, state: State, context: Context) -> None:
        sum(repeat(0))  # never comes back to the interpreter, which would look at signals

    @action
    def deaf(self, state: State, context: Context) -> None:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        while True:
            pass

    @action
    def exhaust(self, state: State, context: Context) -> None:
        KEPT.append(bytearray(4 << 30))

    @action
    def exhaust_slowly(self, state: State, context: Context) -> None:
        grown = [b""]
        while True:
            grown.append(bytes(1 << 24) + grown[-1][:1])

    @action
    def recurse(self, state: State, context: Context) -> None:
        self.recurse(state, context)

    @action
    def exit(self, state: State, context: Context) -> None:
        raise SystemExit(5)

    @action
    def interrupt(self, state: State, context: Context) -> None:
        raise KeyboardInterrupt

    @action
    def base(self, state: State, context: Context) -> None:
        raise BaseException("no less")

    @action
    def fork(self, state: State, context: Context) -> None:
        os.fork()

    @action
    def fork_in_c(self, state: State, context: Context) -> None:
        """Leave a process behind that has a session of its own, and its number in the state."""
        pid = ctypes.CDLL(None).fork()
        if pid == 0:
            os.setsid()
            signal.pause()
        state["orphan"] = pid

    @action
    def run(self, state: State, context: Context) -> None:
        subprocess.run(["true"], check=True)

    @action
    def close_all(self, state: State, context: Context) -> None:
        state["closed"] = True
        os.closerange(0, 1_000)

    @action
    def close_all_and_wait(self, state: State, context: Context) -> None:
        os.closerange(0, 1_000)
        time.sleep(3_600)

    @action
    def babble(self, state: State, context: Context) -> None:
        """Print rubbish, to whatever can be written to."""
        sys.stdout.write('{"batchItemFailures": "all"}\n' * 1_000)
        sys.stdout.flush()
        for number in range(1, 50):
            try:
                os.write(number, b"\x00\x00\x00\x03abc" * 1_000)
            except OSError:
                continue

    @action
    def promise_much(self, state: State, context: Context) -> None:
        """A frame that says it has 4 GB."""
        for number in range(3, 50):
            try:
                os.write(number, b"\xff" * 1_000)
            except OSError:
                continue

    @action
    def forge(self, state: State, context: Context, frame: str) -> None:
        """A verdict of one's own making."""
        data = bytes.fromhex(frame)
        for number in range(3, 50):
            try:
                os.write(number, len(data).to_bytes(4, "big") + data)
            except OSError:
                continue
        signal.pause()

    @action
    def thread(self, state: State, context: Context) -> None:
        """Leave a thread behind that never ends."""
        threading.Thread(target=signal.pause).start()
        state["threads"] = state.get("threads", 0) + 1

    @action
    def keep_references(self, state: State, context: Context) -> None:
        """Change later what was written and read."""
        value = {"n": context.ordinal}
        state["kept"] = value
        for each in KEPT:
            each["n"] = -1
        KEPT.append(value)

    @action
    def secrets(self, state: State, context: Context) -> None:
        state["secrets"] = sorted(name for name in os.environ if name.startswith("AWS_"))
        state["boto"] = "boto3" in sys.modules or "botocore" in sys.modules

    @action
    def look(self, state: State, context: Context, prefix: str = "") -> None:
        """Write down the whole of a state, by two scans side by side."""
        pairs = zip(state.scan(prefix), state.scan(prefix), strict=True)
        state["seen"] = [[one, two] for (one, _), (two, _) in pairs]
        state["values"] = [value for _, value in state.scan(prefix) if value != 0]

    @action
    def write_much(self, state: State, context: Context, keys: int, size: int) -> None:
        for number in range(keys):
            state[f"much/{number:06}"] = "x" * size
