# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the parts of the test suite in order, and say at the end what each took and why those failed that did.

make test                              all of them
make test PARTS="lint unit"            those
make test PARTS=list                   what there is
make test VERBOSE=1                    with everything they print; it is in build/test/<part>.log in any case
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "test"
COLLECTION = "daskops.kubernetes"
TREE = ROOT / ".venv" / "collections"
NEXT = ROOT / ".venv-core-2.21"  # the newest ansible-core, on the newest Python
HEARTBEAT = 15.0
TAIL_LINES = 60
LAST_WORDS = 8  # lines of a failure that are repeated at the end, where a reader of a long log looks

Steps: t.TypeAlias = t.Iterator["Step"]
Command: t.TypeAlias = t.Sequence[str | Path]


@dataclass(frozen=True)
class Step:
    """A command of a part. Its exit code decides, and what C(verdict) finds in its output, if anything."""

    title: str
    command: Command
    cwd: Path = ROOT
    env: t.Mapping[str, str] = field(default_factory=dict)
    verdict: t.Callable[[str], str | None] = lambda _output: None
    telling: str = ""  # which lines are shown when it failed; by default the last ones


@dataclass(frozen=True)
class Part:
    name: str
    about: str
    steps: t.Callable[[Path], Steps]  # given a scratch directory
    limit: float = 900.0  # seconds for one step
    keep_going: bool = False  # run the other steps after one has failed


class Failure(Exception):
    """Why a part cannot go on, in a sentence."""


# --- what the parts are made of ---------------------------------------------------------------------------------------


def listed_files() -> list[str]:
    """The checkout's files, those not yet added included, those ignored not."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(name for name in set(listed.split("\0")) if name and (ROOT / name).is_file())


def shell_scripts() -> list[str]:
    def is_shell(name: str) -> bool:
        with (ROOT / name).open("rb") as file:
            return name.endswith(".sh") or re.match(rb"#!.*\b(ba|da)?sh\b", file.readline()) is not None

    return [name for name in listed_files() if is_shell(name)]


def copy_tree(scratch: Path) -> Path:
    """The checkout as ansible-test wants it: a real directory that carries the collection's name, and no git."""
    target = scratch / "ansible_collections" / Path(*COLLECTION.split("."))
    for name in listed_files():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    return target


def needs_program(program: str, package: str) -> Steps:
    """Install a program from Debian's packages if it is not there."""
    if shutil.which(program):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Failure(
            f"'{program}' is not installed and cannot be installed from here: install it (Debian: {package})."
        )
    yield Step("read Debian's package lists", ["apt-get", "-qq", "update"])
    command = ["apt-get", "-qq", "-y", "--no-install-recommends", "install", package]
    yield Step(f"install Debian's {package}", command, env={"DEBIAN_FRONTEND": "noninteractive"})


def testbed() -> Steps:
    """Bring up the test bed and take over what it exports."""
    exports = LOGS / "testbed.env"
    yield Step("bring up the test bed", ["bash", "-c", f"tests/testbed/prepare > {shlex.quote(str(exports))}"])
    for word in shlex.split(exports.read_text()):
        name, assigned, value = word.partition("=")
        if assigned:
            os.environ[name] = value


def pytest(*arguments: str | Path, environment: Path = ROOT / ".venv") -> Step:
    """A test that was skipped has tested nothing, so it does not pass."""

    def verdict(output: str) -> str | None:
        skipped = re.search(r"^.*\b(\d+) (skipped|deselected|xfailed)\b.*$", output.rstrip().rpartition("\n")[2])
        return f"{skipped[1]} tests were {skipped[2]}, and so have shown nothing" if skipped else None

    title = f"pytest {' '.join(str(argument) for argument in arguments)}"
    command: Command = [environment / "bin" / "python", "-m", "pytest", "--color=no", "-q", *arguments]
    return Step(title, command, env={"CI": "true"}, verdict=verdict)  # by which pytest shortens no message


def molecule(scenario: str) -> t.Callable[[Path], Steps]:
    def steps(_scratch: Path) -> Steps:
        yield from testbed()
        env = {"ANSIBLE_COLLECTIONS_PATH": str(TREE), "NO_COLOR": "1"}
        yield Step(f"molecule {scenario}", ["molecule", "test", "--scenario-name", scenario], env=env)

    return steps


# A stand-in for the pip bootstrap that ansible-test would fetch from a server of its own; Python brings one along.
GET_PIP = """\
import os, subprocess, sys
env = {name: value for name, value in os.environ.items() if name != "GET_PIP"}
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], env=env, stdout=subprocess.DEVNULL)
wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "pip", "install", "--upgrade", *wanted], env=env)
"""


def ansible_test_sanity(environment: Path, get_pip: str, scratch: Path) -> Step:
    python = next((environment / "lib").glob("python3.*")).name.removeprefix("python")
    bootstrap = Path.home() / ".ansible" / "test" / "cache" / get_pip
    if not bootstrap.exists():
        bootstrap.parent.mkdir(parents=True, exist_ok=True)
        bootstrap.write_text(GET_PIP)

    def verdict(output: str) -> str | None:
        warnings = [line for line in output.splitlines() if re.match("WARNING: (Skipping|Required program)", line)]
        return f"not everything was checked: {warnings[0]}" if warnings else None

    # Only interpreters that run: pyenv's shims are found by name and then end with an error.
    path = f"{environment / 'bin'}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    command: Command = [environment / "bin/ansible-test", "sanity", "--local", "--python", python, "--color", "no"]
    env = {"PATH": path}
    return Step("ansible-test sanity", command, copy_tree(scratch), env, verdict, telling="(ERROR|FATAL): ")


def build_tarball(scratch: Path) -> Steps:
    yield Step("build the tarball", ["ansible-galaxy", "collection", "build", "--force", "--output-path", scratch])


def tarball(scratch: Path) -> Path:
    return next(scratch.glob("*.tar.gz"))


# --- the parts --------------------------------------------------------------------------------------------------------


def lint(scratch: Path) -> Steps:
    yield Step("ruff check", ["ruff", "check", "--quiet", "."])
    yield Step("ruff format", ["ruff", "format", "--check", "--quiet", "."])
    yield Step(
        "mypy, the collection", ["mypy", "-p", f"ansible_collections.{COLLECTION}.plugins", "-p", "daskops_runtime"]
    )
    yield Step("mypy, the rest", ["mypy", "tests", "image", "docs"])
    yield Step("yamllint", ["yamllint", "--strict", "."])
    yield Step("shellcheck", ["shellcheck", "--external-sources", *shell_scripts()])
    yield Step("ansible-lint", ["ansible-lint", "--nocolor"], env={"ANSIBLE_COLLECTIONS_PATH": str(TREE)})
    check_docs = [
        "antsibull-docs",
        "lint-collection-docs",
        "--plugin-docs",
        "--validate-collection-refs=dependent",
        ".",
    ]
    yield Step("antsibull-docs", check_docs, cwd=copy_tree(scratch))  # it copies all of its folder, so not the checkout
    yield Step("antsibull-changelog", ["antsibull-changelog", "lint"])
    yield pytest("tests/static")


def sanity(scratch: Path) -> Steps:
    yield ansible_test_sanity(ROOT / ".venv", "get_pip_24_2.py", scratch)


def sanity_next(scratch: Path) -> Steps:
    yield Step("make the environment", [ROOT / "requirements/env", "core-2.21"])
    yield pytest("tests/unit", environment=NEXT)
    yield ansible_test_sanity(NEXT, "get_pip_25_2.py", scratch)


def unit(_scratch: Path) -> Steps:
    yield pytest("tests/unit")


def google_cloud(_scratch: Path) -> Steps:
    yield pytest("tests/google_cloud")
    if shutil.which("gcloud"):
        yield pytest("tests/google_cloud_cli")
    else:
        yield Step("gcloud is not there, so its opinion was not asked", ["true"])


def openshift(_scratch: Path) -> Steps:
    yield pytest("tests/openshift")


def docs(_scratch: Path) -> Steps:
    yield Step("render the reference", ["docs/build"])


def importer(scratch: Path) -> Steps:
    def verdict(output: str) -> str | None:
        warnings = [line for line in output.splitlines() if re.match(r"(WARNING|ERROR|CRITICAL)\b", line)]
        return f"{len(warnings)} warnings, the first: {warnings[0]}" if warnings else None

    yield from build_tarball(scratch)
    command: Command = ["python", "-m", "galaxy_importer.main", tarball(scratch)]
    yield Step("galaxy-importer", command, cwd=scratch, verdict=verdict, telling="WARNING|ERROR|CRITICAL")


def package(scratch: Path) -> Steps:
    yield from build_tarball(scratch)
    configuration = scratch / "ansible.cfg"  # an empty one, so that neither the checkout's nor the user's counts
    configuration.touch()
    env = {"ANSIBLE_COLLECTIONS_PATH": str(scratch), "ANSIBLE_CONFIG": str(configuration)}
    install: Command = ["ansible-galaxy", "collection", "install", "--offline", "-p", scratch, tarball(scratch)]
    yield Step("install it", install, cwd=scratch, env=env)
    installed = scratch / "ansible_collections" / Path(*COLLECTION.split("."))
    modules = [f"{COLLECTION}.{path.stem}" for path in sorted((installed / "plugins/modules").glob("[!_]*.py"))]
    yield Step("ansible-doc of each module", ["ansible-doc", "--json", *modules], cwd=scratch, env=env)
    roles = [f"{COLLECTION}.{path.name}" for path in sorted((installed / "roles").iterdir())]
    yield Step("ansible-doc of each role", ["ansible-doc", "--json", "-t", "role", *roles], cwd=scratch, env=env)
    for playbook in sorted((installed / "playbooks").glob("*.yml")):
        check: Command = ["ansible-playbook", f"{COLLECTION}.{playbook.stem}", "--syntax-check"]
        yield Step(f"syntax of the playbook {playbook.stem}", check, cwd=scratch, env=env)
    introspect: Command = ["ansible-builder", "introspect", "--sanitize", scratch]
    yield Step("what an execution environment needs", introspect, cwd=scratch, env=env)


def check_testbed(_scratch: Path) -> Steps:
    yield from testbed()
    yield pytest("tests/testbed")


def openshift_on_kind(_scratch: Path) -> Steps:
    yield from testbed()
    yield pytest("tests/integration/openshift")


def kind(_scratch: Path) -> Steps:
    yield from testbed()
    yield pytest("tests/integration/kind")


def image(_scratch: Path) -> Steps:
    yield from testbed()
    yield pytest("tests/image")


def execution_environment(_scratch: Path) -> Steps:
    yield from testbed()
    yield pytest("tests/execution_environment")


def default(scratch: Path) -> Steps:
    yield from needs_program("chromium", "chromium")
    yield from molecule("default")(scratch)


PARTS = [
    Part(
        "lint",
        "ruff, mypy, yamllint, shellcheck, ansible-lint, documentation and our own static checks",
        lint,
        keep_going=True,
    ),
    Part("unit", "unit tests", unit),
    Part(
        "google-cloud",
        "the fake Google Cloud and the GKE modules against it; gcloud's opinion if it is there",
        google_cloud,
    ),
    Part("openshift", "the fake OpenShift, and the fake hub with its module against it", openshift),
    Part("sanity", "ansible-test sanity on ansible-core 2.19", sanity),
    Part("core-2.21", "unit tests and ansible-test sanity on ansible-core 2.21", sanity_next),
    Part("docs", "the rendered reference, without a warning", docs),
    Part("importer", "Galaxy's importer on the built tarball, without a warning", importer),
    Part("package", "the tarball, installed as a user would", package),
    Part("testbed", "the test bed itself", check_testbed, limit=3600),
    Part("kind", "the kind and kubernetes providers on a cluster of their own", kind, limit=3600),
    Part("openshift-on-kind", "the fake OpenShift before a real API server", openshift_on_kind, limit=1200),
    Part("image", "the image, run as an arbitrary user", image, limit=3600),
    Part(
        "execution-environment",
        "the execution environment for AWX, built and run as an arbitrary user",
        execution_environment,
        limit=3600,
    ),
    Part("molecule-image", "the role image against a registry", molecule("image"), limit=3600),
    Part("molecule-default", "a whole deployment on kind, from nothing to nothing", default, limit=3600),
    Part(
        "molecule-gke",
        "GKE, by a fake of Google's APIs that hands out a kind cluster",
        molecule("gke"),
        limit=3600,
    ),
    Part(
        "molecule-gke-autopilot",
        "the same with Autopilot, whose rules are an admission policy",
        molecule("gke_autopilot"),
        limit=3600,
    ),
    Part(
        "molecule-openshift",
        "OpenShift, by a front door before kind, for a user without rights",
        molecule("openshift"),
        limit=3600,
    ),
    Part(
        "molecule-openshift-airgap",
        "a disconnected OpenShift, which reaches a mirror alone, for a tenant of an admin's project",
        molecule("openshift_airgap"),
        limit=3600,
    ),
    Part(
        "molecule-diagnosis",
        "what dask_wait says about deployments that cannot come up",
        molecule("diagnosis"),
        limit=3600,
    ),
]


# --- running them -----------------------------------------------------------------------------------------------------


class Console:
    """What a person watching sees: a line for each step, and meanwhile what it printed last."""

    def __init__(self, verbose: bool) -> None:
        self.verbose = verbose
        self.live = sys.stdout.isatty() and not verbose

    def line(self, text: str = "") -> None:
        print(f"\r\033[K{text}" if self.live else text, flush=True)

    def status(self, text: str) -> None:
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K{text[:width]}", end="", flush=True)
        else:
            print(text[:160], flush=True)


def run_step(step: Step, log: t.TextIO, limit: float, console: Console) -> tuple[str | None, list[str]]:
    """Why it did not go well, if it did not, and the lines that it printed."""
    command = [str(word) for word in step.command]
    log.write(f"\n$ {' '.join(command)}\n")
    log.flush()
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            command,
            cwd=step.cwd,
            env={**os.environ, **step.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return f"it could not be started: {error}", []
    lines: list[str] = []
    last = ""

    def read() -> None:
        nonlocal last
        assert process.stdout is not None
        with contextlib.suppress(ValueError):  # what such a daemon says once the log is closed
            for raw in process.stdout:
                line = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", raw)
                lines.append(line)
                log.write(line)
                log.flush()
                last = line.strip() or last
                if console.verbose:
                    console.line(f"  | {line.rstrip()}")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    shown = started
    try:
        while process.poll() is None:
            now = time.monotonic()
            time.sleep(0.05 if now - started < 1 else 0.5)
            if now - started > limit:
                return f"it was stopped after {limit:.0f} s", lines
            if now - shown >= (1.0 if console.live else HEARTBEAT) and not console.verbose:
                shown = now
                console.status(f"  {now - started:6.0f} s  {step.title}: {last}")
        reader.join(5.0)  # not for good, as a daemon that it left behind may hold the pipe open
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        return f"exit code {process.returncode}", lines
    return step.verdict("".join(lines)), lines


def run_part(part: Part, console: Console) -> list[str]:
    """What to repeat at the end if it failed; nothing if it did not."""
    log_path = LOGS / f"{part.name}.log"
    last_words: list[str] = []
    with log_path.open("w") as log, tempfile.TemporaryDirectory(prefix="daskops-test-") as scratch:
        try:
            for step in part.steps(Path(scratch)):
                started = time.monotonic()
                problem, lines = run_step(step, log, part.limit, console)
                took = f"{time.monotonic() - started:6.1f} s"
                if problem is None:
                    console.line(f"  {took}  {step.title}")
                    continue
                console.line(f"  {took}  {step.title}: FAILED, {problem}")
                shown = [line for line in lines if re.match(step.telling, line)] or lines
                last_words += [f"{part.name}: {step.title}: {problem}"]
                last_words += [f"  | {line.rstrip()[:600]}" for line in shown[-LAST_WORDS:]]
                for line in [] if console.verbose else shown[-TAIL_LINES:]:
                    console.line(f"    | {line.rstrip()}")
                console.line(f"    all of it: {log_path.relative_to(ROOT)}")
                if not part.keep_going:
                    break
        except Failure as failure:
            console.line(f"  FAILED: {failure}")
            last_words.append(f"{part.name}: {failure}")
    return last_words


def chosen(names: list[str]) -> list[Part]:
    known = {part.name: part for part in PARTS}
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"There is no part called '{unknown[0]}'. The parts are: {' '.join(known)}.")
    return [part for part in PARTS if part.name in names] if names else PARTS


def main(names: list[str]) -> int:
    if names == ["list"]:
        print("\n".join(f"{part.name:20} {part.about}" for part in PARTS))
        return 0
    parts = chosen(names)
    console = Console(verbose=bool(os.environ.get("VERBOSE")))
    LOGS.mkdir(parents=True, exist_ok=True)
    os.environ["PATH"] = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    outcomes: dict[str, tuple[str, float]] = {}
    last_words: list[str] = []
    try:
        for number, part in enumerate(parts, 1):
            console.line(f"\n== {number} of {len(parts)}: {part.name} - {part.about}")
            started = time.monotonic()
            outcomes[part.name] = ("interrupted", 0.0)
            failed = run_part(part, console)
            outcomes[part.name] = ("FAILED" if failed else "passed", time.monotonic() - started)
            last_words += failed
    except KeyboardInterrupt:
        console.line("  interrupted")
    console.line(f"\n{'part':20} {'outcome':12} seconds")
    for part in parts:
        outcome, seconds = outcomes.get(part.name, ("not run", 0.0))
        console.line(f"{part.name:20} {outcome:12} {seconds:7.1f}" if seconds else f"{part.name:20} {outcome}")
    passed = sum(outcome == "passed" for outcome, seconds in outcomes.values())
    console.line(f"{'all':20} {'':12} {sum(seconds for outcome, seconds in outcomes.values()):7.1f}\n")
    for line in last_words:
        console.line(line)
    console.line(f"{passed} passed, {len(outcomes) - passed} failed")
    return 0 if parts and passed == len(parts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
