# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Prepare and remove what the tests stand on: a Docker engine, kind, a node image, a base image, a registry image.

Whatever is there is taken as it is; where a registry answers the images are pulled; else all is made from Debian
packages and Go modules. Files and images that are made carry a hash of their inputs in their names, and get these names
only when they are complete. README.md tells the whole story.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import inspect
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

HERE = Path(__file__).resolve().parent
CACHES = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
CACHE = Path(os.environ.get("TESTBED_CACHE") or Path(CACHES) / "daskops-testbed").absolute()
DEFAULT = "v1.34.3"
KUBERNETES = os.environ.get("KUBERNETES_VERSION") or DEFAULT
HUB = os.environ.get("TESTBED_REGISTRY") or "docker.io"
CALLERS_PATH = os.environ.get("TESTBED_PATH") or os.environ["PATH"]
SOURCE = os.environ.get("TESTBED_SOURCE") or "auto"

# The Go modules that are compiled, and where in them the program is.
KIND = ("sigs.k8s.io/kind", "v0.33.0", "")
COREDNS = ("github.com/coredns/coredns", "v1.12.1", "")
NETWORK_POLICIES = ("github.com/cloudnativelabs/kube-router/v2", "v2.1.0", "/cmd/kube-router")
LOCAL_PATH = ("github.com/rancher/local-path-provisioner", "v0.0.30", "")

REPOSITORY = "daskops-testbed"
MARK = "io.daskops.testbed"  # an image's label with its own name, and an engine's label with the cache's path
CHANGED = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")  # by a node's kubelet, on the host too
ROOM = {"fs/inotify/max_user_instances": 1024, "fs/inotify/max_user_watches": 524288}  # a node needs about 20 instances
HEARTBEAT = 15.0


class Failure(Exception):
    """What went wrong, in words for the user."""


def say(text: str) -> None:
    print(f"testbed: {text}", file=sys.stderr, flush=True)


def span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def indented(head: str, lines: Iterable[str]) -> str:
    return "\n    ".join([head, *lines])


def fingerprint(*parts: str | Path) -> str:
    """A hash of texts and of the files in folders: names, contents, and whether they can be executed."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(b"text\0%s\0" % part.encode())
            continue
        for path in sorted(part.rglob("*")) if part.is_dir() else [part]:
            if path.is_file():
                name = path.relative_to(part.parent).as_posix()
                digest.update(f"file\0{name}\0{os.access(path, os.X_OK)}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


# --- Steps that report how far they are


class Step:
    """One thing that is made: says when it starts, then every 15 s how far it is."""

    def __init__(self, title: str, number: int = 0, of: int = 0) -> None:
        self.title = f"[{number}/{of}] {title}" if of else title
        self.detail = ""
        self._started = time.monotonic()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        say(self.title)
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()

    def _beat(self) -> None:
        while not self._over.wait(HEARTBEAT):
            say(f"{self.title}: {span(time.monotonic() - self._started)}{self.detail and ', ' + self.detail}")

    def run(
        self,
        *command: str | Path,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        follow: Callable[[str], str] = str.strip,
    ) -> None:
        """Run a command to its end; `follow` turns each line of its output into the detail that is reported."""
        self.detail = ""
        end: deque[str] = deque(maxlen=25)
        # The child holds the lock as well: if this process is killed, the next run waits until its child is gone.
        with subprocess.Popen(
            [str(word) for word in command],
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=LOCKS,
        ) as process:
            try:
                assert process.stdout
                for line in process.stdout:
                    if line.strip():
                        end.append(line.rstrip())
                        self.detail = follow(line)
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            shown = shlex.join(str(word) for word in command)
            raise Failure(indented(f"{self.title}: `{shown}` ended with {process.returncode}; its last lines:", end))


# --- The engine


def done(*command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"`{shlex.join(command)}`: {error}") from None


def output(*command: str, timeout: float = 120) -> str:
    """A quick command's output; a Failure with its complaint if it has one."""
    ended = done(*command, timeout=timeout)
    if ended.returncode:
        raise Failure(f"`{shlex.join(command)}`: {ended.stderr.strip() or f'ended with {ended.returncode}'}")
    return ended.stdout.strip()


def answers(*command: str) -> bool:
    try:
        output(*command)
    except Failure:
        return False
    return True


def on_path(program: str) -> list[str]:
    """Every such program on PATH, but for those that this test bed put there."""
    folders = [folder for folder in os.environ.get("PATH", "").split(":") if folder and not is_ours(folder)]
    return [found for folder in folders if (found := shutil.which(program, path=folder))]


def is_ours(path: str) -> bool:
    return Path(path).absolute().is_relative_to(CACHE)


def docker_client() -> str:
    """The first client whose `docker build` can use BuildKit: one with buildx, or one so old that it is built in."""
    clients = on_path("docker")
    if not clients:
        raise Failure("no docker client is on PATH")
    for client in clients:
        if answers(client, "buildx", "version"):
            return client
        version = output(client, "--version")  # Docker version 20.10.24+dfsg1, build 297e128
        if version.startswith("Docker version ") and int(version.split()[2].split(".")[0]) < 23:
            return client
    return clients[0]


def engine_start() -> None:
    """Start Debian's engine, if none answers, with a data folder of its own, and marked as ours."""
    refused = "no docker client is on PATH"
    if on_path("docker"):
        try:
            output(on_path("docker")[0], "info")
            return
        except Failure as error:
            refused = str(error)
    if os.geteuid() or not shutil.which("apt-get"):
        raise Failure(f"no Docker engine answers ({refused}), and only root on Debian can be given one: start Docker")
    with Step("start a Docker engine") as step:
        if not shutil.which("dockerd"):
            install(step, "docker.io", "iptables")
        client = docker_client()
        for _attempt in range(10):  # where systemd runs, the package has started it
            if answers(client, "info"):
                return
            time.sleep(0.2)
        command = ["dockerd", "--data-root", str(CACHE / "engine"), "--label", f"{MARK}={CACHE}"]
        if not has_capability(24):
            runtime = CACHE / "runc-bounded"
            shutil.copy(HERE / "engine" / "runc-bounded", runtime)
            command += ["--add-runtime", f"bounded={runtime}", "--default-runtime", "bounded"]
        log = CACHE / "engine.log"
        with log.open("w", encoding="utf-8") as stream:
            engine = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True, cwd="/"
            )
        deadline = time.monotonic() + 60
        while engine.poll() is None and time.monotonic() < deadline:
            if answers(client, "info"):
                say(f"started a Docker engine (process {engine.pid}, log {log})")
                return
            time.sleep(0.3)
    raise Failure(
        indented("dockerd does not answer; its log ends:", log.read_text(encoding="utf-8").splitlines()[-20:])
    )


def has_capability(number: int) -> bool:
    """Is it in the bounding set? Without CAP_SYS_RESOURCE (24) runc cannot make privileged containers."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    bounding = next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd"))
    return bool(int(bounding, 16) >> number & 1)


def install(step: Step, *packages: str) -> None:
    """Install Debian packages, and note those that were not there before."""
    new = [name for name in packages if not answers("dpkg-query", "-W", "-f", "${Version}", name)]
    step.run("apt-get", "update", "-qq")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    step.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, environment=quiet)
    note(packages=sorted({*noted().get("packages", []), *new}))


# --- What is noted for `clean`

LOCKS: tuple[int, ...] = ()


@contextmanager
def locked() -> Iterator[None]:
    """One at a time changes the cache. What an interrupted run left half made is removed first."""
    global LOCKS
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / "lock"
    while True:
        with path.open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("wait for another run that is at work")
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists() or os.fstat(lock.fileno()).st_ino != path.stat().st_ino:
                CACHE.mkdir(parents=True, exist_ok=True)
                continue  # that run was `clean`, and the file is no longer the lock
            LOCKS = (lock.fileno(),)
            shutil.rmtree(CACHE / "partial", ignore_errors=True)
            (CACHE / "partial").mkdir()
            yield
            LOCKS = ()
            return


def noted() -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((CACHE / "state.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def note(**changes: object) -> None:
    temporary = CACHE / "partial" / "state.json"
    temporary.write_text(json.dumps({**noted(), **changes}, indent=2) + "\n", encoding="utf-8")
    temporary.replace(CACHE / "state.json")


# --- Things that are made: files in the cache, and images


@dataclass(frozen=True)
class Artefact:
    title: str
    name: str  # a file in the cache, or an image
    seconds: int  # about, on two cores
    make: Callable[[Step, Artefact], None]
    needs: tuple[Artefact, ...] = ()
    obstacle: Callable[[], str] = str  # why it cannot be made on this machine, asked before anything is begun

    @property
    def path(self) -> Path:
        return CACHE / "programs" / self.name


def missing(wanted: Sequence[Artefact], exists: Callable[[Artefact], bool]) -> list[Artefact]:
    """What is to be made, in order: a thing's needs only if the thing itself is not there."""
    plan: list[Artefact] = []
    for artefact in wanted:
        if artefact not in plan and not exists(artefact):
            plan += [need for need in missing(artefact.needs, exists) if need not in plan]
            plan.append(artefact)
    return plan


def images(names: Iterable[str]) -> set[str]:
    """Those of the images that are there. One question for them all, as an engine may hold thousands of others."""
    found = done("docker", "image", "inspect", "--format", "{{json .RepoTags}}", *names).stdout
    tags = (line for line in found.splitlines() if line.startswith("["))  # it is one empty line if none is there
    return {tag for line in tags for tag in json.loads(line)}


def present(wanted: Sequence[Artefact]) -> Callable[[Artefact], bool]:
    """Tells what is there now."""
    there = images(artefact.name for artefact in wanted if "/" in artefact.name)
    return lambda artefact: artefact.name in there if "/" in artefact.name else artefact.path.exists()


def module_file(module: str, version: str) -> str:
    """A go.mod that builds a module's program as its authors do, with the versions that the module's own go.mod names.

    Replacements count only in the main module's go.mod, so they are repeated. Kubernetes replaces its own parts by
    folders of its repository; they are published as modules as well, v1.34.3 as v0.34.3.
    """
    own = output("go", "list", "-m", "-f", "{{.GoMod}}", f"{module}@{version}", timeout=300)
    read = json.loads(output("go", "mod", "edit", "-json", own))
    lines = ["module testbed", f"go {read['Go']}", f"require {module} {version}"]
    lines += [f"godebug {each['Key']}={each['Value']}" for each in read.get("GoDebug") or []]
    for replace in read.get("Replace") or []:
        old, new = replace["Old"], replace["New"]
        if new["Path"].startswith("."):
            new = {"Path": old["Path"], "Version": version.replace("v1.", "v0.", 1)}
        lines.append(f"replace {old['Path']} {old.get('Version', '')} => {new['Path']} {new['Version']}")
    return "\n".join(lines) + "\n"


def program(title: str, module: tuple[str, str, str], seconds: int, source: str = "", flags: str = "-s -w") -> Artefact:
    """A static Go program: a module's own, or the one in the folder `source` that imports the module."""
    path, version, package = module
    folder = HERE / "node" / source
    name = source or path.removesuffix("/v2").rsplit("/", 1)[1]

    def make(step: Step, artefact: Artefact) -> None:
        work = CACHE / "partial" / f"build-{name}"
        if source:
            shutil.copytree(folder, work)
        else:
            work.mkdir()
        os.environ |= GO
        file = module_file(path, version) if version else "module testbed\ngo 1.24\n"
        (work / "go.mod").write_text(file, encoding="utf-8")
        target = "." if source else path + package
        downloaded = packages = compiled = 0

        def look(line: str) -> str:
            nonlocal downloaded, packages
            downloaded += line.startswith("go: downloading")
            packages += not line.startswith("go: ")
            return f"{downloaded} modules downloaded, {packages} packages found"

        def count(line: str) -> str:
            nonlocal compiled
            compiled += not line.startswith("go: ")
            return f"{compiled} of at most {packages} packages compiled"

        step.run("go", "list", "-mod=mod", "-deps", target, cwd=work, follow=look)
        built = work / "built"
        command = ["go", "build", "-v", "-mod=mod", "-trimpath", "-ldflags", flags, "-o", str(built), target]
        step.run(*command, cwd=work, follow=count)
        artefact.path.parent.mkdir(exist_ok=True)
        built.replace(artefact.path)
        shutil.rmtree(work)

    inputs = fingerprint(path, version, package, flags, inspect.getsource(module_file), *([folder] if source else []))
    return Artefact(f"compile {title}", f"{name}-{inputs}", seconds, make, obstacle=no_go)


def no_go() -> str:
    return "" if shutil.which("go") else "Go 1.24 or newer (go.dev/dl) is not on PATH"


GO = {
    "CGO_ENABLED": "0",
    "GOWORK": "off",
    "GOFLAGS": "-modcacherw -buildvcs=false",
    "GOCACHE": str(CACHE / "go" / "build"),
    "GOMODCACHE": str(CACHE / "go" / "modules"),
}


def docker_build(step: Step, context: Path, image: str, base: str, *options: str) -> None:
    fixed = ["--network", "host", "--build-arg", f"BASE_IMAGE={base}", "--label", f"{MARK}={image}", "-t", image]
    step.run("docker", "build", *fixed, *options, context, follow=lambda line: line.strip()[:100])


def base_image() -> Artefact:
    def make(step: Step, artefact: Artefact) -> None:
        if not shutil.which("debootstrap"):
            install(step, "debootstrap")
        root = CACHE / "partial" / "rootfs"
        step.run("unshare", "--mount", HERE / "base" / "rootfs", root)
        archive = CACHE / "partial" / "rootfs.tar"
        step.run("tar", "-C", root, "-cf", archive, ".")
        changes = ["--change", 'CMD ["bash"]', "--change", f"LABEL {MARK}={artefact.name}"]
        step.run("docker", "import", *changes, archive, artefact.name)
        shutil.rmtree(root)
        archive.unlink()

    name = f"{REPOSITORY}/debian:bookworm-{fingerprint(HERE / 'base')}"
    return Artefact("make the base image", name, 25, make, obstacle=no_debian)


def no_debian() -> str:
    return "only root on Debian can make it" if os.geteuid() or not shutil.which("apt-get") else ""


def registry_image(base: Artefact) -> Artefact:
    def make(step: Step, artefact: Artefact) -> None:
        docker_build(step, HERE / "registry", artefact.name, base.name)

    tag = fingerprint(HERE / "registry", base.name)
    return Artefact("make the registry image", f"{REPOSITORY}/registry:{tag}", 15, make, (base,))


def node_image(base: Artefact) -> Artefact:
    minor = KUBERNETES.split(".")[1]
    flags = "-s -w"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        for key, value in (("Version", KUBERNETES), ("Major", "1"), ("Minor", minor), ("TreeState", "clean")):
            flags += f" -X {package}.git{key}={value}"
    kube = program(f"Kubernetes {KUBERNETES}", ("k8s.io/kubernetes", KUBERNETES, ""), 400, "kube", flags)
    programs = (
        kube,
        program("CoreDNS", COREDNS, 60, "coredns"),
        program("kube-router", NETWORK_POLICIES, 100),
        program("local-path-provisioner", LOCAL_PATH, 50),
        program("pause", ("pause", "", ""), 2, "pause"),
    )
    names = [base.name, *(each.name for each in programs)]
    inputs = fingerprint(HERE / "node" / "Dockerfile", HERE / "node" / "files", *names)

    def make(step: Step, artefact: Artefact) -> None:
        context = CACHE / "partial" / "node"
        shutil.copytree(HERE / "node" / "files", context / "files")
        shutil.copy(HERE / "node" / "Dockerfile", context)
        for each in programs:
            os.link(each.path, context / each.name.rsplit("-", 1)[0])
        for name in ("images.list", "images.tar"):
            (context / name).touch()
        version = ("--build-arg", f"KUBERNETES_VERSION={KUBERNETES}")
        own = {stage: f"{REPOSITORY}/{stage}:{inputs}" for stage in ("pods", "coredns", "pause")}
        for stage, image in own.items():
            docker_build(step, context, image, base.name, "--target", stage, *version)
        os.symlink("kube", context / "kubeadm")
        asked = output(str(context / "kubeadm"), "config", "images", "list", "--kubernetes-version", KUBERNETES)
        aliases = {f"docker.io/{REPOSITORY}/{stage}:node": stage for stage in ("pods", "pause")}
        for name in asked.split():  # registry.k8s.io/coredns/coredns:v1.12.1
            stage = name.split(":")[0].rsplit("/", 1)[1]
            aliases[name] = stage if stage in own else "pods"
        listed = [f"docker.io/{own[stage]} {name}\n" for name, stage in aliases.items()]
        (context / "images.list").write_text("".join(listed), encoding="utf-8")
        step.run("docker", "save", "-o", context / "images.tar", *own.values())
        docker_build(step, context, artefact.name, base.name, "--target", "node", *version)
        shutil.rmtree(context)

    title = f"make the node image for Kubernetes {KUBERNETES}"
    return Artefact(title, f"{REPOSITORY}/node:{KUBERNETES}-{inputs}", 45, make, (*programs, base))


def kubectl(node: str) -> Artefact:
    """The client that fits the cluster, out of the node image."""

    def make(step: Step, artefact: Artefact) -> None:
        container = output("docker", "create", node)
        try:
            taken = CACHE / "partial" / "kubectl"
            step.run("docker", "cp", "-L", f"{container}:/usr/bin/kubectl", taken)
            artefact.path.parent.mkdir(exist_ok=True)
            taken.replace(artefact.path)
        finally:
            output("docker", "rm", container)

    return Artefact("take kubectl out of the node image", f"kubectl-{fingerprint(node)}", 3, make)


# --- Pulling


def registry_answers() -> bool:
    """Does the registry speak, here and now? Name service included, it has 4 s."""
    host = HUB.split("/")[0]
    if host == "docker.io":
        host = "registry-1.docker.io"
    scheme = "http" if host.split(":")[0] in ("localhost", "127.0.0.1") else "https"
    heard = threading.Event()

    def ask() -> None:
        try:
            with urllib.request.urlopen(f"{scheme}://{host}/v2/", timeout=4):
                heard.set()
        except urllib.error.HTTPError as error:
            if error.code == 401:  # it wants a token first, as Docker Hub does
                heard.set()
        except (OSError, ValueError):
            pass
        over.set()

    over = threading.Event()
    threading.Thread(target=ask, daemon=True).start()
    over.wait(4)
    return heard.is_set()


def upstream() -> tuple[str, str, str]:
    """Base, registry and node image as published; a registry other than Docker Hub names them in full."""
    base, registry, node = "debian:bookworm-slim", "registry:2", f"kindest/node:{KUBERNETES}"
    if HUB != "docker.io":
        return f"{HUB}/library/{base}", f"{HUB}/library/{registry}", f"{HUB}/{node}"
    return base, registry, node


def pull(wanted: Sequence[str]) -> None:
    absent = [image for image in wanted if image not in images(wanted)]
    for number, image in enumerate(absent, 1):
        with Step(f"pull {image}", number, len(absent)) as step:
            step.run("docker", "pull", image)
        note(pulled=sorted({*noted().get("pulled", []), image}))


# --- The two commands


def prepare() -> dict[str, str]:
    """Make what is missing; return what the shell is to export."""
    if SOURCE not in ("auto", "pull", "build"):
        raise Failure(f"TESTBED_SOURCE is {SOURCE!r}: auto, pull or build")
    if not re.fullmatch(r"v1\.\d+\.\d+", KUBERNETES):
        raise Failure(f"KUBERNETES_VERSION is {KUBERNETES!r}: a full version is wanted, such as {DEFAULT}")
    folder = CACHE / "bin" / KUBERNETES
    path = ":".join([str(folder), *(each for each in CALLERS_PATH.split(":") if not is_ours(each))])
    os.environ["PATH"] = path
    if not (folder / "docker").exists() or not answers("docker", "version"):
        with locked():
            engine_start()
            link(folder / "docker", Path(docker_client()))

    base = base_image()
    made = (base, registry_image(base), node_image(base))
    names = upstream() if is_pulled(made) else tuple(image.name for image in made)
    tools = [kubectl(names[2])]
    if not on_path("kind"):
        tools.append(program(f"kind {KIND[1]}", KIND, 15))
    wanted = [*tools[1:], *(image for image in made if image.name in names), tools[0]]  # the longest last but one
    links = {folder / tool.name.rsplit("-", 1)[0]: tool.path for tool in tools}
    linked = all(name.is_symlink() and name.readlink() == to for name, to in links.items())
    if missing(wanted, present(wanted)) or not linked or "sysctls" not in noted() or narrow():
        with locked():
            make(missing(wanted, present(wanted)))
            for name, to in links.items():
                link(name, to)
            note(sysctls={name: setting(name) for name in (*CHANGED, *ROOM)} | noted().get("sysctls", {}))
            for key in narrow():
                setting(key, str(ROOM[key]))
                say(f"raised the kernel's {key.replace('/', '.')} to {ROOM[key]}, for more than two clusters at once")
    return {
        "PATH": path,
        "BASE_IMAGE": names[0],
        "REGISTRY_IMAGE": names[1],
        "KIND_NODE_IMAGE": names[2],
        "KUBERNETES_VERSION": KUBERNETES,
        "TESTBED_CACHE": str(CACHE),
    }


def link(name: Path, to: Path) -> None:
    name.parent.mkdir(parents=True, exist_ok=True)
    temporary = CACHE / "partial" / name.name
    temporary.symlink_to(to)
    temporary.replace(name)


def setting(name: str, value: str = "") -> str:
    path = Path("/proc/sys", name)
    if value:
        path.write_text(value, encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()


def narrow() -> list[str]:
    """The kernel's settings that are too low for many nodes, and can be raised here."""
    low = [name for name, wanted in ROOM.items() if int(setting(name)) < wanted]
    return [name for name in low if os.access(Path("/proc/sys", name), os.W_OK)]


def is_pulled(made: Sequence[Artefact]) -> bool:
    """Are the published images there, or can they be had? A registry is asked only if neither they nor ours are."""
    if SOURCE == "build":
        return False
    ours = [image.name for image in made]
    there = images([*upstream(), *ours])
    if there.issuperset(upstream()):
        return True
    if SOURCE == "auto":
        if there.issuperset(ours):
            return False
        if not registry_answers():
            say(f"{HUB} does not answer, so the images are made here")
            return False
    try:
        with locked():
            pull(upstream())
    except Failure as failure:
        if SOURCE == "pull":
            raise
        say(f"{failure}\ntestbed: so the images are made here")
        return False
    return True


def make(plan: Sequence[Artefact]) -> None:
    started = time.monotonic()
    for artefact in plan:
        if reason := artefact.obstacle():
            raise Failure(f"cannot {artefact.title}: {reason}")
    if (about := sum(artefact.seconds for artefact in plan)) > 10:
        say(f"{len(plan)} things to make, about {span(about)} on two idle cores; an interrupted run is taken up again")
    for number, artefact in enumerate(plan, 1):
        with Step(artefact.title, number, len(plan)) as step:
            artefact.make(step, artefact)
    if plan:
        say(f"ready after {span(time.monotonic() - started)}")


def clean(force: bool) -> None:
    """Remove what was made here, and nothing else."""
    if not CACHE.exists() and not on_path("docker"):
        say("there is nothing to remove")
        return
    left: list[str] = []
    with locked():
        state = noted()
        if on_path("docker") and answers("docker", "info"):
            engine = json.loads(output("docker", "info", "--format", "{{json .Labels}}")) or []
            if f"{MARK}={CACHE}" in engine:
                engine_stop(force)
            else:
                left += remove_images(state.get("pulled", []))
        for name, value in state.get("sysctls", {}).items():
            if setting(name) != value:
                try:
                    setting(name, value)
                    say(f"set the kernel's {name.replace('/', '.')} back to {value}")
                except OSError as error:
                    left.append(f"the kernel's {name.replace('/', '.')}, which was {value} ({error.strerror})")
        shutil.rmtree(CACHE)
        say(f"removed the folder {CACHE}")
    if state.get("packages"):
        say(f"left: Debian packages that were installed for it: apt-get remove {' '.join(state['packages'])}")
    if left:
        raise Failure(indented("not removed:", left))


def engine_stop(force: bool) -> None:
    containers = output("docker", "ps", "-a", "--format", "{{.Names}}").split()
    if containers and not force:
        held = ", ".join(containers)
        raise Failure(f"the engine holds containers ({held}): remove them first, or `clean --force` removes them too")
    if containers:
        output("docker", "rm", "-f", "-v", *containers, timeout=300)
        say(f"removed the containers {', '.join(containers)}")
    process = int(Path("/var/run/docker.pid").read_text(encoding="utf-8"))
    os.kill(process, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{process}").exists():
        if time.monotonic() > deadline:
            raise Failure(f"the engine (process {process}) does not end: its log is {CACHE / 'engine.log'}")
        time.sleep(0.2)
    say(f"stopped the engine (process {process}) and removed its images, volumes and networks")


def remove_images(pulled: Sequence[str]) -> list[str]:
    """Images that were pulled, and those whose label is their own name: one built on ours inherits the label only."""
    ours = sorted(images(pulled).intersection(pulled))
    identities = output("docker", "images", "-q", "--no-trunc", "--filter", f"label={MARK}").split()
    if identities:
        for image in json.loads(output("docker", "image", "inspect", *sorted(set(identities)))):
            ours += [name for name in image["RepoTags"] or [] if name == image["Config"]["Labels"][MARK]]
    left = []
    for image in ours:
        try:
            output("docker", "rmi", image, timeout=300)
            say(f"removed the image {image}")
        except Failure as failure:
            left.append(str(failure))
    return left


def main() -> None:
    parser = argparse.ArgumentParser(prog="testbed", description="What the tests stand on; see README.md.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("prepare", help="make what is missing; prints the exports for the shell")
    commands.add_parser("clean", help="remove all that prepare made").add_argument("--force", action="store_true")
    arguments = parser.parse_args()

    def stop(number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt(number)

    signal.signal(signal.SIGTERM, stop)
    exports = "false"  # so that eval "$(prepare)" fails when this does
    try:
        if arguments.command == "prepare":
            values = prepare()
            exports = " ".join(["export", *(f"{name}={shlex.quote(value)}" for name, value in values.items())])
        else:
            clean(arguments.force)
    except (Failure, KeyboardInterrupt) as error:
        say(str(error) if isinstance(error, Failure) else "interrupted; the next run takes it up from here")
        sys.exit(1)
    finally:
        if arguments.command == "prepare":
            print(exports)


if __name__ == "__main__":
    main()
