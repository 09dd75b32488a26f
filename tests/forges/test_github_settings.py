"""Where the repository, the token and the server come from."""

import pytest
from real_git import git, write_files

from runner.errors import Refused
from runner.forges import github_settings, open_forge
from runner.forges.github import GitHubForge
from runner.forges.github_settings import repository_of
from runner.forges.none import NoForge
from runner.workspace import open_workspace

SETTINGS = f"apiVersion: rollbook/v1\nlineage: {'0a' * 16}\nforge: github\n"
VARIABLES = ("TOKEN", "REPOSITORY", "API_URL", "SERVER_URL")


@pytest.fixture
def workspace(tmp_path, make_repository, monkeypatch):
    for variable in ("GH_TOKEN", *(f"GITHUB_{name}" for name in VARIABLES)):
        monkeypatch.delenv(variable, raising=False)
    github_settings._say_once.cache_clear()
    folder = make_repository(files={"registry.yaml": SETTINGS})
    return open_workspace(folder)


@pytest.mark.parametrize(
    ("remote", "server", "repository"),
    [
        ("https://github.com/o/r.git", "https://github.com", "o/r"),
        ("https://github.com/o/r", "https://github.com/", "o/r"),
        ("https://me:secret@github.com/o/r.git/", "https://github.com", "o/r"),
        ("git@github.com:o/r.x.git", "https://github.com", "o/r.x"),
        ("github.com:o/r", "https://github.com", "o/r"),
        ("ssh://git@ssh.github.com:443/o/r.git", "https://github.com", "o/r"),
        ("ssh://git@git.example.org/o/r.git", "https://git.example.org", "o/r"),
        ("http://127.0.0.1:8080/o/r.git", "http://127.0.0.1:8080", "o/r"),
        ("https://gitlab.com/o/r.git", "https://github.com", None),
        ("https://github.com.example.org/o/r.git", "https://github.com", None),
        ("git@example.org:o/r.git", "https://github.com", None),
        ("https://github.com/o/r/extra", "https://github.com", None),
        ("https://github.com/o/..", "https://github.com", None),
        ("/srv/git/o/r.git", "https://github.com", None),
        ("../r.git", "https://github.com", None),
        ("", "https://github.com", None),
    ],
)
def test_the_repository_of_a_remote(remote, server, repository):
    assert repository_of(remote, server) == repository


def test_without_a_token_nothing_is_shown_and_that_is_said_once(workspace, monkeypatch, capsys):
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")

    first, second = open_forge(workspace), open_forge(workspace)

    assert isinstance(first, NoForge)
    assert isinstance(second, NoForge)
    assert capsys.readouterr().err == (
        "nothing is shown on GitHub: there is no token; set GITHUB_TOKEN or GH_TOKEN "
        "(export GH_TOKEN=$(gh auth token))\n"
    )


def test_without_a_repository_nothing_is_shown(workspace, monkeypatch, capsys):
    monkeypatch.setenv("GH_TOKEN", "t")
    git(workspace.root, "remote", "add", "origin", "https://me:hush@gitlab.com/o/r.git")

    assert isinstance(open_forge(workspace), NoForge)

    said = capsys.readouterr().err
    assert "GITHUB_REPOSITORY=owner/name" in said
    assert "hush" not in said


def test_the_clone_says_the_repository(workspace, monkeypatch):
    monkeypatch.setenv("GH_TOKEN", "t")
    git(workspace.root, "remote", "add", "origin", "git@github.com:o/r.git")

    forge = open_forge(workspace)

    assert isinstance(forge, GitHubForge)
    assert forge.link("main", "a.yaml") == "https://github.com/o/r/blob/main/a.yaml"


def test_the_workflow_says_the_repository_before_the_clone(workspace, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    monkeypatch.setenv("GITHUB_REPOSITORY", "base/r")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://git.example.org/")
    git(workspace.root, "remote", "add", "origin", "git@github.com:fork/r.git")

    assert open_forge(workspace).link("a b", "x y/#1.yaml", 7) == (
        "https://git.example.org/base/r/blob/a%20b/x%20y/%231.yaml#L7"
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GITHUB_REPOSITORY", "o/r/../../user"),
        ("GITHUB_REPOSITORY", "../.."),
        ("GITHUB_API_URL", "api.github.com"),
        ("GITHUB_SERVER_URL", "ftp://github.com"),
    ],
)
def test_an_address_that_is_none_is_refused(workspace, monkeypatch, variable, value):
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    monkeypatch.setenv(variable, value)

    with pytest.raises(Refused):
        open_forge(workspace)


def test_a_token_with_a_line_end_is_used_without(workspace, monkeypatch, github):
    monkeypatch.setenv("GITHUB_TOKEN", f" {github.workflow_token()}\n")
    monkeypatch.setenv("GITHUB_REPOSITORY", "octo/registry")
    monkeypatch.setenv("GITHUB_API_URL", github.urls.api)

    assert open_forge(workspace).login() == "github-actions[bot]"


@pytest.mark.parametrize("token", ["two words", "ключ", "a\nb"])
def test_what_is_no_token_is_refused_and_not_shown(workspace, monkeypatch, token):
    monkeypatch.setenv("GH_TOKEN", token)

    with pytest.raises(Refused, match="GH_TOKEN holds no token") as raised:
        open_forge(workspace)

    assert token not in f"{raised.value.message} {raised.value.cure}"


def test_the_other_settings_of_a_registry_stay(workspace):
    write_files(workspace.root, {"registry.yaml": SETTINGS.replace("github", "none")})

    assert isinstance(open_forge(open_workspace(workspace.root)), NoForge)
