# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The notebook: behind a password, with the examples, and with the dashboard behind its login."""

from __future__ import annotations

import os
import shutil
import time
import typing as t
from pathlib import Path
from urllib.parse import quote

import distributed
import requests
from conftest import log_in
from kubernetes import client as kubernetes_client
from kubernetes.stream import stream
from playwright.sync_api import sync_playwright

JSON = dict[str, t.Any]


def test_nothing_is_shown_without_the_password(info: JSON) -> None:
    address = info["endpoints"]["notebook"]["address"]
    with requests.Session() as session:
        assert log_in(session, address, "not the password").status_code == 401
        assert session.get(f"{address}/api/contents", timeout=10).status_code == 403
        page = session.get(info["endpoints"]["dashboard"]["address"], allow_redirects=False, timeout=10)
        assert page.status_code == 302
        assert "/login" in page.headers["Location"]


def test_the_proxy_reaches_the_scheduler_and_no_other_host(info: JSON, notebook: requests.Session) -> None:
    assert "Dask" in notebook.get(info["endpoints"]["dashboard"]["address"], timeout=20).text
    address = info["endpoints"]["notebook"]["address"]
    assert notebook.get(f"{address}/proxy/kubernetes.default.svc:443/", timeout=20).status_code == 403


def test_the_examples_are_on_the_first_page(info: JSON, notebook: requests.Session) -> None:
    address = info["endpoints"]["notebook"]["address"]
    first = {entry["name"] for entry in notebook.get(f"{address}/api/contents", timeout=10).json()["content"]}
    assert "examples" in first
    examples = notebook.get(f"{address}/api/contents/examples", timeout=10).json()["content"]
    assert [entry["name"] for entry in examples if entry["name"].endswith(".ipynb")]


def test_the_dask_panel_is_set_to_the_dashboard(info: JSON, notebook: requests.Session) -> None:
    address = info["endpoints"]["notebook"]["address"]
    settings = notebook.get(f"{address}/lab/api/settings/dask-labextension:plugin", timeout=10).json()
    url = settings["schema"]["properties"]["defaultURL"]["default"]
    check = notebook.get(f"{address}/dask/dashboard-check/{quote(url, safe='')}", timeout=20).json()
    assert check["isActive"], check
    assert "Individual Task Stream" in check["plots"]


def test_the_dashboard_draws_in_a_browser(dask: distributed.Client, info: JSON, tmp_path: Path) -> None:
    """Log in by hand, so to speak, and see that the plots have something on them."""
    running = dask.map(time.sleep, [0.1] * 600, pure=False)
    chromium = shutil.which("chromium")
    assert chromium, "chromium is not installed"
    with sync_playwright() as playwright:
        proxy = os.environ.get("https_proxy")
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-background-networking"],
            proxy={"server": proxy, "bypass": "127.0.0.1"} if proxy else None,
        )
        # Whose authority signed a door's certificate, the tests with requests check.
        page = browser.new_page(viewport={"width": 1280, "height": 800}, ignore_https_errors=True)
        page.goto(info["endpoints"]["dashboard"]["address"])
        page.fill("input[name=password]", info["password"]["value"])
        page.click("button[type=submit]")
        page.wait_for_url("**/status")
        # Bokeh draws on canvases, and gets what to draw through the proxied websocket.
        page.wait_for_selector("canvas", state="attached", timeout=30000)
        page.wait_for_timeout(3000)
        canvases = page.locator("canvas").count()
        shot = Path(os.environ.get("DASKOPS_SCREENSHOT") or tmp_path / "dashboard.png")
        page.screenshot(path=shot)
        browser.close()
    dask.cancel(running)
    assert canvases >= 5
    assert shot.stat().st_size > 20_000


def _run_example(kubernetes: kubernetes_client.ApiClient, namespace: str, name: str) -> str:
    core = kubernetes_client.CoreV1Api(kubernetes)
    pods = core.list_namespaced_pod(namespace, label_selector="app.kubernetes.io/component=notebook")
    command = ["sh", "-c", f"cd ~/examples && jupyter execute --timeout=120 '{name}' 2>&1; echo exit $?"]
    return t.cast(
        "str",
        stream(
            core.connect_get_namespaced_pod_exec,
            pods.items[0].metadata.name,
            namespace,
            command=command,
            stdout=True,
            stderr=True,
        ),
    )


def test_every_example_runs_in_the_cluster(
    info: JSON, known: JSON, notebook: requests.Session, kubernetes: kubernetes_client.ApiClient
) -> None:
    address = info["endpoints"]["notebook"]["address"]
    entries = notebook.get(f"{address}/api/contents/examples", timeout=10).json()["content"]
    names = sorted(entry["name"] for entry in entries if entry["name"].endswith(".ipynb"))
    assert len(names) >= 4
    for name in names:
        output = _run_example(kubernetes, known["namespace"], name)
        assert output.rstrip().endswith("exit 0"), f"{name}: {output[-3000:]}"
