# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Hive and HyperShift do on a hub, without making any cluster. See ../README.md."""

from tests.fakes.hub.controller import BEHAVIOUR, FakeHub, handed_out

__all__ = ["BEHAVIOUR", "FakeHub", "handed_out"]
