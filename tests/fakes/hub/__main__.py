# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make a cluster a hub until it is interrupted. The first line that is printed says, as JSON, that it is one.

python -m tests.fakes.hub --kubeconfig FILE --hand-out FILE --pool pools/small:2
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from tests.fakes.hub import FakeHub, handed_out


def _pool(text: str) -> tuple[str, str, int, str]:
    place, _colon, rest = text.partition(":")
    namespace, _slash, name = place.partition("/")
    size, _comma, behaviour = rest.partition(",")
    if not (namespace and name and size.isdigit()):
        raise argparse.ArgumentTypeError(f"{text} is not NAMESPACE/NAME:SIZE[,BEHAVIOUR]")
    return namespace, name, int(size), behaviour


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fakes.hub", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--kubeconfig", type=Path, required=True, help="of an admin of the cluster that becomes the hub")
    add("--context", help="which context of it; by default its current one")
    add("--hand-out", type=Path, required=True, help="kubeconfig of the cluster that every claim gets")
    add("--hand-out-context", help="which context of that; by default its current one")
    add("--pool", type=_pool, action="append", default=[], metavar="NAMESPACE/NAME:SIZE[,BEHAVIOUR]")
    add("--pause", type=float, default=0.5, help="seconds between two phases (%(default)s)")
    arguments = parser.parse_args()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_signal: over.set())
    text = handed_out(arguments.hand_out.read_text(encoding="utf-8"), arguments.hand_out_context)
    hub = FakeHub(arguments.kubeconfig, text, arguments.context, arguments.pause)
    hub.install()
    for namespace, name, size, behaviour in arguments.pool:
        hub.add_pool(namespace, name, size, behaviour)
    with hub:
        pools = [f"{namespace}/{name}" for namespace, name, _size, _behaviour in arguments.pool]
        print(json.dumps({"url": hub.kube.url, "pools": pools}), flush=True)
        over.wait()
    print("\n".join(hub.errors), file=sys.stderr, end="\n" if hub.errors else "")
    return 1 if hub.errors else 0


if __name__ == "__main__":
    sys.exit(main())
