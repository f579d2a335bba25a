# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What modules share: options, their documentation, the action group, the plugins that show progress."""

from __future__ import annotations

import ast
import runpy
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "daskops.kubernetes"
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("[!_]*.py"))
STRUCTURE = ("type", "elements", "required", "default", "choices", "aliases")


def strings(path: Path) -> dict[str, str]:
    """The string constants that a file defines, without running it."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found.update({target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)})
    return found


def documentation(module: str) -> dict[str, t.Any]:
    text = strings(ROOT / f"plugins/modules/{module}.py")["DOCUMENTATION"]
    return t.cast("dict[str, t.Any]", yaml.safe_load(text))


def reaches_a_cluster(module: str) -> bool:
    """Whether a group's defaults can be for it: where C(context) is a folder, the group's would be taken for one."""
    found = documentation(module)
    kubeconfigs = found["options"].get("context", {"type": "str"})["type"] == "str"
    return f"{COLLECTION}._auth" in found["extends_documentation_fragment"] and kubeconfigs


def reaches_google(module: str) -> bool:
    return f"{COLLECTION}._gcp" in documentation(module)["extends_documentation_fragment"]


def structure(options: dict[str, dict[str, t.Any]], suboptions: str) -> dict[str, t.Any]:
    """An option as far as specification and documentation have to agree on it."""
    return {
        name: {key: option[key] for key in STRUCTURE if key in option}
        | ({"options": structure(option[suboptions], suboptions)} if suboptions in option else {})
        for name, option in options.items()
    }


@pytest.mark.parametrize(
    ("specification", "fragment"),
    [("AUTH", "_auth"), ("INSTANCE", "_instance"), ("GCP", "_gcp"), ("GKE_RESOURCES", "_gke_resources")],
)
def test_fragments_document_the_shared_options(specification: str, fragment: str) -> None:
    shared = runpy.run_path(str(ROOT / "plugins/module_utils/_argspec.py"))[specification]
    text = strings(ROOT / f"plugins/doc_fragments/{fragment}.py")["DOCUMENTATION"]
    assert structure(shared, "options") == structure(yaml.safe_load(text)["options"], "suboptions")


def test_the_action_group_holds_what_reaches_a_cluster() -> None:
    group = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["dask"]
    assert {"metadata": {"extend_group": ["kubernetes.core.k8s"]}} in group
    assert sorted(name for name in group if isinstance(name, str)) == [
        name for name in MODULES if reaches_a_cluster(name)
    ]


def test_the_action_group_gke_holds_what_reaches_google() -> None:
    group = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["gke"]
    assert {"metadata": {"extend_group": ["google.cloud.gcp"]}} in group
    assert sorted(name for name in group if isinstance(name, str)) == [name for name in MODULES if reaches_google(name)]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_that_it_is_in_the_action_group(module: str) -> None:
    fragments = documentation(module)["extends_documentation_fragment"]
    assert reaches_a_cluster(module) == (f"{COLLECTION}._attributes.ACTIONGROUP" in fragments)
    assert reaches_google(module) == (f"{COLLECTION}._attributes.ACTIONGROUP_GKE" in fragments)


@pytest.mark.parametrize("module", MODULES)
def test_progress_is_said_where_it_is_shown(module: str) -> None:
    """Lines that a module says reach nobody without an action plugin of its name, and the other way round."""
    says = "Progress" in (ROOT / f"plugins/modules/{module}.py").read_text()
    assert says == (ROOT / f"plugins/action/{module}.py").exists()


def test_action_plugins_belong_to_modules() -> None:
    assert {path.stem for path in (ROOT / "plugins/action").glob("*.py")} <= set(MODULES)
