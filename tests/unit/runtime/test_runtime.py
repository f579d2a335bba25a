# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The code that is mounted into the pods: against a scheduler and workers in this process, and against real sockets."""

from __future__ import annotations

import datetime
import importlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path
from urllib.request import urlopen

import dask
import distributed
import pytest
import yaml
from ansible_collections.daskops.kubernetes.plugins.module_utils import _credentials, _diagnosis
from ansible_collections.daskops.kubernetes.plugins.module_utils._scheduler import Status

ROLE = Path(__file__).resolve().parents[3] / "roles" / "dask"


@pytest.fixture(scope="module", autouse=True)
def on_path() -> t.Iterator[None]:
    sys.path.insert(0, str(ROLE / "files"))
    yield
    sys.path.remove(str(ROLE / "files"))


def runtime(name: str) -> t.Any:
    return importlib.import_module(f"daskops_runtime.{name}")


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("dask-worker-default-6b7d9c5f8-x2x7p", "default"),
        ("dask-worker-high-mem-6b7d9c5f8-x2x7p", "high-mem"),
        ("a-worker-b-worker-c-6b7d9c5f8-x2x7p", "c"),
        ("tls://10.0.0.1:1234", ""),
    ],
)
def test_a_workers_name_tells_its_group(name: str, group: str) -> None:
    assert runtime("routes").group_of(name) == group


@pytest.mark.parametrize(
    ("deployment", "group"),
    [
        ("dask", "default"),
        ("dask", "worker-big"),
        ("dask", "a-worker-b"),
        ("a-worker-b", "c"),
        ("a-scheduler-b", "worker-c"),
    ],
)
def test_the_scheduler_knows_what_the_name_of_a_workers_group_begins_after(
    monkeypatch: pytest.MonkeyPatch, deployment: str, group: str
) -> None:
    monkeypatch.setenv("POD_NAME", f"{deployment}-scheduler-67478b89bb-nfcqv")
    assert runtime("routes").group_of(f"{deployment}-worker-{group}-6b7d9c5f8-x2x7p") == group
    # One from elsewhere.
    assert runtime("routes").group_of("other-worker-d-6b7d9c5f8-x2x7p") == "d"


def test_the_status_route_says_what_is_registered() -> None:
    routes = [*dask.config.get("distributed.scheduler.http.routes"), "daskops_runtime.routes"]
    with (
        dask.config.set({"distributed.scheduler.http.routes": routes}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=3, processes=False, dashboard_address="127.0.0.1:0", memory_limit="1GiB"
        ) as cluster,
        cluster.get_client() as client,
    ):
        kept = client.map(lambda x: x + 1, range(5))
        distributed.wait(kept)
        port = cluster.scheduler.http_server.port
        with urlopen(f"http://127.0.0.1:{port}/daskops/v1/status", timeout=10) as answer:
            status = Status.from_json(json.load(answer))
    # LocalCluster's workers are called 0 and 1, and so belong to no group.
    assert sorted(status.groups[""]) == ["0", "1"]
    assert (status.workers, status.threads, status.memory_limit) == (2, 6, 2 * 2**30)
    assert status.tasks == {"memory": 5}
    assert status.memory > 0
    assert status.clients == 1
    assert status.versions["distributed"] == distributed.__version__
    assert status.mismatches == {}


def test_mismatches_are_those_that_matter() -> None:
    mismatches = runtime("routes").mismatches
    own = {"python": "3.11.2.final.0", "dask": "2026.8.0"}
    assert mismatches(own, {"python": "3.11.7.final.0", "dask": "2026.8.0"}) == {}
    assert mismatches(own, {"python": "3.12.1.final.0", "dask": "2026.8.0"}) == {"python": "3.12.1.final.0"}
    assert mismatches(own, {"python": "3.11.2.final.0", "dask": "2026.7.0"}) == {"dask": "2026.7.0"}
    assert mismatches(own, {}) == {"python": "None", "dask": "None"}


def test_the_roles_list_of_routes_has_all_of_distributeds() -> None:
    settings = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__dask_settings"]
    ours = settings["distributed"]["scheduler"]["http"]["routes"]
    defaults = yaml.safe_load((Path(distributed.__file__).parent / "distributed.yaml").read_text())
    assert ours == [*defaults["distributed"]["scheduler"]["http"]["routes"], "daskops_runtime.routes"]


def test_every_runtime_file_is_mounted() -> None:
    listed = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__dask_runtime_files"]
    assert sorted(listed) == sorted(path.name for path in (ROLE / "files" / "daskops_runtime").glob("*.py"))


# --- the worker's supervisor ------------------------------------------------------------------------------------------


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    now = datetime.datetime.now(datetime.UTC)
    data = _credentials.complete(_credentials.Wanted("dask", "n", 365, 30), {}, now).data["tls"]
    for name, content in data.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(runtime("worker"), "TLS", tmp_path)
    return tmp_path


def listen(tls: Path | None) -> tuple[socket.socket, int]:
    """A server that does a handshake with each client, or without certificates only takes connections."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = None
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tls / "ca.crt"))
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(tls / "tls.crt", tls / "tls.key")

    def serve() -> None:
        while True:
            try:
                connection = listener.accept()[0]
                if context:
                    context.wrap_socket(connection, server_side=True).close()
                else:
                    connection.close()
            except OSError:
                if listener.fileno() == -1:
                    return

    threading.Thread(target=serve, daemon=True).start()
    return listener, listener.getsockname()[1]


def test_a_scheduler_that_is_there_is_found_at_once(tls: Path) -> None:
    listener, port = listen(tls)
    start = time.monotonic()
    runtime("worker").wait_for(f"tls://127.0.0.1:{port}")
    assert time.monotonic() - start < 2
    listener.close()


@pytest.mark.usefixtures("tls")
def test_a_stranger_at_its_address_is_not_taken_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    listener, port = listen(None)
    waiting = threading.Thread(target=runtime("worker").wait_for, args=(f"tls://127.0.0.1:{port}",), daemon=True)
    waiting.start()
    waiting.join(3.5)
    assert waiting.is_alive()
    said = capsys.readouterr().out
    assert f"daskops: the scheduler cannot be reached at tls://127.0.0.1:{port} for " in said
    listener.close()


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, {files!r})
from daskops_runtime import worker
worker.TLS = Path({tls!r})
sys.exit(worker.supervise([sys.executable, "-c", {command!r}], "tls://127.0.0.1:{port}"))
"""


def supervise(tls: Path, command: str, port: int) -> subprocess.Popen[str]:
    program = PROGRAM.format(files=str(ROLE / "files"), tls=str(tls), command=command, port=port)
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def test_a_worker_that_fails_ends_the_container_with_its_exit_code(tls: Path) -> None:
    listener, port = listen(tls)
    process = supervise(tls, "raise SystemExit(7)", port)
    assert process.wait(20) == 7
    listener.close()


def test_a_worker_that_a_signal_ended_is_reported_as_a_shell_does(tls: Path) -> None:
    listener, port = listen(tls)
    process = supervise(tls, "import os; os.kill(os.getpid(), 9)", port)
    assert process.wait(20) == 137
    listener.close()


def test_a_worker_whose_scheduler_went_is_started_again(tls: Path, tmp_path: Path) -> None:
    listener, port = listen(tls)
    runs = tmp_path / "runs"
    command = (
        f"import pathlib, time; p = pathlib.Path({str(runs)!r}); n = len(p.read_text()) if p.exists() else 0; "
        "p.write_text('x' * (n + 1)); time.sleep(60 if n == 2 else 0)"
    )
    process = supervise(tls, command, port)
    end = time.monotonic() + 20
    while time.monotonic() < end and not (runs.exists() and len(runs.read_text()) == 3):
        time.sleep(0.05)
    assert runs.read_text() == "xxx"
    process.send_signal(signal.SIGTERM)
    # The worker ended by the signal that was passed on to it, and so does its container, at once.
    assert process.wait(10) == 128 + signal.SIGTERM
    listener.close()


def test_it_ends_while_it_waits(tls: Path) -> None:
    process = supervise(tls, "pass", 9)
    time.sleep(1.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


# --- the notebook -----------------------------------------------------------------------------------------------------


def test_examples_are_placed_and_what_is_there_is_left(tmp_path: Path) -> None:
    source, home = tmp_path / "opt", tmp_path / "home"
    (source / "folder").mkdir(parents=True)
    (source / "folder" / "data.txt").write_text("data")
    (source / "one.ipynb").write_text("new")
    (source / "two.ipynb").write_text("two")
    os.chmod(source / "two.ipynb", 0o444)
    (home / "examples").mkdir(parents=True)
    (home / "examples" / "one.ipynb").write_text("mine")
    runtime("notebook").place_examples(source, home)
    assert (home / "examples" / "one.ipynb").read_text() == "mine"
    assert (home / "examples" / "folder" / "data.txt").read_text() == "data"
    (home / "examples" / "two.ipynb").write_text("can be written")


def test_a_repository_is_cloned_once_and_a_failure_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    origin = tmp_path / "team-notebooks.git"
    subprocess.run(["git", "init", "-q", str(origin)], check=True)
    (origin / "a.ipynb").write_text("{}")
    identity = ["-c", "user.name=n", "-c", "user.email=e"]
    subprocess.run(["git", "-C", str(origin), "add", "."], check=True)
    subprocess.run(["git", "-C", str(origin), *identity, "commit", "-qm", "first"], check=True)
    notebook = runtime("notebook")
    notebook.clone(f"file://{origin}", tmp_path)
    (tmp_path / "team-notebooks" / "a.ipynb").write_text("changed")
    notebook.clone(f"file://{origin}", tmp_path)
    assert (tmp_path / "team-notebooks" / "a.ipynb").read_text() == "changed"
    notebook.clone("file:///dev/null/nowhere", tmp_path)
    assert "nowhere could not be cloned" in capfd.readouterr().err


def test_a_repository_that_hangs_is_given_up_and_tried_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = runtime("notebook")
    git, home = tmp_path / "bin" / "git", tmp_path / "home"
    for folder in (git.parent, home):
        folder.mkdir()
    monkeypatch.setenv("PATH", f"{git.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(notebook, "CLONE_SECONDS", 2)
    script = '#!/bin/sh\nfor target; do :; done\nmkdir "$target" && touch "$target/{}" || exit\n'
    git.write_text(script.format("part") + "exec sleep 60\n")
    git.chmod(0o755)
    notebook.clone("https://example.com/a.git", home)
    assert "https://example.com/a.git could not be cloned: " in capfd.readouterr().err
    assert not (home / "a").exists()
    git.write_text(script.format("all"))
    notebook.clone("https://example.com/a.git", home)
    assert [path.relative_to(home) for path in home.rglob("*")] == [Path("a"), Path("a/all")]


def test_the_reference_graphs_answer_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        monkeypatch.setitem(dask.config.config, "scheduler-address", cluster.scheduler_address)
        answer = runtime("reference").run(20, 0.01, 30)
    assert answer["result"] == answer["expected"] == sum(n * n for n in range(20))
    assert answer["workers"] == 2
    assert set(answer["seconds"]) == {"connect", "submit", "compute"}


def test_the_controller_looks_for_what_a_worker_says_when_no_scheduler_answers() -> None:
    # One runs in the pod, the other on the controller, so they cannot share the constant.
    assert runtime("worker").UNREACHABLE == _diagnosis.UNREACHABLE
