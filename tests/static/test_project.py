# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What no tool checks: links, declared dependencies, words that do not belong here, tests that nothing runs."""

from __future__ import annotations

import re
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def tracked(pattern: str = "*") -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", pattern]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted(ROOT / name for name in set(names) if name and (ROOT / name).is_file())


def anchors(document: Path) -> set[str]:
    """The names that headings get when the document is shown as a page."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_is_a_readme() -> None:
    assert (ROOT / "README.md").is_file()


@pytest.mark.parametrize("document", tracked("*.md"), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _sharp, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link} names no heading"


UNWANTED = {
    "a path of somebody's machine": r"/work/(main|shared)|/home/(?!dask\b|me\b|user\b)[a-z]+/|/root/\.(?!cache)",
    "a host of a package registry": r"pypi\.org|pythonhosted\.org|npmjs\.org|proxy\.golang\.org|(?<!http://)deb\.debian\.org",
    "the number of an issue": r"\bissues? #?\d",
}


@pytest.mark.parametrize("what", UNWANTED)
def test_the_project_speaks_of_itself_alone(what: str) -> None:
    found = []
    for path in tracked():
        if path == Path(__file__) or b"\0" in (content := path.read_bytes()):
            continue
        for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
            if re.search(UNWANTED[what], line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def collections_used(node: t.Any) -> t.Iterator[str]:
    """The collections of the modules and roles that tasks name in full."""
    if isinstance(node, list):
        for item in node:
            yield from collections_used(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if match := re.fullmatch(r"([a-z_0-9]+\.[a-z_0-9]+)\.[a-z_0-9]+", str(key)):
                yield match[1]
            yield from collections_used(value)


def test_collections_that_are_used_are_declared() -> None:
    used: set[str] = set()
    for path in [*tracked("roles/*/tasks/*.yml"), *tracked("playbooks/*.yml")]:
        used |= set(collections_used(yaml.safe_load(path.read_text())))
    for path in tracked("plugins/*.py"):
        used |= {".".join(names) for names in re.findall(r"ansible_collections\.(\w+)\.(\w+)", path.read_text())}
    declared = set(yaml.safe_load((ROOT / "galaxy.yml").read_text())["dependencies"])
    assert used - {"ansible.builtin", "daskops.kubernetes"} == declared


def test_every_test_belongs_to_a_part() -> None:
    """What no part of make test runs, directly or out of a molecule scenario, would rot unseen."""
    runner = (ROOT / "tests/run.py").read_text()
    folders = set(re.findall(r'pytest\("(tests/[^"]+)"', runner))
    folders |= {f"molecule/{scenario}" for scenario in re.findall(r'molecule\("(\w+)"\)', runner)}
    for path in tracked("molecule/*.yml"):
        folders |= set(re.findall(r"\btests/[a-z/]+[a-z]", path.read_text()))
    for path in [*tracked("tests/*test_*.py"), *tracked("molecule/*/molecule.yml")]:
        name = path.relative_to(ROOT).as_posix()
        assert any(name.startswith(f"{folder}/") for folder in folders), f"no part of make test runs {name}"
