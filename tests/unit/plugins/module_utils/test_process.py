# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import sys
import time

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _process


def test_lines_are_handed_over_as_they_come() -> None:
    seen: list[tuple[str, float]] = []
    program = "import sys, time; print(sys.stdin.read(), flush=True); time.sleep(1); "
    program += "print('two', file=sys.stderr); sys.exit(3)"
    status, lines = _process.stream(
        [sys.executable, "-c", program], lambda line: seen.append((line, time.monotonic())), data="one"
    )
    assert status == 3
    assert lines == ["one", "two"] == [line for line, _at in seen]
    assert seen[1][1] - seen[0][1] > 0.8


def test_a_program_that_hangs_is_ended() -> None:
    start = time.monotonic()
    status, lines = _process.stream([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.5)
    assert status != 0
    assert lines == []
    assert time.monotonic() - start < 10


def test_silence_is_told() -> None:
    ticks: list[float] = []
    command = [sys.executable, "-c", "import time; time.sleep(1.5)"]
    assert _process.stream(command, tick=0.2, on_tick=lambda: ticks.append(time.monotonic()))[0] == 0
    assert len(ticks) >= 3


def test_a_program_that_reads_nothing_may_end() -> None:
    assert _process.stream([sys.executable, "-c", "pass"], data="x" * 10**7) == (0, [])


def test_a_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        _process.stream(["/no/such/program"])
