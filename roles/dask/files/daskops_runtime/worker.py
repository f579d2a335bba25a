# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``python -m daskops_runtime.worker ARGUMENT...``: wait for the scheduler, run ``dask worker ARGUMENT...``, and again.

A worker ends when its scheduler does, or when it finds none, and Kubernetes would put each restart off for longer.
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

TLS = Path("/etc/daskops/tls")

# The line that dask_wait looks for in the log.
UNREACHABLE = "daskops: the scheduler cannot be reached"


def wait_for(address: str, attempt_seconds: float = 2.0, pause: float = 0.1, longest_pause: float = 1.0) -> None:
    """Return when the scheduler at ``address`` (``tls://host:port``) takes connections.

    A handshake, as a connection alone proves little: while the cluster's DNS does not know the Service yet, an
    outer one may answer for its name, and then anything may listen there.
    """
    parts = urlsplit(address)
    start = reported = time.monotonic()
    while True:
        try:
            with socket.create_connection((parts.hostname, parts.port), timeout=attempt_seconds) as connection:
                handshake(connection)
            return
        except OSError as error:
            now = time.monotonic()
            if now - start > 1 and now - reported > 1:
                print(f"{UNREACHABLE} at {address} for {now - start:.0f} s: {error}", flush=True)
                reported = now
        time.sleep(pause)
        pause = min(pause * 1.5, longest_pause)


def handshake(connection: socket.socket) -> None:
    """Raise OSError unless the other side has a certificate of the deployment's authority."""
    context = ssl.create_default_context(cafile=str(TLS / "ca.crt"))
    # As distributed does: the address may be any that leads to the scheduler.
    context.check_hostname = False
    context.load_cert_chain(TLS / "tls.crt", TLS / "tls.key")
    context.wrap_socket(connection).close()


def supervise(command: list[str], address: str) -> int:
    """Run ``command`` until it fails or this process is told to end; returns its exit code."""
    ending = False
    worker: subprocess.Popen[bytes] | None = None

    def end(number: int, _frame: t.Any) -> None:
        nonlocal ending
        ending = True
        if worker is None or worker.poll() is not None:
            sys.exit(0)
        worker.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    while True:
        wait_for(address)
        worker = subprocess.Popen(command)
        code = worker.wait()
        if code or ending:
            # As a shell does for a command that a signal ended.
            return code if code >= 0 else 128 - code
        print("daskops: the worker has ended, as its scheduler has; waiting for the next one", flush=True)


if __name__ == "__main__":
    scheduler = os.environ["DASK_SCHEDULER_ADDRESS"]
    sys.exit(supervise(["dask", "worker", scheduler, *sys.argv[1:]], scheduler))
