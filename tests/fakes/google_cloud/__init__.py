# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fake of Google Cloud's REST APIs, as true to their contract as the discovery documents are. See ../README.md."""

from tests.fakes.google_cloud.fake import FakeCloud
from tests.fakes.google_cloud.state import Settings

__all__ = ["FakeCloud", "Settings"]
