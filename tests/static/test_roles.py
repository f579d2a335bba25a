# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a role takes is said twice, in its defaults and in its argument specification: the same thing, both times."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())


def load(role: str, file: str) -> dict[str, t.Any]:
    path = ROOT / "roles" / role / file
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


def options(role: str) -> dict[str, dict[str, t.Any]]:
    """The inputs of all ways into a role."""
    found: dict[str, dict[str, t.Any]] = {}
    for entry in load(role, "meta/argument_specs.yml")["argument_specs"].values():
        found = {**(entry.get("options") or {}), **found}  # what main says of one counts
    return found


def walk(name: str, option: dict[str, t.Any]) -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    yield name, option
    for key, suboption in (option.get("options") or {}).items():
        yield from walk(f"{name}.{key}", suboption)


def test_there_are_roles() -> None:
    assert {"dask", "image", "kind", "kubernetes"} <= set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_specification_agree(role: str) -> None:
    """On the names and on the values; a required input may stand among the defaults as null.

    Some defaults are stated in words alone: those of secrets, as Ansible prints the specification, templated, where an
    input is wrong; and templates of what is no text, which the documentation's tools take for wrong values.
    """
    defaults = load(role, "defaults/main.yml")
    required = {name for name, option in options(role).items() if option.get("required")}
    templates = {name for name, value in defaults.items() if isinstance(value, str) and "{{" in value}
    in_words = {
        name
        for name, option in options(role).items()
        if option.get("no_log") or (name in templates and option["type"] not in ("str", "path"))
    }
    assert [name for name in required if defaults.get(name) is not None] == []
    assert [name for name in required | in_words if "default" in options(role)[name]] == []
    assert [name for name in in_words if name not in defaults] == []
    stated = {name: option.get("default") for name, option in options(role).items() if name not in required | in_words}
    assert {name: value for name, value in defaults.items() if name not in required | in_words} == stated


@pytest.mark.parametrize("role", ROLES)
def test_every_input_is_described_and_typed(role: str) -> None:
    for name, option in options(role).items():
        for where, part in walk(name, option):
            assert part.get("description"), f"{where} has no description"
            assert part.get("type"), f"{where} has no type"
            assert part["type"] != "list" or part.get("elements"), f"{where} does not say what its elements are"


@pytest.mark.parametrize("role", ROLES)
def test_names_carry_the_role(role: str) -> None:
    assert [name for name in options(role) if not name.startswith(f"{role}_")] == []
    assert [name for name in load(role, "vars/main.yml") if not name.startswith(f"__{role}_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_way_into_a_role_is_specified(role: str) -> None:
    entries = load(role, "meta/argument_specs.yml")["argument_specs"]
    tasks = {path.stem for path in (ROOT / "roles" / role / "tasks").glob("[!_]*.yml")}
    assert set(entries) == tasks


@pytest.mark.parametrize("role", ROLES)
def test_inputs_have_their_default_in_one_place(role: str) -> None:
    """A default() filter at the place of use would be a second one."""
    inputs = "|".join(options(role))
    second = re.compile(rf"\b({inputs})\s*\|\s*(ansible\.builtin\.)?d(efault)?\((?!\s*omit)")
    for path in (ROOT / "roles" / role).rglob("*"):
        if path.suffix in {".yml", ".j2"} and path.parent.name != "meta":
            assert second.findall(path.read_text()) == [], path.relative_to(ROOT)
