# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Processes that the bench starts: bounded, ended with it, and shown while they run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRATCH = ROOT / "build" / "bench"
COLLECTIONS = ROOT / ".venv" / "collections"

_START = time.monotonic()


class Failure(Exception):
    """Why something could not be measured, in a sentence."""


def say(text: str) -> None:
    """Show how far it is."""
    print(f"[{time.monotonic() - _START:5.0f} s] {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def running(command: t.Sequence[str], **options: t.Any) -> t.Iterator[subprocess.Popen[str]]:
    """A process, and whatever it starts, that ends with the block at the latest."""
    with subprocess.Popen(command, text=True, start_new_session=True, **options) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                end(process)


def output(*command: str, stdin: str | None = None, timeout: float = 120) -> str:
    """What a command prints; raises Failure unless it succeeds."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with running(command, **pipes) as process:
        try:
            out, err = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"{' '.join(command[:6])} has not ended after {timeout:.0f} s") from error
    if process.returncode:
        raise Failure(f"{' '.join(command[:6])} failed: {err.strip()[-500:] or out.strip()[-500:]}")
    return out


def end(process: subprocess.Popen[str]) -> None:
    """End a process and whatever it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return
