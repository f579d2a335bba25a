# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fake cloud, empty for each test, and a client for it."""

from __future__ import annotations

import typing as t

import pytest

from tests.fakes.google_cloud import FakeCloud
from tests.fakes.google_cloud.client import Client


@pytest.fixture(scope="session")
def running() -> t.Iterator[FakeCloud]:
    with FakeCloud() as running:
        yield running


@pytest.fixture
def cloud(running: FakeCloud) -> t.Iterator[FakeCloud]:
    running.reset()
    yield running
    failed = [record.error for record in running.requests if record.status == 500 and "The fake" in record.error]
    assert failed == [], "a defect of the fake, not an answer of it"
    assert running.refused == []


@pytest.fixture
def api(cloud: FakeCloud) -> Client:
    return Client(cloud.port, lambda: cloud.token)
