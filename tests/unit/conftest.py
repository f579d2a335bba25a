# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make the checkout importable as ansible_collections.daskops.kubernetes, wherever it lies."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _install_finder() -> None:
    from ansible.utils.collection_loader import _collection_finder

    if ROOT.parent.name == "daskops" and ROOT.parent.parent.name == "ansible_collections":
        tree = ROOT.parents[2]
    else:
        tree = ROOT / ".venv" / "collections"
    _collection_finder._AnsibleCollectionFinder(paths=[str(tree)])._install()


# For tests that hold the modules to what the fakes of tests/fakes say.
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

if not any(type(finder).__name__ == "_AnsibleCollectionFinder" for finder in sys.meta_path):
    _install_finder()
