# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the bench makes of its samples and of a playbook's output."""

from __future__ import annotations

import json

import pytest

from tests.bench import clouds, playbooks, stats
from tests.bench.processes import Failure
from tests.fakes.openshift.edge import Record


def test_a_row_gives_the_median_its_spread_and_how_it_compares() -> None:
    row = stats.Row("f", "this", (0.4, 0.1, 0.2), bound=0.3, note="of a kind")
    assert (row.median, row.verdict) == (0.2, "within bound")
    first, second = row.line().splitlines()
    assert first.split() == ["this", "[s]", "3", "0.200", "0.100", "0.400", "0.3", "within", "bound"]
    assert second.strip() == "of a kind"
    assert row.as_json()["values"] == (0.4, 0.1, 0.2)


@pytest.mark.parametrize(
    ("values", "bound", "verdict"),
    [((1.0, 9.0, 2.0), 2.0, "within bound"), ((1.0, 2.1, 9.0), 2.0, "BEYOND bound"), ((1.0,), None, "")],
)
def test_a_bound_is_held_against_the_median(values: tuple[float, ...], bound: float | None, verdict: str) -> None:
    assert stats.Row("f", "this", values, bound=bound).verdict == verdict


def test_a_header_stands_above_its_columns() -> None:
    line = stats.Row("f", "x" * 54, (1.0,), bound=2.0).line()
    for column, number in (("n", "1"), ("median", "1.000"), ("bound", "2")):
        end = stats.HEADER.index(f" {column}") + 1 + len(column)
        assert line[:end].endswith(f" {number}")


def test_a_comparison_is_made_pair_by_pair() -> None:
    row = stats.compare("f", "ratio", [2.0, 9.0, 4.0], [1.0, 10.0, 4.0], 1.15)
    assert (row.values, row.median, row.verdict) == ((2.0, 0.9, 1.0), 1.0, "within bound")
    assert row.note == "pair by pair: 2.00, 0.90, 1.00"
    with pytest.raises(ValueError, match="shorter"):
        stats.compare("f", "ratio", [2.0, 9.0], [1.0], 1.15)


def test_seconds_are_gathered_by_name_in_the_order_they_came() -> None:
    runs = [[("b", 1.0), ("a", 2.0), ("b", 3.0)], [("b", 5.0), ("a", 6.0)]]
    assert list(stats.by_name(runs).items()) == [("b", (4.0, 5.0)), ("a", (2.0, 6.0))]


def stamp(seconds: float) -> str:
    return f"2026-01-01T00:00:{seconds:09.6f}Z"


def start(name: str, at: float) -> str:
    task = {"name": name, "duration": {"start": stamp(at)}}
    return json.dumps({"_event": "v2_playbook_on_task_start", "task": task, "hosts": {}})


def result(kind: str, at: float, **values: object) -> str:
    task = {"name": "is taken from the start", "duration": {"start": stamp(0), "end": stamp(at)}}
    return json.dumps({"_event": f"v2_runner_on_{kind}", "task": task, "hosts": {"localhost": values}})


def played(*lines: str) -> tuple[playbooks.Play, list[str]]:
    play = playbooks.Play()
    told = [text for line in lines if (text := playbooks.read(play, line + "\n"))]
    return play, told


def test_tasks_are_read_and_other_lines_are_shown() -> None:
    play, told = played(
        start("Apply", 1),
        "       3 s  2 of 3 workers",
        result("ok", 2.5, action="daskops.kubernetes.dask_apply", changed=True),
        "",
        start("Set", 3),
        result("ok", 3.25, action="ansible.builtin.set_fact", ansible_facts={"fact": 7}),
        start("Leave out", 4),
        result("skipped", 4.5, skipped=True),
        json.dumps({"_event": "v2_playbook_on_stats", "stats": {"localhost": {"changed": 1, "ok": 3}}}),
    )
    assert told == ["       3 s  2 of 3 workers"]
    assert [task.name for task in play.tasks] == ["Apply", "Set", "Leave out"]
    applied = play.task("dask_apply")
    assert applied.end is not None
    assert applied.end - applied.start == pytest.approx(1.5)
    assert play.fact("fact") == 7
    assert play.changed == 1
    with pytest.raises(Failure, match="dask_wait 0 times"):
        play.task("dask_wait")
    with pytest.raises(Failure, match="has not set other"):
        play.fact("other")


def test_the_seconds_of_a_process_are_all_accounted_for() -> None:
    play, _told = played(start("One", 1), result("ok", 1.5), start("Two", 2), result("ok", 4))
    play.start = play.tasks[0].start - 0.5
    play.seconds = 4.0
    steps = play.steps()
    assert [name for name, _seconds in steps] == ["(before the first task)", "One", "Two", "(after the last task)"]
    assert [seconds for _name, seconds in steps] == pytest.approx([0.5, 1, 2, 0.5])
    assert sum(seconds for _name, seconds in steps) == pytest.approx(play.seconds)


def test_questions_and_a_session_are_no_changes() -> None:
    reviews = "/apis/authorization.k8s.io/v1"
    token = "/apis/oauth.openshift.io/v1/useroauthaccesstokens/sha256~abc"
    session = [
        Record("POST", "/oauth/token"),
        Record("POST", f"{reviews}/selfsubjectaccessreviews"),
        Record("POST", f"{reviews}/selfsubjectrulesreviews"),
        Record("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews"),
        Record("DELETE", token),
    ]
    assert clouds.changes(session) == []
    request = Record("POST", "/apis/project.openshift.io/v1/projectrequests")
    assert clouds.changes([*session, request, Record("PATCH", token)]) == [
        f"POST {request.path}",
        f"PATCH {token}",
    ]
