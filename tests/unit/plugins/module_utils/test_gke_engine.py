# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the steps of a plan are taken, with a Google that answers at once."""

from __future__ import annotations

import threading
import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_engine as engine
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_resources as core
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import AnswerLost, GoogleError

JSON = dict[str, t.Any]


class Stub:
    """Google, as far as the engine asks it; C(answers) are called by path."""

    project = "my-project"
    until = 0.0

    def __init__(self, **answers: t.Callable[[], JSON]) -> None:
        self.answers = answers
        self.paths: list[str] = []

    def request(self, _method: str, _service: str, path: str, _body: JSON | None, _params: JSON) -> JSON:
        self.paths.append(path)
        return self.answers.get(path, dict)()

    def find(self, _service: str, path: str) -> JSON | None:
        return self.answers[path.rpartition("/")[2]]()


def google(**answers: t.Callable[[], JSON]) -> t.Any:
    return Stub(**answers)


def step(key: str, *needs: str) -> core.Step:
    return core.Step(key, (f"do {key}",), core.Call("POST", "iam", key), needs)


def raising(error: Exception) -> t.Callable[[], JSON]:
    def answer() -> JSON:
        raise error

    return answer


def run(stub: t.Any, *steps: core.Step, timeout: float = 5.0) -> engine.Engine:
    found = engine.Engine(stub, timeout, lambda _text: None)
    found.run(core.Plan(steps))
    return found


def test_each_step_waits_for_those_that_it_needs_and_no_others() -> None:
    both = threading.Barrier(2, timeout=5)

    def meet() -> JSON:
        both.wait()  # only two that run at the same time get past this
        return {}

    stub = google(a=meet, b=meet)
    found = run(stub, step("c", "a", "b"), step("a"), step("b"), step("d", "c", "not in the plan"))
    assert sorted(stub.paths[:2]) == ["a", "b"]
    assert stub.paths[2:] == ["c", "d"]
    assert found.done[2:] == ["do c", "do d"]


def test_after_a_failure_nothing_more_begins_and_all_of_it_is_said() -> None:
    stub = google(a=raising(GoogleError("A is full.", 403)))
    with pytest.raises(DaskopsError) as caught:
        run(stub, step("0"), step("a", "0"), step("b", "a"), step("c", "b"))
    assert caught.value.message == "do a: A is full; done before: do 0; not begun: do b, do c."
    assert caught.value.details == {"actions": ["do 0"], "not_done": ["do a", "do b", "do c"]}
    assert stub.paths == ["0", "a"]


@pytest.mark.parametrize(
    "error",
    [
        GoogleError("Changed.", 412),
        GoogleError("Aborted.", 409, "ABORTED"),
        GoogleError("There.", 409, "ALREADY_EXISTS"),
        AnswerLost("Lost."),
    ],
)
def test_where_others_were_at_work_it_is_looked_again(error: GoogleError) -> None:
    with pytest.raises(engine.Again):
        run(google(a=raising(error)), step("a"))


def test_nothing_begins_when_the_time_is_over() -> None:
    stub = google()
    with pytest.raises(DaskopsError, match="no time left after 0 s; run again"):
        run(stub, step("a"), timeout=0.0)
    assert stub.paths == []


def test_what_is_gone_already_is_deleted() -> None:
    gone = core.Step("a", ("delete a",), core.Call("DELETE", "iam", "a"))
    assert run(google(a=raising(GoogleError("None.", 404))), gone).done == ["delete a"]


def test_a_defect_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run(google(a=raising(ZeroDivisionError())), step("a"))


def test_side_by_side_keeps_errors_and_results_apart() -> None:
    refused = GoogleError("No.", 403)
    found = engine.side_by_side({"a": lambda: 1, "b": raising(refused)})
    assert found == {"a": 1, "b": refused}
    assert engine.side_by_side({}) == {}


@pytest.mark.parametrize(
    ("network", "reason", "expected"),
    [
        ({"project": "host-project", "create": False}, "forbidden", True),
        ({"project": "host-project", "create": False}, "accessNotConfigured", False),
        ({"project": "host-project", "create": True}, "forbidden", False),
        ({"project": None, "create": False}, "forbidden", False),
    ],
)
def test_a_shared_network_may_be_out_of_sight(network: JSON, reason: str, expected: bool) -> None:
    spec = core.specification({"network": {"name": "net", **network}}, "my-project")
    stub = google(net=raising(GoogleError("No.", 403, reason=reason)))
    look = engine.calls(stub, spec)["network"]
    if expected:
        assert look() == {"name": "net"}
        assert core.plan_present(spec, core.Seen(network=look())) == core.Plan()
    else:
        with pytest.raises(GoogleError):
            look()
