# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tests of a running deployment, from outside: they know of it what dask_info returned, and nothing else.

    pytest tests/cluster --info FILE

FILE is JSON: ``info`` (what dask_info returned, with show_password and client_directory), ``kubeconfig``, ``context``,
``namespace``.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import distributed
import pytest
import requests
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config

JSON = dict[str, t.Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--info", required=True, type=Path, help="what dask_info returned, as JSON")


@pytest.fixture(scope="session")
def known(request: pytest.FixtureRequest) -> JSON:
    """The content of FILE."""
    return t.cast("JSON", json.loads(request.config.getoption("--info").read_text()))


@pytest.fixture(scope="session")
def info(known: JSON) -> JSON:
    """What dask_info returned."""
    return t.cast("JSON", known["info"])


@pytest.fixture(scope="session")
def dask(info: JSON) -> t.Iterator[distributed.Client]:
    """A client outside the cluster."""
    security = distributed.Security(require_encryption=True, **info["client"])
    with distributed.Client(info["endpoints"]["scheduler"]["address"], security=security, timeout="20s") as client:
        yield client


@pytest.fixture(scope="session")
def kubernetes(known: JSON) -> kubernetes_client.ApiClient:
    """The cluster's API, as its administrator."""
    return kubernetes_config.new_client_from_config(known["kubeconfig"], known["context"])


@pytest.fixture
def notebook(info: JSON) -> t.Iterator[requests.Session]:
    """A browser's session at the notebook, logged in by posting the form."""
    with requests.Session() as session:
        answer = log_in(session, info["endpoints"]["notebook"]["address"], info["password"]["value"])
        assert answer.status_code == 302, answer.text
        yield session


def log_in(session: requests.Session, address: str, password: str) -> requests.Response:
    """Open the login page and post its form."""
    session.get(f"{address}/login", timeout=10)
    form = {"password": password, "_xsrf": session.cookies["_xsrf"]}
    return session.post(f"{address}/login", data=form, allow_redirects=False, timeout=10)
