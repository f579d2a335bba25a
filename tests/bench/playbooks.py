# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run a playbook and know when each of its tasks began and ended, and what it returned."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import threading
import time
import typing as t
from subprocess import DEVNULL, PIPE

from tests.bench.processes import ROOT, SCRATCH, Failure, end, running, say

JSON = dict[str, t.Any]


@dataclasses.dataclass
class Task:
    """One task on the one host. Times are seconds since the epoch; a task that only includes others has no end."""

    name: str
    start: float
    end: float | None = None
    result: JSON = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Play:
    """What happened. C(seconds) are those of the whole process."""

    tasks: list[Task] = dataclasses.field(default_factory=list)
    changed: int = 0
    start: float = 0
    seconds: float = 0

    def task(self, module: str) -> Task:
        """The only task with that module of the collection."""
        found = [task for task in self.tasks if task.result.get("action") == f"daskops.kubernetes.{module}"]
        if len(found) != 1:
            raise Failure(f"the playbook has run {module} {len(found)} times, not once")
        return found[0]

    def fact(self, name: str) -> t.Any:
        """A fact that a task has set."""
        for task in self.tasks:
            if name in task.result.get("ansible_facts", {}):
                return task.result["ansible_facts"][name]
        raise Failure(f"the playbook has not set {name}")

    def steps(self) -> list[tuple[str, float]]:
        """Where the seconds of the process went: from one task's start to the next one's."""
        if not self.tasks:
            return []
        marks = [(task.name, task.start) for task in self.tasks]
        last = self.tasks[-1].end or self.tasks[-1].start
        marks = [("(before the first task)", self.start), *marks, ("(after the last task)", last)]
        ends = [start for _name, start in marks[1:]] + [self.start + self.seconds]
        return [(name, end - start) for (name, start), end in zip(marks, ends, strict=True)]


def read(play: Play, line: str) -> str | None:
    """Take up a line of the callback ansible.posix.jsonl; returns it if it is none, as modules' progress is."""
    if not line.startswith("{"):
        return line.rstrip() or None
    event = json.loads(line)
    kind = event["_event"]
    if kind == "v2_playbook_on_task_start":
        duration = event["task"]["duration"]
        play.tasks.append(Task(event["task"]["name"], _seconds(duration["start"])))
    elif kind.startswith("v2_runner_on_"):
        # One host, and the linear strategy: it is always the last task that was started.
        task = play.tasks[-1]
        task.end = _seconds(event["task"]["duration"]["end"])
        task.result = next(iter(event["hosts"].values()))
    elif kind == "v2_playbook_on_stats":
        play.changed = sum(host["changed"] for host in event["stats"].values())
    return None


def run(playbook: str, variables: JSON, timeout: float = 600) -> Play:
    """Run one of the checkout's playbooks on localhost; raises Failure with what the failed task said."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    extra = SCRATCH / "variables.json"
    extra.write_text(json.dumps(variables), encoding="utf-8")
    env = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.jsonl",
        "ANSIBLE_NOCOLOR": "1",
    }
    command = ["ansible-playbook", playbook, "-e", f"@{extra}"]
    play = Play()
    with (SCRATCH / "ansible.log").open("w", encoding="utf-8") as log:
        play.start, start = time.time(), time.monotonic()
        with running(command, cwd=ROOT, env=env, stdin=DEVNULL, stdout=PIPE, stderr=log) as process:
            assert process.stdout
            late = threading.Timer(timeout, end, [process])
            late.start()
            try:
                for line in process.stdout:
                    if told := read(play, line):
                        say(told)
                code = process.wait()
            finally:
                expired = not late.is_alive()
                late.cancel()
        play.seconds = time.monotonic() - start
    if expired:
        raise Failure(f"{playbook} has not ended after {timeout:.0f} s")
    if code:
        raise Failure(f"{playbook} failed: {_why(play)}")
    return play


def _why(play: Play) -> str:
    for task in reversed(play.tasks):
        if task.result.get("failed"):
            return f"{task.name}: {task.result.get('msg')}"
    return f"its output is in {SCRATCH / 'ansible.log'}"


def _seconds(timestamp: str) -> float:
    return datetime.datetime.fromisoformat(timestamp).timestamp()
