# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is private to the collection and may change at any time.

"""The action plugin of modules that report progress while they run."""

from __future__ import annotations

import os
import tempfile
import threading
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import ENVIRONMENT_VARIABLE


class ProgressActionModule(ActionBase):  # type: ignore[misc]  # ansible-core has no types
    """Run the module of the same name and show the lines it reports at once."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module; on another host than this one its lines cannot be seen and are not asked for."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        if self._connection.transport != "local":
            result.update(self._execute_module(task_vars=task_vars))
            return result
        descriptor, path = tempfile.mkstemp(prefix="daskops-progress-")
        os.close(descriptor)
        self._task.environment = [*(self._task.environment or []), {ENVIRONMENT_VARIABLE: path}]
        ended = threading.Event()
        follower = threading.Thread(target=_follow, args=(path, (task_vars or {}).get("inventory_hostname"), ended))
        follower.start()
        try:
            result.update(self._execute_module(task_vars=task_vars))
        finally:
            ended.set()
            follower.join()
            os.unlink(path)
        return result


def _follow(path: str, host: str | None, ended: threading.Event) -> None:
    prefix = "" if host in (None, "localhost") else f"[{host}] "
    display = Display()
    with open(path, encoding="utf-8") as file:
        while True:
            last = ended.wait(0.2)
            for line in file:
                display.display(f"    {prefix}{line.rstrip()}", color="bright gray")
            if last:
                return
