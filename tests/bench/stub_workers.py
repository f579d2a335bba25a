# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Workers in name only: they register with a scheduler, send heartbeats, and leave when they are told to.

    python tests/bench/stub_workers.py tcp://127.0.0.1:8786 --count 5000

One process speaks for all of them, by distributed's own protocol. For each it prints the time of its registration
(CLOCK_MONOTONIC, which all processes share) and its name. They leave when the process ends.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
import typing as t

from distributed import versions
from distributed.comm.core import Comm, CommClosedError, connect
from distributed.core import rpc

JSON = dict[str, t.Any]

# What the scheduler reads from each registration and heartbeat.
METRICS: JSON = {
    "bandwidth": {"total": 100_000_000, "workers": {}, "types": {}},
    "digests_total_since_heartbeat": {},
    "memory": 100_000_000,
    "managed_bytes": 0,
    "spilled_bytes": {"memory": 0, "disk": 0},
    "cpu": 0.0,
}


class Stubs:
    """The workers of one process."""

    def __init__(self, scheduler: str) -> None:
        self._scheduler = scheduler
        self._versions = versions.get_versions()
        self._alive: dict[str, asyncio.Task[None]] = {}
        self._interval = 1.0

    async def register(self, number: int) -> str:
        """Add a worker; returns its name when the scheduler has taken it."""
        # Addresses of the loopback network that nobody listens on: the scheduler only has to tell them apart.
        address = f"tcp://127.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:40000"
        name = f"stub-worker-default-0-{number}"
        comm = await connect(self._scheduler)
        await comm.write(
            {
                "op": "register-worker",
                "reply": False,
                "address": address,
                "status": "running",
                "nthreads": 1,
                "name": name,
                "now": time.time(),
                "resources": {},
                "memory_limit": 2**30,
                "local_directory": "/tmp",
                "services": {},
                "nanny": None,
                "pid": os.getpid(),
                "versions": self._versions,
                "metrics": METRICS,
                "extra": {},
                "stimulus_id": f"worker-connect-{number}",
                "server_id": f"Stub-{number}",
            },
            serializers=["msgpack"],
        )
        answer = await comm.read(deserializers=["msgpack"])
        if answer["status"] != "OK":
            raise SystemExit(f"the scheduler refused {name}: {answer}")
        self._interval = answer["heartbeat-interval"]
        self._alive[address] = asyncio.create_task(self._listen(address, comm))
        return name

    async def _listen(self, address: str, comm: Comm) -> None:
        told = ""
        while told != "close":
            try:
                messages = await comm.read()
            except CommClosedError:
                break
            told = next((m["op"] for m in messages if m.get("op") == "close"), "")
        await comm.close()
        del self._alive[address]

    async def heartbeats(self) -> None:
        """Send each worker's in turn, as often as the scheduler has asked for."""
        scheduler = rpc(self._scheduler)
        while True:
            for address in list(self._alive):
                await scheduler.heartbeat_worker(address=address, now=time.time(), metrics=METRICS, executing={})
                await asyncio.sleep(self._interval / max(len(self._alive), 1))
            await asyncio.sleep(0.05)


async def stay(scheduler: str, first: int, count: int, pause: float) -> None:
    """Register workers one after another, and stay until the process is ended."""
    stubs = Stubs(scheduler)
    heartbeats = asyncio.create_task(stubs.heartbeats())
    for number in range(first, first + count):
        await asyncio.sleep(pause)
        name = await stubs.register(number)
        print(time.monotonic(), name, flush=True)
    await heartbeats


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scheduler", help="address of the scheduler, without TLS")
    parser.add_argument("--first", type=int, default=1, help="number of the first one")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0, help="seconds before each registration")
    arguments = parser.parse_args()
    asyncio.run(stay(arguments.scheduler, arguments.first, arguments.count, arguments.pause))
