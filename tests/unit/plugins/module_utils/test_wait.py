# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import contextlib
import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _scheduler, _wait
from ansible_collections.daskops.kubernetes.plugins.module_utils._diagnosis import Observation, Want
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import ApiError, Cluster, Unreachable
from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress
from ansible_collections.daskops.kubernetes.plugins.module_utils._scheduler import Status


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_wait, "time", clock)
    return clock


class Script:
    """An observer that shows what a function of the time says."""

    def __init__(self, clock: Clock, show: t.Callable[[float], Observation]) -> None:
        self._clock, self._show, self._start = clock, show, clock.now

    def observe(self) -> Observation:
        return self._show(self._clock.now - self._start)

    def slow(self) -> list[str]:
        return ["pulling took long"]


def registered(count: int, **mismatches: dict[str, str]) -> Observation:
    workers = [f"w{i}" for i in range(count)]
    return Observation(status=Status("id", {"a": workers}, count, 0, {"dask": "2"}, mismatches, {}, 0, 0))


def quota(text: str) -> Observation:
    return Observation(
        deployments=(
            {
                "metadata": {"name": "d-worker-a", "labels": {"daskops.io/group": "a"}, "generation": 1},
                "spec": {"replicas": 2},
                "status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": text}]},
            },
        )
    )


def run(clock: Clock, show: t.Callable[[float], Observation], timeout: float = 60) -> dict[str, t.Any]:
    return _wait.wait(Want(groups={"a": 2}), Script(clock, show), "Dask n/d on c", timeout, Progress())


def test_it_returns_soon_after_the_last_registration(clock: Clock) -> None:
    result = run(clock, lambda now: registered(0 if now < 5 else 1 if now < 9 else 2))
    assert result["registered"] == 2
    assert result["groups"] == result["wanted"] == {"a": 2}
    assert 9 <= result["seconds"] < 9.3
    assert result["phases"] == {"scheduler": 0.0, "ready": result["seconds"]}
    assert result["slow"] == ["pulling took long"]


def test_a_finding_that_lasts_ends_the_wait_with_one_sentence(clock: Clock) -> None:
    with pytest.raises(DaskopsError) as caught:
        run(clock, lambda _now: quota("exceeded quota: q"))
    assert caught.value.message == (
        "Dask n/d on c will not be ready: Deployment d-worker-a: its pods are refused: exceeded quota: q; "
        "raise the quota or ask for less. (0 of 2 workers are registered)"
    )
    assert caught.value.details["diagnosis"]["remedy"] == "raise the quota or ask for less"
    assert caught.value.details["seconds"] < 2.5


def test_a_finding_that_heals_does_not(clock: Clock) -> None:
    shows = [quota("exceeded quota: q"), registered(0)]
    # For 1.8 s it is there, for 1.8 s it is not: never for its grace of 2 s.
    result = run(clock, lambda now: registered(2) if now > 20.05 else shows[int(now / 1.8) % 2])
    assert result["seconds"] > 20


def test_versions_that_differ_end_it_at_once(clock: Clock) -> None:
    with pytest.raises(DaskopsError, match="worker w0 has dask 1 where the scheduler has 2"):
        run(clock, lambda _now: registered(2, w0={"dask": "1"}))
    assert clock.now == 1000.0


def test_the_timeout_says_how_far_it_was(clock: Clock) -> None:
    with pytest.raises(DaskopsError, match=r"is not ready after 60 s: 1 of 2 workers are registered; wait longer"):
        run(clock, lambda _now: registered(1))
    assert 1060 < clock.now < 1061


AWAY = [Unreachable("away"), *(ApiError("away", status, "away") for status in (429, 500, 502, 503, 504))]


@pytest.mark.parametrize("error", AWAY)
def test_an_api_server_that_is_away_for_a_while_is_waited_for(clock: Clock, error: DaskopsError) -> None:
    def show(now: float) -> Observation:
        if 2 < now < 20:
            raise error
        return registered(2 if now > 21 else 1)

    assert run(clock, show)["registered"] == 2


@pytest.mark.parametrize("error", AWAY)
def test_an_api_server_that_stays_away_is_said(clock: Clock, error: DaskopsError) -> None:
    def show(_now: float) -> Observation:
        raise error

    with pytest.raises(type(error), match="away"):
        run(clock, show)
    assert 1030 < clock.now < 1032


def test_one_that_refuses_is_not_asked_again(clock: Clock) -> None:
    def show(_now: float) -> Observation:
        raise ApiError("forbidden", 403, "forbidden")

    with pytest.raises(ApiError, match="forbidden"):
        run(clock, show)
    assert clock.now == 1000


def unanswered() -> Observation:
    def item(name: str, owner: str, **more: t.Any) -> dict[str, t.Any]:
        labels = {"app.kubernetes.io/component": "scheduler"}
        owners = [{"name": owner, "uid": owner}]
        return {"metadata": {"name": name, "uid": name, "labels": labels, "ownerReferences": owners}, **more}

    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    deployment = item("d-scheduler", "", spec={"replicas": 1})
    deployment["metadata"]["generation"] = 1
    return Observation(
        deployments=(deployment,),
        replica_sets=(item("r", "d-scheduler"),),
        pods=(item("d-scheduler-1", "r", spec={"nodeName": "n"}, status=status),),
        unanswered="Cluster c: forwarding failed: 403.",
    )


def test_a_port_forward_that_breaks_for_a_while_is_waited_for(clock: Clock) -> None:
    result = run(clock, lambda now: unanswered() if 2 < now < 16 or 17 < now < 31 else registered(2 if now > 31 else 1))
    assert result["seconds"] > 31


def test_one_that_breaks_before_the_api_server_is_away_is_too(clock: Clock) -> None:
    def show(now: float) -> Observation:
        if 3 < now < 25:
            raise Unreachable("away")
        return unanswered() if 2 < now < 28 else registered(2 if now > 28 else 1)

    assert run(clock, show)["registered"] == 2


def test_a_port_forward_that_never_works_ends_the_wait(clock: Clock) -> None:
    with pytest.raises(DaskopsError) as caught:
        run(clock, lambda _now: unanswered())
    assert caught.value.message == (
        "Dask n/d on c will not be ready: pod d-scheduler-1: it is ready but cannot be asked: "
        "Cluster c: forwarding failed: 403; let web sockets through to pods/portforward, or grant the right to it. "
        "(0 of 2 workers are registered)"
    )
    assert 1015 <= clock.now < 1016


def test_a_timeout_before_that_names_it(clock: Clock) -> None:
    with pytest.raises(DaskopsError, match=r"not ready after 9 s: .*d-scheduler-1: it is .*failed: 403; wait longer"):
        run(clock, lambda _now: unanswered(), timeout=9)


class Lists(Cluster):
    """A cluster with a deployment that has no pods yet, and what it answers to who asks for Routes."""

    def __init__(self, routes: list[dict[str, t.Any]] | int) -> None:
        self.routes = routes
        self.asked = 0
        self.name = "c"

    def get(self, path: str, **_query: str) -> dict[str, t.Any]:
        if path.endswith("/routes"):
            self.asked += 1
            if isinstance(self.routes, int):
                raise ApiError("no", self.routes, "no")
            return {"items": self.routes}
        return {"items": [{"metadata": {"name": "d"}}] if path.endswith("/deployments") else []}


@pytest.mark.parametrize(("routes", "times"), [(404, 1), (403, 1), ([], 1), ([{"spec": {}}], 3)])
def test_routes_are_asked_for_again_only_if_there_are_any(
    clock: Clock, routes: list[dict[str, t.Any]] | int, times: int
) -> None:
    cluster = Lists(routes)
    observer = _wait.ClusterObserver(cluster, Instance("dask", "team"))
    for _time in range(3):
        seen = observer.observe()
        assert list(seen.routes) == (routes if isinstance(routes, list) else [])
        clock.sleep(1)
    assert cluster.asked == times


def test_why_the_scheduler_was_not_reached_is_in_the_observation(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Status | None] = [None, registered(1).status, None]

    class Source:
        def read(self) -> Status:
            answer = answers.pop(0)
            if answer is None:
                raise Unreachable("no way")
            return answer

    cluster = Lists([])
    monkeypatch.setattr(_scheduler, "scheduler_pod", lambda _pods: "d-scheduler-1")
    monkeypatch.setattr(_scheduler, "connect", lambda *_which: contextlib.nullcontext(Source()))
    observer = _wait.ClusterObserver(cluster, Instance("dask", "team"))
    seen = [observer.observe() for _time in range(3)]
    assert [each.unanswered for each in seen] == ["no way", "", "no way"]
    assert [each.status is None for each in seen] == [True, False, True]
