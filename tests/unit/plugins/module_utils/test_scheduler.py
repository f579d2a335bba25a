# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _scheduler
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance

JSON = dict[str, t.Any]
ANSWER: JSON = {
    "id": "Scheduler-1",
    "groups": {"default": {"workers": ["a", "b"], "threads": 4, "memory_limit": 10}},
    "versions": {"dask": "2026.8.0"},
    "mismatches": {},
    "tasks": {"memory": 3, "processing": 2, "queued": 1, "erred": 9},
    "memory": 70,
    "clients": 1,
}


def test_an_answer_is_read() -> None:
    status = _scheduler.Status.from_json(ANSWER)
    assert (status.workers, status.threads, status.memory_limit) == (2, 4, 10)


@pytest.mark.parametrize(
    ("tasks", "busy"),
    [
        ({}, ""),
        ({"erred": 1}, ""),
        ({"processing": 2, "queued": 1}, "3 unfinished tasks"),
        ({"memory": 3}, "3 results (70 bytes) in memory"),
        ({"memory": 3, "waiting": 1}, "1 unfinished tasks and 3 results (70 bytes) in memory"),
    ],
)
def test_what_would_be_lost_is_said_in_words(tasks: JSON, busy: str) -> None:
    assert _scheduler.Status.from_json({**ANSWER, "tasks": tasks}).busy == busy


class Tunnel:
    def __init__(self, status: int, body: bytes) -> None:
        self._answer = status, body

    def request(self, _method: str, _path: str) -> tuple[int, bytes]:
        return self._answer


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [(404, b"", "was not deployed by this collection"), (500, b"boom", "answered 500 to /daskops/v1/status: boom")],
)
def test_other_answers_are_errors(status: int, body: bytes, message: str) -> None:
    source = _scheduler.FromTunnel(t.cast("t.Any", Tunnel(status, body)), Instance("dask", "n"))
    with pytest.raises(DaskopsError, match=message):
        source.read()


def test_a_url_that_does_not_answer_is_named() -> None:
    with pytest.raises(DaskopsError, match=r"The scheduler at http://127.0.0.1:9 does not answer"):
        _scheduler.FromUrl("http://127.0.0.1:9").read()


def pod(name: str, component: str, ready: str, **metadata: str) -> JSON:
    return {
        "metadata": {"name": name, "labels": {"app.kubernetes.io/component": component}, **metadata},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def test_the_scheduler_that_is_asked_is_ready_and_stays() -> None:
    pods = [
        pod("w", "worker", "True"),
        pod("starting", "scheduler", "False"),
        pod("ending", "scheduler", "True", deletionTimestamp="2026-11-24T12:00:00Z"),
        pod("present", "scheduler", "True"),
    ]
    assert _scheduler.scheduler_pod(pods) == "present"
    assert _scheduler.scheduler_pod(pods[:-1]) is None


def container(name: str, state: str) -> JSON:
    return {"name": name, "state": {state: {}}}


@pytest.mark.parametrize(
    ("states", "runs"),
    [
        ([container("scheduler", "running")], True),
        ([container("scheduler", "waiting"), container("proxy", "running")], False),
        ([container("scheduler", "terminated")], False),
        ([], False),
    ],
)
def test_a_scheduler_runs_where_its_container_does(states: list[JSON], runs: bool) -> None:
    pods = [pod("w", "worker", "True"), pod("busy", "scheduler", "False")]
    for each in pods:
        each["status"]["containerStatuses"] = states
    assert _scheduler.running_pod(pods) == ("busy" if runs else None)
    pods[1]["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    assert _scheduler.running_pod(pods) is None


@pytest.mark.parametrize(
    ("ready", "since", "state"),
    [
        ("False", "2026-11-24T11:59:58Z", False),  # it started after that, and has never been ready
        ("False", "2026-11-24T12:00:00Z", False),
        ("False", "2026-11-24T12:05:00Z", True),  # it was ready until then
        ("True", "2026-11-24T12:00:05Z", True),
    ],
)
def test_a_scheduler_that_was_never_ready_has_no_state(ready: str, since: str, state: bool) -> None:
    """Otherwise one that cannot become ready could not be mended."""
    started = pod("s", "scheduler", ready)
    started["status"]["conditions"][0]["lastTransitionTime"] = since
    running = {"name": "scheduler", "state": {"running": {"startedAt": "2026-11-24T12:00:00Z"}}}
    started["status"]["containerStatuses"] = [running]
    assert _scheduler.running_pod([started]) == ("s" if state else None)
