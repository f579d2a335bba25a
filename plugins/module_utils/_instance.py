# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Where the objects of one Dask deployment are, and what they are called."""

from __future__ import annotations

import dataclasses
import typing as t

FIELD_MANAGER = "daskops"

INSTANCE = "app.kubernetes.io/instance"
MANAGED_BY = "app.kubernetes.io/managed-by"

SCHEDULER_PORT = 8786
DASHBOARD_PORT = 8787
NOTEBOOK_PORT = 8888


@dataclasses.dataclass(frozen=True)
class Instance:
    """A deployment by its name and namespace."""

    name: str
    namespace: str

    def __str__(self) -> str:
        return f"Dask {self.namespace}/{self.name}"

    @property
    def own_labels(self) -> dict[str, str]:
        """The labels by which an object is known as the deployment's."""
        return {INSTANCE: self.name, MANAGED_BY: "daskops"}

    @property
    def selector(self) -> str:
        """Label selector of everything that belongs to the deployment."""
        return ",".join("=".join(label) for label in self.own_labels.items())

    def owns(self, item: dict[str, t.Any]) -> bool:
        """Whether an object belongs to the deployment, as the selector says."""
        labels = item["metadata"].get("labels") or {}
        return self.own_labels.items() <= labels.items()

    def labels(self, component: str) -> dict[str, str]:
        """Labels of an object; the role's templates set the same ones."""
        return {
            "app.kubernetes.io/name": "dask",
            "app.kubernetes.io/component": component,
            **self.own_labels,
        }

    def path(self, plural: str, name: str = "", group_version: str = "") -> str:
        """Path of a namespaced object or, without a name, of its kind's list; C(group_version) such as C(apps/v1)."""
        root = f"/apis/{group_version}" if group_version else "/api/v1"
        return f"{root}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")
