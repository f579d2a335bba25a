# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``python -m daskops_runtime.reference TASKS SECONDS``: a graph whose answer is known, as one line of JSON.

``TASKS`` squares, each taking ``SECONDS``, summed as a tree: work on every worker and transfers between them.
"""

from __future__ import annotations

import itertools
import json
import sys
import time

from distributed import Client


def square(number: int, seconds: float) -> int:
    """The work of one task."""
    time.sleep(seconds)
    return number * number


def run(tasks: int, seconds: float, timeout: float) -> dict[str, object]:
    """Run the graph; returns ``result``, ``expected``, ``workers`` that took part and ``seconds`` by phase."""
    marks = [time.monotonic()]
    with Client(timeout=timeout) as client:
        marks.append(time.monotonic())
        layer = client.map(square, range(tasks), seconds=seconds, pure=False)
        leaves = layer
        while len(layer) > 1:
            layer = [client.submit(sum, layer[i : i + 8], pure=False) for i in range(0, len(layer), 8)]
        marks.append(time.monotonic())
        result = layer[0].result(timeout=timeout)
        marks.append(time.monotonic())
        holders = {worker for workers in client.who_has(leaves).values() for worker in workers}
    phases = dict(zip(("connect", "submit", "compute"), (b - a for a, b in itertools.pairwise(marks)), strict=False))
    return {
        "result": result,
        # The sum of the squares of 0 to n-1.
        "expected": (tasks - 1) * tasks * (2 * tasks - 1) // 6,
        "workers": len(holders),
        "seconds": {phase: round(taken, 3) for phase, taken in phases.items()},
    }


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))))
