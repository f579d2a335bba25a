# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""The one family of errors that this collection's modules report."""

from __future__ import annotations

import typing as t


class DaskopsError(Exception):
    """What was tried, on what, what came back and what to do, as one sentence.

    Modules catch it once, in C(main()), and pass :attr:`details` on as further
    return values of the failure.
    """

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
