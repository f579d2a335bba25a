# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""python tests/bench [figures]: see --help, or cli.py."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    # What is run is a folder; what is imported is the checkout, and the collection by its name.
    sys.path[0:1] = [str(ROOT), str(ROOT / ".venv" / "collections")]
    from tests.bench.cli import main

    sys.exit(main())
