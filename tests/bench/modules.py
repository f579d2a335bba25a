# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run modules of the collection without Ansible around them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from tests.bench.processes import COLLECTIONS, Failure, running

JSON = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a module has ended. C(ended) is on the monotonic clock."""

    result: JSON
    seconds: float
    ended: float
    peak_bytes: int


@dataclasses.dataclass
class Module:
    """A module that runs."""

    name: str
    process: subprocess.Popen[str]
    started: float

    def outcome(self, timeout: float) -> Outcome:
        """Wait for its end, whichever it is."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"{self.name} has not ended after {timeout:.0f} s") from error
        ended = time.monotonic()
        try:
            result, peak = json.loads(out), int(err.splitlines()[-1])
        except (ValueError, IndexError) as error:
            raise Failure(f"{self.name} gave no result: {err[-1000:]}") from error
        return Outcome(result, ended - self.started, ended, peak)


@contextlib.contextmanager
def module(name: str, parameters: JSON, progress: Path) -> t.Iterator[Module]:
    """Start a module; what it says of its progress goes to a file."""
    env = {**os.environ, "PYTHONPATH": str(COLLECTIONS), "DASKOPS_PROGRESS": str(progress)}
    program = [sys.executable, str(Path(__file__).with_name("run_module.py")), name]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = time.monotonic()
    with running(program, env=env, **pipes) as process:
        assert process.stdin
        process.stdin.write(json.dumps(parameters))
        process.stdin.close()
        process.stdin = None  # or communicate would close it again
        yield Module(name, process, started)
