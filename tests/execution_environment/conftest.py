# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fake OpenShift, as its own tests have it."""

from __future__ import annotations

from tests.openshift.conftest import api_server, folder, hook, openshift

__all__ = ["api_server", "folder", "hook", "openshift"]
