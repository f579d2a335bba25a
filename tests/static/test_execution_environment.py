# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The execution environment holds what the collection needs, in the versions that it says itself."""

from __future__ import annotations

import re
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "execution-environment"


def load(path: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", yaml.safe_load((ROOT / path).read_text()))


def test_the_collections_are_those_that_galaxy_yml_says() -> None:
    galaxy = load("galaxy.yml")
    collections = load("execution-environment/requirements.yml")["collections"]
    wanted = {item["name"]: item.get("version") for item in collections}
    own = f"collections/{galaxy['namespace']}-{galaxy['name']}-{galaxy['version']}.tar.gz"
    assert own in wanted
    assert {name: wanted.get(name) for name in galaxy["dependencies"]} == galaxy["dependencies"]


def test_ansible_core_is_one_that_the_collection_takes() -> None:
    package = load("execution-environment/execution-environment.yml")["dependencies"]["ansible_core"]["package_pip"]
    least = re.search(r">=(\d+)\.(\d+)", load("meta/runtime.yml")["requires_ansible"])
    wanted = re.fullmatch(r"ansible-core~=(\d+)\.(\d+)\.0", package)
    assert tuple(map(int, wanted.groups())) >= tuple(map(int, least.groups()))


def test_what_the_collection_declares_is_there() -> None:
    """ansible-builder reads it in each collection; a file that is named and missing would end the build."""
    declared = load("meta/execution-environment.yml")
    assert declared["version"] == 1
    assert declared["dependencies"] == {"python": "requirements.txt"}
    assert (ROOT / "requirements.txt").is_file()


def test_a_build_context_can_be_made_of_it(tmp_path: Path) -> None:
    program = str(Path(sys.executable).parent / "ansible-builder")
    options = [f"--file={FOLDER / 'execution-environment.yml'}", f"--context={tmp_path}"]
    command = [program, "create", "--output-filename=Containerfile", *options]
    subprocess.run(command, check=True, capture_output=True)
    lines = (tmp_path / "Containerfile").read_text().splitlines()
    arguments = dict(line.removeprefix("ARG ").split("=", 1) for line in lines if re.match(r"ARG \w+=", line))
    told = set(re.findall(r"`([A-Z_]+)=", (FOLDER / "README.md").read_text()))
    assert {"EE_BASE_IMAGE", "PKGMGR", "PYCMD", "PYPKG"} == told
    assert told <= set(arguments)
