# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The cluster computes, for a client outside as well."""

from __future__ import annotations

import os
import typing as t

import distributed
import pytest

JSON = dict[str, t.Any]


def test_every_wanted_worker_is_registered(dask: distributed.Client, info: JSON) -> None:
    names = {worker["name"] for worker in dask.scheduler_info(n_workers=-1)["workers"].values()}
    assert info["groups"]
    for group in info["groups"].values():
        assert len(group["workers"]) == group["replicas"]
    assert names == {name for group in info["groups"].values() for name in group["workers"]}


def test_work_reaches_every_worker(dask: distributed.Client) -> None:
    pods = dask.run(lambda: os.environ["POD_NAME"])
    for address, pod in pods.items():
        assert dask.submit(lambda: os.environ["POD_NAME"], workers=[address], pure=False).result(timeout=30) == pod


def test_a_graph_with_transfers_gives_the_right_answer(dask: distributed.Client) -> None:
    # scatter spreads the blocks, and the sum has to bring them together.
    blocks = dask.scatter([list(range(i, i + 100)) for i in range(0, 1000, 100)], broadcast=False)
    sums = dask.map(sum, blocks)
    assert dask.submit(sum, sums).result(timeout=30) == sum(range(1000))


def test_workers_have_what_was_asked_for(dask: distributed.Client, info: JSON) -> None:
    # The role's defaults, and the second group of molecule/default: 95 % of the memory, whole CPUs but at least one.
    expected = {"default": (2 * 2**30, {}), "small": (2**30, {"tokens": 2})}
    workers = {worker["name"]: worker for worker in dask.scheduler_info(n_workers=-1)["workers"].values()}
    for name, group in info["groups"].items():
        memory, resources = expected[name]
        for worker in (workers[member] for member in group["workers"]):
            assert worker["nthreads"] == 1
            assert worker["memory_limit"] == int(memory * 0.95)
            assert worker["resources"] == resources
            assert worker["nanny"]


def test_a_client_without_a_certificate_is_refused(info: JSON) -> None:
    plain = info["endpoints"]["scheduler"]["address"].replace("tls://", "tcp://")
    with pytest.raises(OSError):  # noqa: PT011  # closed or timed out, as the moment has it
        distributed.Client(plain, timeout="3s")
    untrusted = distributed.Security(require_encryption=True, tls_ca_file=info["client"]["tls_ca_file"])
    with pytest.raises((OSError, TypeError, RuntimeError)):
        distributed.Client(info["endpoints"]["scheduler"]["address"], security=untrusted, timeout="3s")
