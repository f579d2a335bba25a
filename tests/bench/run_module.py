# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run a module of the collection as a process of its own, and say how much memory it has needed.

    python tests/bench/run_module.py dask_wait <parameters.json

The parameters are JSON on standard input. The last line of the error output is the peak of the resident memory in
bytes: as the process itself knows it, since what its parent reads also counts the parent at the time of the fork.
"""

from __future__ import annotations

import atexit
import json
import re
import runpy
import sys
from pathlib import Path


def say_peak() -> None:
    """Print the peak to the error output."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    match = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert match
    print(int(match[1]) * 1024, file=sys.stderr)


if __name__ == "__main__":
    from ansible.module_utils import basic

    atexit.register(say_peak)
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": json.load(sys.stdin)}).encode()
    basic._ANSIBLE_PROFILE = "legacy"  # how a module that came from nowhere speaks
    runpy.run_module(f"ansible_collections.daskops.kubernetes.plugins.modules.{sys.argv[1]}", run_name="__main__")
