# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Operations that take their time."""

from __future__ import annotations

import itertools
import time
import typing as t
from dataclasses import dataclass, field

from tests.fakes.google_cloud.errors import JSON
from tests.fakes.google_cloud.failures import Failure

Finish: t.TypeAlias = t.Callable[[Failure | None], None]


@dataclass
class Operation:
    """One operation. C(target) and C(part) say what it works on: a cluster, and the pool in it."""

    name: str
    kind: str
    target: str
    part: str | None
    finish: Finish
    failure: Failure | None
    polls: int  # it ends when it was looked at so often,
    ends: float  # and not before then (monotonic clock)
    shown: JSON = field(default_factory=dict)  # what the API shows of it beside its state
    done: bool = False
    started: str = ""
    ended: str = ""

    @property
    def failed(self) -> Failure | None:
        return self.failure if self.done else None

    def end(self) -> None:
        if not self.done:
            self.done, self.ended = True, now()
            self.finish(self.failure)


class Operations:
    """All operations of all APIs."""

    def __init__(self, polls: int, seconds: float) -> None:
        self.polls, self.seconds = polls, seconds
        self.all: dict[str, Operation] = {}
        self._numbers = itertools.count(1)

    def start(
        self, kind: str, target: str, finish: Finish, *, part: str | None = None, failure: Failure | None = None
    ) -> Operation:
        name = f"operation-{time.time_ns() // 1_000_000}-{next(self._numbers):08x}"
        ends = time.monotonic() + self.seconds
        operation = Operation(name, kind, target, part, finish, failure, self.polls, ends, started=now())
        self.all[name] = operation
        return operation

    def poll(self, name: str) -> Operation | None:
        """Look at an operation: that is what brings it nearer to its end."""
        operation = self.all.get(name)
        if operation and not operation.done:
            operation.polls -= 1
            self._end_if_due(operation)
        return operation

    def running(self, target: str) -> list[Operation]:
        """The operations on a target that have not ended."""
        found = [operation for operation in self.all.values() if operation.target == target]
        for operation in found:
            self._end_if_due(operation)
        return [operation for operation in found if not operation.done]

    def settle(self) -> None:
        """End all that can end."""
        for operation in list(self.all.values()):
            if not _endless(operation):
                operation.end()

    @staticmethod
    def _end_if_due(operation: Operation) -> None:
        if operation.polls <= 0 and time.monotonic() >= operation.ends and not _endless(operation):
            operation.end()


def _endless(operation: Operation) -> bool:
    return operation.failure is not None and operation.failure.kind == "never_ends"


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() % 1_000_000_000:09d}Z"
