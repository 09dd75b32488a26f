"""What `runner init` writes for a forge: this project's own workflows, for a registry."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from runner.authoring.workflows import ACTION, NAMES, SPENDING, forge_files, not_passed
from runner.registry import Registry
from runner.spec.check import load_registry
from runner.spec.tree import WorkTree

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github/workflows"
NAMING = Registry.model_validate(
    {
        "apiVersion": "rollbook/v1",
        "lineage": "0a" * 16,
        "node_variables": ["AWS_REGION", "STORE_KEY"],
        "webhook": "TEAM_HOOK",
        "secrets": {"**": ["HF_TOKEN"], "judge/*": ["JUDGE_KEY"]},
    }
)


# Workflows


def test_the_templates_are_these_files() -> None:
    """To mend it: cp .github/workflows/{plan,apply,sync,commands}.yml runner/templates/workflows"""
    templates = ROOT / "runner/templates"
    for name in NAMES:
        assert (templates / f"workflows/{name}.yml").read_text() == (
            FOLDER / f"{name}.yml"
        ).read_text()
    assert (templates / "action.yml").read_text() == (ROOT / "action.yml").read_text()
    request = "pull_request_template.md"
    assert (templates / request).read_text() == (ROOT / ".github" / request).read_text()


def test_a_registry_has_them_up_to_the_action_and_the_branch() -> None:
    written = forge_files(None, "trunk")
    for name in NAMES:
        text = written[f".github/workflows/{name}.yml"]
        assert "uses: ./  #" not in text
        restored = text.replace(f"uses: ./{ACTION}  #", "uses: ./  #")
        restored = restored.replace('branches: ["trunk"]', "branches: [main]")
        assert restored == (FOLDER / f"{name}.yml").read_text()
    own, theirs = (ROOT / "action.yml").read_text(), written[f"{ACTION}/action.yml"]
    pairs = zip(own.splitlines(), theirs.splitlines(), strict=True)
    changed = [pair for pair in pairs if pair[0] != pair[1]]
    assert [pair[0].strip() for pair in changed] == ['default: ".[all]"']
    assert re.fullmatch(r'default: "rollbook\[all\]==\d+\.\d+\.\d+"', changed[0][1].strip())


def test_names_of_an_existing_registry_are_passed() -> None:
    written = forge_files(NAMING, "main")
    for name in SPENDING:
        content = yaml.safe_load(written[f".github/workflows/{name}.yml"])
        [environment] = [
            step["env"]
            for job in content["jobs"].values()
            for step in job["steps"]
            if "HF_TOKEN" in step.get("env", {})
        ]
        assert environment["STORE_KEY"] == "${{ secrets.STORE_KEY || vars.STORE_KEY }}"
        assert environment["JUDGE_KEY"] == "${{ secrets.JUDGE_KEY }}"
        assert environment["TEAM_HOOK"] == "${{ secrets.TEAM_HOOK }}"
    assert "JUDGE_KEY" not in written[".github/workflows/plan.yml"]


def test_what_a_written_workflow_does_not_pass_is_found(tmp_path: Path) -> None:
    for path, text in forge_files(None, "main").items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    sync = tmp_path / ".github/workflows/sync.yml"
    sync.write_text(forge_files(NAMING, "main")[".github/workflows/sync.yml"])
    lacking = ("STORE_KEY", "JUDGE_KEY", "TEAM_HOOK")
    files = [f".github/workflows/{name}.yml" for name in ("apply", "commands")]
    assert not_passed(tmp_path, NAMING) == dict.fromkeys(files, lacking)


def test_this_registrys_own_workflows_pass_what_it_names() -> None:
    assert not not_passed(ROOT, load_registry(WorkTree(ROOT)))


# pre-commit


def test_the_hook_is_as_pre_commit_wants_it() -> None:
    """pre-commit's own schema is not among those of check-jsonschema: its required keys."""
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert {"id", "name", "entry", "language"} <= hook.keys()
    assert (hook["entry"], hook["language"], hook["pass_filenames"]) == (
        "runner validate", "python", True,
    )  # fmt: skip
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / "experiments").rglob("*.yaml")]
    wanted = [
        path
        for path in files
        if re.search(hook["files"], path) and not re.search(hook["exclude"], path)
    ]
    assert {path.split("/")[1] for path in files} - {path.split("/")[1] for path in wanted} == {
        "bases"
    }


def test_a_registrys_own_hook_is_the_same() -> None:
    config = yaml.safe_load(forge_files(None, "main")[".pre-commit-config.yaml"])
    [repository] = config["repos"]
    [hook] = repository["hooks"]
    [published] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert repository["repo"] == "local"
    assert re.fullmatch(r"rollbook==\d+\.\d+\.\d+", hook["additional_dependencies"][0])
    shared = hook.keys() & published.keys()
    assert shared >= {"id", "entry", "language", "files", "exclude", "require_serial"}
    assert {key: hook[key] for key in shared} == {key: published[key] for key in shared}
