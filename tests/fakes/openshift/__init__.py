# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What OpenShift adds to Kubernetes, in front of any real API server. See ../README.md."""

from tests.fakes.openshift.builds import BuildFailed, BuildInput, Built
from tests.fakes.openshift.fake import FakeOpenShift
from tests.fakes.openshift.state import Settings

__all__ = ["BuildFailed", "BuildInput", "Built", "FakeOpenShift", "Settings"]
