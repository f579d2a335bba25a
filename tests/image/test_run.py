# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The image at work: any user, nothing writable but its volumes, no rights; and the examples on such a cluster."""

from __future__ import annotations

import json
import time

import pytest
from harness import ANY_USER, ROOT, Cluster, Docker, build, docker, wait_for

COMPUTE = """
import os, json
import dask.array as da
from distributed import Client

client = Client()
x = da.random.default_rng(0).random((4000, 4000), chunks=1000)
total = float((x + x.T).mean().compute())
users = client.run(lambda: (os.getuid(), os.getgid()))
written = client.run(lambda: open("/usr/x", "w") if os.access("/usr", os.W_OK) else "read-only")
print(json.dumps([total, sorted(users.values()), sorted(written.values())]))
"""


def test_any_user_computes_on_all_workers(cluster: Cluster) -> None:
    total, users, written = json.loads(cluster.run("python", "-c", COMPUTE))
    assert abs(total - 1) < 0.01
    assert users == [[1000650000, 0]] * 3
    assert written == ["read-only"] * 3


def test_the_containers_have_no_capabilities(cluster: Cluster) -> None:
    status = cluster.run("cat", "/proc/1/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


def test_workers_keep_their_files_in_their_volume(cluster: Cluster) -> None:
    found = docker("exec", cluster.workers[0], "ls", "/var/lib/dask/dask-scratch-space").stdout
    assert "worker-" in found


def test_the_notebook_answers_any_user(cluster: Cluster) -> None:
    fetch = "import urllib.request as r; print(r.urlopen('http://localhost:8888/api').status)"
    wait_for(
        "the notebook answers",
        lambda: docker("exec", cluster.notebook, "python", "-c", fetch, check=False).stdout == "200\n",
    )
    extensions = docker("exec", cluster.notebook, "jupyter", "labextension", "list")
    assert "dask-labextension" in extensions.stdout + extensions.stderr
    servers = docker("exec", cluster.notebook, "jupyter", "server", "extension", "list")
    assert "jupyter_server_proxy" in servers.stdout + servers.stderr


def test_a_kernel_starts_and_reaches_the_cluster(cluster: Cluster) -> None:
    script = (
        "from jupyter_client.manager import start_new_kernel\n"
        "manager, client = start_new_kernel()\n"
        "code = 'from distributed import Client; print(len(Client().scheduler_info(n_workers=-1)[\"workers\"]))'\n"
        "client.execute_interactive(code, timeout=60)\n"
        "manager.shutdown_kernel()\n"
    )
    assert cluster.run("python", "-c", script).strip() == "3"


def test_the_metrics_and_dashboard_are_there(cluster: Cluster) -> None:
    script = (
        "import urllib.request as r\n"
        "for path in ('/metrics', '/status', '/health'):\n"
        "    print(r.urlopen(f'http://scheduler:8787{path}').read().decode()[:20000])\n"
    )
    said = cluster.run("python", "-c", script)
    assert "dask_scheduler_workers" in said
    assert "bokeh.min.js" in said


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "image/examples").glob("*.ipynb")))
def test_each_example_runs(cluster: Cluster, name: str) -> None:
    started = time.monotonic()
    cluster.run("jupyter", "execute", f"/opt/examples/{name}")
    print(f"{name}: {time.monotonic() - started:.1f} s")


def test_an_example_that_fails_fails_the_command(cluster: Cluster) -> None:
    env = {
        "EXAMPLE_STORAGE_URL": "s3://nowhere/x",
        "EXAMPLE_STORAGE_OPTIONS": '{"anon": true, "endpoint_url": "http://127.0.0.1:9"}',
    }
    options = [f"--env={name}={value}" for name, value in env.items()]
    done = docker(
        "exec", *options, cluster.notebook, "jupyter", "execute", "/opt/examples/object_storage.ipynb", check=False
    )
    assert done.returncode != 0


def test_examples_carry_no_results() -> None:
    for path in (ROOT / "image/examples").glob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        assert cells
        assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")], path.name


@pytest.fixture(scope="module")
def stores(engine: Docker, registry: str) -> tuple[str, str]:
    """An S3 server and a Google Cloud Storage server, run from an image that the role built with their packages."""
    built = build(
        registry,
        pip_packages=("moto[s3]==5.2.5", "flask==3.1.2", "flask-cors==6.0.1", "gcp-storage-emulator==2026.7.19"),
    )
    s3 = engine.start(built.reference, "moto_server", "-H", "0.0.0.0", "-p", "9000", name="s3", options=ANY_USER)
    gcs_command = [
        "gcp-storage-emulator",
        "start",
        "--host=0.0.0.0",
        "--port=9000",
        "--in-memory",
        "--default-bucket=examples",
    ]
    gcs = engine.start(built.reference, *gcs_command, name="gcs", options=ANY_USER)
    return s3, gcs


def test_the_storage_example_reads_from_s3(cluster: Cluster, stores: tuple[str, str]) -> None:
    options = {
        "endpoint_url": "http://s3:9000",
        "key": "a",
        "secret": "b",
        "client_kwargs": {"region_name": "us-east-1"},
    }
    make = "import urllib.request as r; r.urlopen(r.Request('http://s3:9000/examples', method='PUT', data=b''))"
    command = ["exec", cluster.notebook, "python", "-c", make]
    wait_for("the S3 server takes a bucket", lambda: docker(*command, check=False).returncode == 0)
    cluster.run(
        "jupyter",
        "execute",
        "/opt/examples/object_storage.ipynb",
        env={"EXAMPLE_STORAGE_URL": "s3://examples/readings", "EXAMPLE_STORAGE_OPTIONS": json.dumps(options)},
    )
    assert "GET /examples/readings/part.0.parquet" in docker("logs", stores[0]).stderr


def test_the_storage_example_reads_from_google_cloud_storage(cluster: Cluster, stores: tuple[str, str]) -> None:
    options = {"endpoint_url": "http://gcs:9000", "token": "anon"}
    ready = "import urllib.request as r; r.urlopen('http://gcs:9000/storage/v1/b/examples')"
    command = ["exec", cluster.notebook, "python", "-c", ready]
    wait_for("the server has its bucket", lambda: docker(*command, check=False).returncode == 0)
    cluster.run(
        "jupyter",
        "execute",
        "/opt/examples/object_storage.ipynb",
        env={"EXAMPLE_STORAGE_URL": "gs://examples/readings", "EXAMPLE_STORAGE_OPTIONS": json.dumps(options)},
    )
    logs = docker("logs", stores[1])
    assert "part.0.parquet" in logs.stdout + logs.stderr
