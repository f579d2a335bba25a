# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The runner's word has to be good: what fails, hangs or is skipped is never counted as passed."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
import time
import typing as t
from pathlib import Path

import pytest

RUNNER = Path(__file__).resolve().parents[1] / "run.py"


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Any:
    spec = importlib.util.spec_from_file_location("daskops_runner", RUNNER)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "daskops_runner", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "LOGS", tmp_path)
    monkeypatch.delenv("VERBOSE", raising=False)
    return module


def parts(runner: t.Any, **commands: list[str]) -> list[t.Any]:
    def steps(command: list[str]) -> t.Callable[[Path], t.Any]:
        return lambda scratch: iter([runner.Step(" ".join(command), command, cwd=scratch)])

    return [runner.Part(name, "a part", steps(command), limit=1.0) for name, command in commands.items()]


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.rstrip().splitlines()[-1]


def test_all_passed(runner: t.Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(runner, "PARTS", parts(runner, one=["true"], two=["true"]))
    assert runner.main([]) == 0
    assert last_line(capsys) == "2 passed, 0 failed"


def test_a_failure_keeps_no_other_part_from_running_and_is_told_again_at_the_end(
    runner: t.Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    why = ["sh", "-c", "echo too late; exit 3"]
    monkeypatch.setattr(runner, "PARTS", parts(runner, one=["true"], two=why, three=["true"]))
    assert runner.main([]) == 1
    *_before, words, said, total = capsys.readouterr().out.rstrip().splitlines()
    assert words.startswith("two: ")
    assert words.endswith("exit code 3")
    assert (said, total) == ("  | too late", "2 passed, 1 failed")


def test_only_what_was_chosen_is_run(
    runner: t.Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "PARTS", parts(runner, one=["false"], two=["true"]))
    assert runner.main(["two"]) == 0
    assert last_line(capsys) == "1 passed, 0 failed"


@pytest.mark.parametrize("command", [["sleep", "60"], ["no-such-program"], ["sh", "-c", "kill -9 $$"]])
def test_what_hangs_or_dies_has_failed(runner: t.Any, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    monkeypatch.setattr(runner, "PARTS", parts(runner, one=command))
    assert runner.main([]) == 1


def test_what_leaves_a_daemon_behind_ends(runner: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["sh", "-c", "setsid sleep 30 & echo started"]
    monkeypatch.setattr(runner, "PARTS", [dataclasses.replace(parts(runner, one=command)[0], limit=20.0)])
    started = time.monotonic()
    assert runner.main([]) == 0
    assert time.monotonic() - started < 15


def test_an_unknown_part_is_refused(runner: t.Any) -> None:
    with pytest.raises(SystemExit, match="no part called 'nonsense'"):
        runner.main(["unit", "nonsense"])


def test_no_part_is_not_a_success(runner: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PARTS", [])
    assert runner.main([]) == 1


@pytest.mark.parametrize(
    ("summary", "good"),
    [("12 passed in 0.10s", True), ("11 passed, 1 skipped in 0.10s", False), ("3 passed, 1 xfailed in 1s", False)],
)
def test_a_skipped_test_has_not_passed(runner: t.Any, summary: str, good: bool) -> None:
    assert (runner.pytest("tests/unit").verdict(f"....\n{summary}\n") is None) == good


@pytest.mark.parametrize(
    ("found", "second"),
    [
        ("/usr/bin/gcloud", "pytest tests/google_cloud_cli"),
        (None, "gcloud is not there, so its opinion was not asked"),
    ],
)
def test_gcloud_is_asked_where_it_is_there(
    runner: t.Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: str | None, second: str
) -> None:
    monkeypatch.setattr(runner.shutil, "which", lambda _name: found)
    assert [step.title for step in runner.google_cloud(tmp_path)] == ["pytest tests/google_cloud", second]


def test_what_is_not_there_is_said(
    runner: t.Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner.shutil, "which", lambda _name: None)
    absent = list(runner.google_cloud(tmp_path))[1:]
    monkeypatch.setattr(runner, "PARTS", [runner.Part("google-cloud", "a part", lambda _scratch: iter(absent))])
    assert runner.main([]) == 0
    assert capsys.readouterr().out.count("gcloud is not there, so its opinion was not asked") == 1
