# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""How a module that takes long says how far it is.

A module's output reaches the user only when it has ended.  So the action plugin
of a long-running module names a file in the environment, the module appends its
lines there, and the action plugin shows them as they come.
"""

from __future__ import annotations

import os
import time

ENVIRONMENT_VARIABLE = "DASKOPS_PROGRESS"


class Progress:
    """Lines for whoever watches; silent where nobody does."""

    def __init__(self, path: str | None = None) -> None:
        self._path = path or os.environ.get(ENVIRONMENT_VARIABLE)
        self._start = time.monotonic()
        self._last = ""

    @property
    def seconds(self) -> float:
        """Seconds since this progress began."""
        return time.monotonic() - self._start

    def say(self, text: str) -> None:
        """Show C(text), one short line, unless it was the last one shown."""
        if not self._path or text == self._last:
            return
        self._last = text
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(f"{self.seconds:4.0f} s  {text}\n")
