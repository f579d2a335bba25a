# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows the module's progress while it runs."""

from __future__ import annotations

from ansible_collections.daskops.kubernetes.plugins.plugin_utils._progress import ProgressActionModule


class ActionModule(ProgressActionModule):
    """Runs the module of the same name."""
