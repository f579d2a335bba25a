# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How late dask_wait notices, and what a poll costs it: on a scheduler of this machine, with workers in name only."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import resource
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from ansible_collections.daskops.kubernetes.plugins.module_utils import _diagnosis, _scheduler
from ansible_collections.daskops.kubernetes.plugins.module_utils._wait import UrlObserver

from tests.bench.modules import module
from tests.bench.processes import ROOT, SCRATCH, Failure, running, say
from tests.bench.stats import Row

WORKERS = 4
CROWDS = (100, 1000, 5000)
POLLS = 20
LATE, POLL, MEMORY = 0.3, 0.5, 200.0


class Scheduler:
    """A scheduler with the routes of the role, on loopback."""

    def __init__(self, address: str, url: str) -> None:
        self.address = address
        self.url = url

    def read(self) -> _scheduler.Status:
        """Its status."""
        return _scheduler.FromUrl(self.url).read()

    @contextlib.contextmanager
    def stubs(self, first: int, count: int, pause: float = 0) -> t.Iterator[t.Iterator[float]]:
        """Workers that register while the block runs: the times at which they have."""
        program = [sys.executable, str(Path(__file__).with_name("stub_workers.py")), self.address]
        options = [f"--first={first}", f"--count={count}", f"--pause={pause}"]
        with running([*program, *options], stdout=subprocess.PIPE) as process:
            assert process.stdout
            yield (float(line.split()[0]) for line in process.stdout)

    def until_empty(self) -> None:
        """Wait until all workers have left."""
        deadline = time.monotonic() + 60
        while self.read().workers:
            if time.monotonic() > deadline:
                raise Failure("workers that have left are still registered after 60 s")
            time.sleep(0.05)


@contextlib.contextmanager
def scheduler() -> t.Iterator[Scheduler]:
    """Start one, and end it with the block."""
    # A connection each; the limit is what the stubs and the scheduler inherit.
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * max(CROWDS) + 1000
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise Failure(f"a process may open {hard} files here, and {wanted} are needed: raise the limit (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "roles" / "dask" / "files"),
        "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES": '["daskops_runtime.routes"]',
    }
    SCRATCH.mkdir(parents=True, exist_ok=True)
    file = SCRATCH / "scheduler.json"
    file.unlink(missing_ok=True)
    options = ["--host=127.0.0.1", "--port=0", "--dashboard-address=127.0.0.1:0", f"--scheduler-file={file}"]
    with (
        (SCRATCH / "scheduler.log").open("w", encoding="utf-8") as log,
        running(["dask", "scheduler", *options], env=env, stdout=log, stderr=log) as process,
    ):
        deadline = time.monotonic() + 60
        while not file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"the scheduler does not start; its log is {SCRATCH / 'scheduler.log'}")
            time.sleep(0.05)
        time.sleep(0.2)  # the file is there before all of its content
        known = json.loads(file.read_text(encoding="utf-8"))
        yield Scheduler(known["address"], f"http://127.0.0.1:{known['services']['dashboard']}")


def measure(runs: int) -> list[Row]:
    """All that can be known of dask_wait without a cluster."""
    with scheduler() as here:
        say(f"dask_wait: {WORKERS} workers register one after another, {2 * runs} times")
        late = tuple(_late(here, run) for run in range(2 * runs))
        rows = [Row("wait", "dask_wait: from the last registration to its return", late, bound=LATE)]
        with contextlib.ExitStack() as stack:
            there = 0
            for crowd in CROWDS:
                say(f"dask_wait: {crowd - there} more workers register")
                _join(stack, here, there, crowd)
                there = crowd
                rows.append(Row("wait", f"dask_wait: one poll, {crowd} workers", _polls(here, crowd), bound=POLL))
                say(f"dask_wait: as a process of its own, {crowd} workers")
                peaks = tuple(_peak(here, crowd) for _run in range(runs))
                rows.append(Row("wait", f"dask_wait: peak of its memory, {crowd} workers", peaks, "MB", MEMORY))
    return rows


def _late(here: Scheduler, run: int) -> float:
    progress = SCRATCH / "progress"
    progress.write_text("", encoding="utf-8")
    # The pause differs from run to run, so that registrations fall everywhere between two polls.
    pause = 0.3 + 0.017 * run
    parameters = {"scheduler_url": here.url, "workers": WORKERS, "timeout": 60}
    with module("dask_wait", parameters, progress) as waiting:
        deadline = time.monotonic() + 60
        while f"0 of {WORKERS} workers" not in progress.read_text(encoding="utf-8"):
            if waiting.process.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"dask_wait does not poll: {waiting.outcome(5).result}")
            time.sleep(0.02)
        with here.stubs(1, WORKERS, pause) as times:
            registered = list(itertools.islice(times, WORKERS))
            outcome = waiting.outcome(60)
    if outcome.result.get("registered") != WORKERS:
        raise Failure(f"dask_wait has not seen {WORKERS} workers: {outcome.result.get('msg')}")
    here.until_empty()
    return outcome.ended - max(registered)


def _join(stack: contextlib.ExitStack, here: Scheduler, first: int, last: int) -> None:
    times = stack.enter_context(here.stubs(first + 1, last - first))
    deadline = time.monotonic() + 600
    for number in range(first + 1, last + 1):
        if next(times, None) is None:
            raise Failure(f"worker {number} of {last} could not register")
        if time.monotonic() > deadline:
            raise Failure(f"only {number} of {last} workers have registered after 600 s")
        if number % 500 == 0:
            say(f"dask_wait: {number} workers are registered")


def _polls(here: Scheduler, crowd: int) -> tuple[float, ...]:
    """Each what the module does in one poll: ask, read the answer, and decide."""
    observer = UrlObserver(_scheduler.FromUrl(here.url))
    want = _diagnosis.Want(None, crowd, 1.0, False, 5.0)
    taken = []
    for _poll in range(POLLS):
        start = time.monotonic()
        if not _diagnosis.assess(want, observer.observe()).ready:
            raise Failure(f"not all of {crowd} workers stay registered")
        taken.append(time.monotonic() - start)
    return tuple(taken)


def _peak(here: Scheduler, crowd: int) -> float:
    # One more than there are, so that it polls until its timeout.
    parameters = {"scheduler_url": here.url, "workers": crowd + 1, "timeout": 3}
    with module("dask_wait", parameters, SCRATCH / "progress") as waiting:
        outcome = waiting.outcome(60)
    if f"{crowd} of {crowd + 1} workers" not in outcome.result.get("msg", ""):
        raise Failure(f"dask_wait has not seen {crowd} of {crowd + 1} workers: {outcome.result.get('msg')}")
    return outcome.peak_bytes / 1e6
