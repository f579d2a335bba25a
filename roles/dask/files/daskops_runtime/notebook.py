# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``python -m daskops_runtime.notebook``: put the examples into the home volume, then become ``jupyter lab``.

Nothing that is already in the volume is changed: it is the user's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Nobody waits much longer for a notebook.
CLONE_SECONDS = 60


def place_examples(source: Path, home: Path) -> None:
    """Copy each of the image's examples that the home has not yet."""
    for path in sorted(source.glob("*")):
        target = home / "examples" / path.name
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            # copyfile, as the image's files are read-only.
            (shutil.copytree if path.is_dir() else shutil.copyfile)(path, target)


def clone(repository: str, home: Path) -> None:
    """Clone a repository into the home, unless it is there; a failure is said and does not keep the notebook down."""
    name = repository.rstrip("/").removesuffix(".git").rpartition("/")[2]
    target, part = home / name, home / f".{name}.part"
    if target.exists():
        return
    # The collection's own image has dulwich, a git in Python, and an image of others may have git.
    git = ["git"] if shutil.which("git") else [sys.executable, "-m", "dulwich"]
    try:
        if part.exists():  # of a container that was ended
            shutil.rmtree(part)
        subprocess.run([*git, "clone", "--depth", "1", repository, str(part)], check=True, timeout=CLONE_SECONDS)
        part.rename(target)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"daskops: {repository} could not be cloned: {error}", file=sys.stderr, flush=True)


def main() -> None:
    """Prepare ``$HOME``, then replace this process by the notebook server."""
    home = Path.home()
    place_examples(Path("/opt/examples"), home)
    if repository := os.environ.get("DASKOPS_EXAMPLES_REPOSITORY"):
        clone(repository, home)
    os.chdir(home)
    os.execvp("jupyter", ["jupyter", "lab", *sys.argv[1:]])


if __name__ == "__main__":
    main()
