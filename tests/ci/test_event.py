"""Events, as GitHub's documentation describes them, and as somebody might make them up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.ci import event
from runner.errors import Refused

HEAD, BASE = "a" * 40, "b" * 40


def request(**head: Any) -> dict[str, Any]:
    return {
        "action": "opened",
        "number": 7,
        "pull_request": {
            "number": 7,
            "head": {"sha": HEAD, "ref": "x", "repo": {"full_name": "me/r"}, **head},
            "base": {"sha": BASE, "ref": "main", "repo": {"full_name": "me/r"}},
            "user": {"login": "ann"},
            "title": "$(reboot)",
        },
    }


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def write(name: str, payload: Any) -> None:
        path = tmp_path / "event.json"
        path.write_text(payload if isinstance(payload, str) else json.dumps(payload))
        monkeypatch.setenv("GITHUB_EVENT_NAME", name)
        monkeypatch.setenv("GITHUB_EVENT_PATH", str(path))

    return write


@pytest.mark.parametrize(
    ("repository", "from_fork"),
    [({"full_name": "me/r"}, False), ({"full_name": "you/r"}, True), (None, True)],
)
def test_a_request_is_from_a_fork_unless_its_branch_is_in_the_same_repository(
    written: Any, repository: Any, from_fork: bool
) -> None:
    written("pull_request", request(repo=repository))
    found = event.read(event.RequestEvent)
    assert found.from_fork is from_fork
    assert found.pull_request.head.sha == HEAD


@pytest.mark.parametrize("sha", ["main", "a" * 39, "--upload-pack=x", "A" * 40, f"{HEAD}\n"])
def test_what_is_no_commit_id_is_refused(written: Any, sha: str) -> None:
    written("pull_request", request(sha=sha))
    with pytest.raises(Refused, match="not as GitHub describes"):
        event.read(event.RequestEvent)


@pytest.mark.parametrize("text", ["", "null", "[]", "{", '{"pull_request": {}}'])
def test_another_file_is_refused(written: Any, text: str) -> None:
    written("pull_request", text)
    with pytest.raises(Refused, match="not as GitHub describes"):
        event.read(event.RequestEvent)


def test_outside_of_a_workflow_there_is_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_EVENT_NAME", raising=False)
    with pytest.raises(Refused, match="no workflow"):
        event.name()


@pytest.mark.parametrize("verb", ["apply", "launch", "explode"])
def test_a_dispatch_names_a_verb_that_there_is(written: Any, verb: str) -> None:
    payload = {"inputs": {"verb": verb, "name": "x"}, "sender": {"login": "ann"}}
    written("workflow_dispatch", payload)
    if verb == "explode":
        with pytest.raises(Refused):
            event.read(event.DispatchEvent)
    else:
        found = event.read(event.DispatchEvent)
        assert found.inputs is not None
        assert (found.inputs.verb, found.sender.login) == (verb, "ann")


def test_a_dispatch_without_inputs_applies(written: Any) -> None:
    written("workflow_dispatch", {"inputs": None, "sender": {"login": "ann"}})
    assert event.read(event.DispatchEvent).inputs is None
