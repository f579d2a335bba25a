# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run a playbook as users do, but with nothing that the environment of the tests says of clusters or Ansible."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from datetime import datetime
from pathlib import Path

JSON = dict[str, t.Any]
ROOT = Path(__file__).resolve().parents[1]
TREE = ROOT.parents[2] if ROOT.parent.parent.name == "ansible_collections" else ROOT / ".venv" / "collections"
# What would lead a play to the caller's clusters, or change how Ansible works.
KEPT_OUT = re.compile("ANSIBLE_|BASE_IMAGE|GCP_|GKE_|K8S_AUTH_|KUBE|OPENSHIFT_")
JSONL = {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.jsonl"}  # what results() reads


def play(
    what: str | Path | JSON,
    folder: Path,
    *arguments: str,
    environment: t.Mapping[str, str] | None = None,
    bare: bool = False,
    fails: bool = False,
    timeout: float = 110,  # ends before pytest's faulthandler_timeout
) -> str:
    """Run a playbook of the checkout, or a play on localhost by its keywords, in a folder; returns what was printed.

    C(bare) puts an empty ansible.cfg in the place of the checkout's. That it ends well, or C(fails), is asserted.
    """
    if isinstance(what, dict):
        playbook = folder / "play.json"
        playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, **what}]))
    else:
        playbook = ROOT / what
    configuration = ROOT / "ansible.cfg"
    if bare:
        configuration = folder / "ansible.cfg"
        configuration.touch()
    env = {name: value for name, value in os.environ.items() if not KEPT_OUT.match(name)}
    env |= {
        "ANSIBLE_COLLECTIONS_PATH": str(TREE),
        "ANSIBLE_CONFIG": str(configuration),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_INVENTORY": os.devnull,  # localhost needs none, and is run by this Python
        **(environment or {}),
    }
    command = [str(Path(sys.executable).with_name("ansible-playbook")), *arguments, str(playbook)]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=timeout, check=False)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout


def results(printed: str) -> list[JSON]:
    """What the tasks returned that were neither skipped nor failed, and how many seconds each took."""
    found = []
    for line in printed.splitlines():
        # Between the events is the modules' progress.
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("_event") == "v2_runner_on_ok":
            start, end = (datetime.fromisoformat(event["task"]["duration"][key]) for key in ("start", "end"))
            found.append({**event["hosts"]["localhost"], "took": (end - start).total_seconds()})
    return found
