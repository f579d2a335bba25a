# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The surveys ask for what the playbooks' roles take: AWX itself checks neither names nor types against anything."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ROOT = Path(__file__).resolve().parents[2]
SURVEYS = sorted((ROOT / "playbooks/survey").glob("*.json"))
PROVIDERS = [path.stem for path in SURVEYS]
# By the type of an input, what may ask for it: a survey gives flat values only.
ASKED_BY = {
    "str": {"text", "textarea", "password", "multiplechoice"},
    "path": {"text"},
    "int": {"integer"},
    "float": {"float"},
    "bool": {"multiplechoice"},
}
SECRET = re.compile(r"_(token|password|key)$")

Item: t.TypeAlias = dict[str, t.Any]


def survey(provider: str) -> Item:
    return t.cast("Item", json.loads((ROOT / f"playbooks/survey/{provider}.json").read_text()))


def inputs(provider: str) -> dict[str, Item]:
    """What the roles take that site.yml includes with this provider, as far as they are there."""
    found: dict[str, Item] = {}
    for role in (provider, "image", "dask"):
        path = ROOT / f"roles/{role}/meta/argument_specs.yml"
        if path.exists():
            found |= yaml.safe_load(path.read_text())["argument_specs"].get("main", {}).get("options", {})
    return found


def choices(question: Item) -> list[str]:
    return question["choices"].split("\n")


def as_answered(question: Item) -> t.Any:
    """What a job gets if nobody changes anything: the default, and an empty string where there is none."""
    return question.get("default", "")


QUESTIONS = [
    pytest.param(provider, question, id=f"{provider}-{question['variable']}")
    for provider in PROVIDERS
    for question in survey(provider)["spec"]
]


def test_there_is_one_for_each_provider_that_a_controller_can_reach() -> None:
    assert PROVIDERS == ["gke", "kubernetes", "openshift"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_survey_is_one_that_awx_takes(provider: str) -> None:
    found = survey(provider)
    assert set(found) == {"name", "description", "spec"}
    variables = [question["variable"] for question in found["spec"]]
    assert len(set(variables)) == len(variables)
    names = [question["question_name"] for question in found["spec"]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("provider", "question"), QUESTIONS)
def test_a_question_is_one_that_awx_takes(provider: str, question: Item) -> None:  # noqa: ARG001
    must = {"variable", "question_name", "question_description", "type", "required"}
    assert must <= set(question) <= must | {"default", "choices", "min", "max"}
    assert isinstance(question["required"], bool)
    assert ("choices" in question) == (question["type"] == "multiplechoice")
    if question["type"] == "multiplechoice":
        assert question["default"] in choices(question)
    elif question["type"] in {"integer", "float"}:
        assert question["min"] <= question["default"] <= question["max"]
    elif "default" in question:
        assert question.get("min", 1) <= len(question["default"]) <= question["max"]
    if not question["required"]:
        assert "min" not in question, "AWX refuses an empty answer that is shorter than that"


@pytest.mark.parametrize(("provider", "question"), QUESTIONS)
def test_a_question_asks_for_an_input_of_a_role(provider: str, question: Item) -> None:
    variable = question["variable"]
    found = inputs(provider)
    assert variable in found, f"no role that site.yml includes with provider={provider} takes {variable}"
    option = found[variable]
    assert question["type"] in ASKED_BY.get(option["type"], set()), f"a survey cannot give {option['type']}"
    if option["type"] == "bool":
        assert choices(question) == ["true", "false"]
    if "choices" in option:
        assert set(choices(question)) <= set(option["choices"])
    default = option.get("default")
    if not question["required"] and "default" not in question:
        assert default == "" or "{{" in str(default), "an empty answer would not be the same as none"
    if "default" in question and default is not None and "{{" not in str(default):
        told = str(question["default"])
        assert told == (str(default).lower() if option["type"] == "bool" else str(default))


@pytest.mark.parametrize(("provider", "question"), QUESTIONS)
def test_a_secret_is_hidden_and_has_no_default(provider: str, question: Item) -> None:
    hidden = inputs(provider).get(question["variable"], {}).get("no_log", False)
    secret = bool(SECRET.search(question["variable"])) or hidden
    assert secret == (question["type"] == "password")
    assert not (secret and "default" in question)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_roles_take_the_answers(provider: str) -> None:
    found = inputs(provider)
    answers = {question["variable"]: as_answered(question) for question in survey(provider)["spec"]}
    assert set(answers) <= set(found)
    given = {name: {key: value for key, value in found[name].items() if key != "default"} for name in answers}
    assert ArgumentSpecValidator(given).validate(answers).error_messages == []
