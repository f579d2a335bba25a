"""The build's own steps, which the Dockerfile runs as root in stages that are not part of the image.

A line that begins with "daskops: " tells what is being done, one with "daskops-error: " why it cannot be done and
with which package.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

BUILD = Path("/build")
USER = BUILD / "user"
TOOLS = BUILD / "tools"
PREFIX = Path("/opt/dask")
CONDA = Path("/opt/conda")
LAYER = Path("/layer")
DELTA = Path("/delta")
# The time of every file, so that the same packages make the same layer.
EPOCH_NS = 1_767_225_600 * 10**9
# Tests and headers: nothing imports them or compiles against them in the image.
UNNEEDED = ("numpy/**/tests", "pandas/tests", "scipy/**/tests", "sklearn/**/tests", "pyarrow/tests", "pyarrow/include")

# What uv says beside a failure.
PROGRESS = r"(Using Python|Resolved|Prepared|Checked) |Found \d+ incompat|warning:|No solution found"


class Failure(Exception):
    """One sentence that names the package."""


def say(text: str) -> None:
    """Tell whoever watches the build."""
    print(f"daskops: {text}", flush=True)


def environment() -> dict[str, str]:
    """The environment of the installers: the authorities to trust, and the index to ask."""
    env = dict(os.environ)
    extra = BUILD / "ca.crt"
    if extra.exists():
        bundle = BUILD / "bundle.crt"
        bundle.write_bytes(Path("/etc/ssl/certs/ca-certificates.crt").read_bytes() + b"\n" + extra.read_bytes())
        env |= {"SSL_CERT_FILE": str(bundle), "PIP_CERT": str(bundle)}
    if index := env.pop("PIP_INDEX_URL", ""):
        env |= {"PIP_INDEX_URL": index, "UV_DEFAULT_INDEX": index}
    return env


def attempt(*command: str | Path) -> tuple[bool, str]:
    """Run a command; return whether it succeeded and what it said."""
    done = subprocess.run(
        [str(part) for part in command],
        env=environment(),
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.returncode == 0, done.stdout


def must(*command: str | Path) -> None:
    """Run a command that may only fail with the build."""
    succeeded, said = attempt(*command)
    if not succeeded:
        print(said, flush=True)
        raise Failure(f"`{' '.join(str(part) for part in command[:4])}` failed: {reason(said)}")


def reason(said: str) -> str:
    """What an installer said, without its drawing and its progress, as one line."""
    lines = [re.sub(r"^([^\w`]|error:|cause:)+", "", line) for line in said.splitlines()]
    told = " ".join(line for line in lines if line and not re.match(PROGRESS, line))
    return told if len(told) <= 600 else f"{told[:600]}…"


def tools() -> None:
    """Install uv and the conda solver, for the build only."""
    must("apt-get", "update", "-qq", "-o", "APT::Update::Error-Mode=any")
    must("apt-get", "install", "-y", "-qq", "--no-install-recommends", "python3-venv")
    must("python3", "-m", "venv", TOOLS)
    must(TOOLS / "bin/pip", "install", "-q", "--no-cache-dir", "--require-hashes", "-r", BUILD / "build-tools.txt")


def lock() -> None:
    """Make the environment that the lock file describes."""
    must(TOOLS / "bin/uv", "venv", "-q", "-p", "/usr/bin/python3", PREFIX)
    must(TOOLS / "bin/uv", "pip", "install", "-p", PREFIX, "--require-hashes", "-r", BUILD / "requirements.txt")
    site = next(PREFIX.glob("lib/python3*/site-packages"))
    for pattern in UNNEEDED:
        for path in list(site.glob(pattern)):
            shutil.rmtree(path, ignore_errors=True)
    LAYER.mkdir()
    # The layer is copied from a tree of links, with its parent, as a copy's topmost directory gets the time of day.
    must("cp", "-al", "--parents", PREFIX, LAYER)
    for path in [LAYER / "opt", *(LAYER / "opt").rglob("*")]:
        os.utime(path, ns=(EPOCH_NS, EPOCH_NS), follow_symlinks=False)


def user() -> None:
    """Install what the user asked for, and put what that changed under DELTA."""
    conda = json.loads((USER / "conda.json").read_text("utf-8"))
    files = [
        path for path in sorted(USER.iterdir()) if path.name.endswith((".txt", ".toml")) and path.name != "apt.txt"
    ]
    files = [path for path in files if requirements(path) or path.suffix == ".toml"]
    DELTA.mkdir()
    if not (files or conda["packages"] or conda["pip"]):
        versions()
        return
    before = snapshot()
    must(BUILD / "install-apt.sh", USER / "apt.txt")
    for file in files:
        pip(PREFIX, file)
    if conda["packages"]:
        said = subprocess.run(
            [str(TOOLS / "bin/python"), str(BUILD / "install_conda.py")], env=environment(), check=False
        )
        if said.returncode:
            sys.exit(said.returncode)
    if conda["pip"]:
        file = BUILD / "conda-pip.txt"
        file.write_text("".join(f"{line}\n" for line in conda["pip"]), encoding="utf-8")
        pip(CONDA if (CONDA / "bin/python").exists() else PREFIX, file)
    register_kernel()
    versions()
    after = snapshot()
    (DELTA / "opt").mkdir()
    for path in (path for path in after if after[path] != before.get(path)):
        target = DELTA / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    removed = sorted(str(path) for path in before.keys() - after.keys())
    if removed:
        (DELTA / "opt/.removed").write_text("\n".join(removed), encoding="utf-8")


def versions() -> None:
    """Print the versions in Dask's environment, for whoever cannot run the image."""
    script = USER / "versions.py"
    if not script.exists():  # a build by hand
        return
    # Nothing may be added to what becomes a layer.
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [str(PREFIX / "bin/python"), str(script)], env=env, text=True, check=False, capture_output=True
    )
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2]
        raise Failure(f"dask and distributed cannot be imported: {reason(said)}")
    print(f"daskops-versions: {done.stdout.strip()}", flush=True)


def snapshot() -> dict[Path, tuple[int, int]]:
    """Everything under /opt but directories, with what tells that it was replaced."""
    found = {}
    for folder, folders, names in os.walk("/opt"):
        for path in (Path(folder, name) for name in (*folders, *names)):
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode):
                found[path] = (status.st_ino, status.st_mtime_ns)
    return found


def requirements(file: Path) -> list[str]:
    """The requirements in a file, one a string, without hashes and options."""
    text = re.sub(r"\\\n", " ", file.read_text("utf-8"))
    lines = (re.sub(r"(^|\s)(#|--hash=).*", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("-")]


def distribution(requirement: str) -> str:
    """The name of the package that a requirement or the path of a wheel asks for, as Python compares names."""
    name = Path(requirement).name.partition("-")[0] if requirement.startswith("/") else requirement
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", name, maxsplit=1)[0]).lower()


def constraints(asked: list[str]) -> Path:
    """A file that holds every package of the lock file to its version, but those that are asked for by name."""
    lock_file = re.sub(r" *\\\n.*", "", (BUILD / "requirements.txt").read_text("utf-8"))
    pins = [line for line in lock_file.splitlines() if re.match(r"[\w.-]+==", line)]
    names = {distribution(requirement) for requirement in asked}
    file = BUILD / "constraints.txt"
    file.write_text("".join(f"{pin}\n" for pin in pins if distribution(pin) not in names), encoding="utf-8")
    return file


def pip(prefix: Path, file: Path) -> None:
    """Install the Python packages that a file asks for; raise Failure that names the one that cannot be had."""
    asked = requirements(file) if file.suffix == ".txt" else []
    say(f"install the Python packages {' '.join(asked) or file.name}")
    install: tuple[str | Path, ...] = (TOOLS / "bin/uv", "pip", "install", "-p", prefix)
    if prefix == PREFIX and file.suffix == ".txt":
        install += ("-c", constraints(asked))
    succeeded, said = attempt(*install, "-r", file)
    print(said, flush=True)
    if not succeeded:
        if broken := re.search(r"Failed to (build|download|fetch)[^`\n]*`([^`]+)`", said):
            raise Failure(f"Python package '{broken[2]}' cannot be installed: {reason(said)}")
        for requirement in asked:
            possible, why = attempt(*install, "--dry-run", requirement)
            if not possible:
                raise Failure(f"Python package '{requirement}' cannot be installed: {reason(why)}")
        raise Failure(f"Python packages {' '.join(asked) or file.name} cannot be installed together: {reason(said)}")
    fits, said = attempt(TOOLS / "bin/uv", "pip", "check", "-p", prefix)
    if not fits:
        raise Failure(f"Python packages {' '.join(asked) or file.name} do not fit the others: {reason(said)}")


def register_kernel() -> None:
    """Offer the conda environment in the notebook when it has a kernel."""
    if not list(CONDA.glob("lib/python3*/site-packages/ipykernel")):
        return
    folder = PREFIX / "share/jupyter/kernels/conda"
    folder.mkdir(parents=True)
    kernel = {
        "argv": [f"{CONDA}/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python (conda)",
        "language": "python",
        "env": {"CONDA_PREFIX": str(CONDA), "PATH": f"{CONDA}/bin:${{PATH}}"},
    }
    (folder / "kernel.json").write_text(json.dumps(kernel, indent=1), encoding="utf-8")


if __name__ == "__main__":
    try:
        {"tools": tools, "lock": lock, "user": user}[sys.argv[1]]()
    except Failure as failure:
        sys.exit(f"daskops-error: {failure}")
