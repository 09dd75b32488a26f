"""Statuses beside commits: written where they say something new, and within GitHub's limits."""

import pytest
from stand_in_github import GitHub

from runner.errors import OutsideError
from runner.forges import github_statuses
from runner.forges.base import NotPermitted, Status


@pytest.fixture
def commit(github) -> str:
    return github.tip()


def shown(github: GitHub, commit: str) -> dict[str, tuple[str, str | None, str | None]]:
    """Return the newest status of each context beside `commit`."""
    found = {}
    for status in reversed(github.state.statuses):
        if status.sha == commit:
            found.setdefault(status.context, (status.state, status.description, status.target_url))
    return found


def requests(github: GitHub, method: str) -> int:
    return sum(entry.method == method for entry in github.log)


def set_before(github: GitHub, commit: str, context: str, times: int) -> None:
    """Let `context` have been set `times` times, each time to something else."""
    from github_state import Status as Kept

    fields = Kept.__dataclass_fields__
    for number in range(times):
        values = {
            "id": github.state.new_id(),
            "repository": github.repository,
            "sha": commit,
            "context": context,
            "state": "pending",
            "description": f"step {number}",
            "target_url": None,
            "creator": github.state.person("github-actions[bot]"),
        }
        kept = {name: value for name, value in values.items() if name in fields}
        github.state.statuses.append(Kept(**kept))


def test_what_is_shown_is_not_written_again(github, connect, commit):
    statuses = [
        Status(commit, "runner/plan", "success", "Nothing to do"),
        Status(commit, "runner/a", "pending", "step 1", "https://example.org/a"),
    ]
    forge = connect()
    forge.set_statuses(statuses)
    forge.set_statuses(statuses)
    connect().set_statuses(statuses)

    assert shown(github, commit) == {
        "runner/plan": ("success", "Nothing to do", None),
        "runner/a": ("pending", "step 1", "https://example.org/a"),
    }
    assert requests(github, "POST") == 2
    assert requests(github, "GET") == 3, "one list a commit, not one a status"


@pytest.mark.parametrize(
    "change", [{"state": "failure"}, {"description": "step 2"}, {"url": "https://example.org/b"}]
)
def test_what_differs_in_anything_is_written(github, forge, commit, change):
    first = Status(commit, "runner/a", "pending", "step 1", "https://example.org/a")
    forge.set_statuses([first])
    forge.set_statuses([first._replace(**change)])

    after = first._replace(**change)
    assert shown(github, commit)["runner/a"] == (after.state, after.description, after.url)
    assert requests(github, "POST") == 2


def test_a_list_that_has_not_changed_is_not_transferred_again(github, forge, commit):
    status = Status(commit, "runner/a", "pending", "step 1")
    for _ in range(4):
        forge.set_statuses([status])

    assert [e.status for e in github.log if e.method == "GET"] == [200, 200, 304, 304]


def test_the_last_said_of_a_context_counts(github, forge, commit):
    forge.set_statuses(Status(commit, "runner/a", "pending", f"step {n}") for n in range(3))

    assert [status.description for status in github.state.statuses] == ["step 2"]


def test_a_context_of_another_case_is_the_same_to_github(github, forge, commit):
    set_before(github, commit, "Runner/A", 1)

    forge.set_statuses([Status(commit, "runner/a", "pending", "step 0")])

    assert requests(github, "POST") == 0


def test_a_long_description_is_shortened_and_a_long_context_a_fault_of_ours(github, forge, commit):
    forge.set_statuses([Status(commit, "c" * 255, "pending", "d" * 141)])
    with pytest.raises(ValueError, match="255"):
        forge.set_statuses([Status(commit, "c" * 256, "pending", "d")])

    assert shown(github, commit) == {"c" * 255: ("pending", "d" * 139 + "…", None)}


def test_it_is_found_behind_many_others(github, forge, commit):
    set_before(github, commit, "runner/a", 1)
    set_before(github, commit, "runner/b", 240)

    forge.set_statuses([Status(commit, "runner/a", "pending", "step 0")])
    forge.set_statuses([Status(commit, "runner/b", "pending", "step 239")])

    assert requests(github, "POST") == 0
    assert requests(github, "GET") == 3 + 1, "what is on the first page takes one request"


def test_near_the_limit_only_the_result_is_shown(github, forge, commit, capsys):
    set_before(github, commit, "runner/a", 989)
    for number in range(1, 5):
        forge.set_statuses([Status(commit, "runner/a", "pending", f"late {number}")])
    forge.set_statuses([Status(commit, "runner/b", "pending", "another")])
    forge.set_statuses([Status(commit, "runner/a", "success", "done")])

    assert shown(github, commit) == {
        "runner/a": ("success", "done", None),
        "runner/b": ("pending", "another", None),
    }
    assert sum(status.context == "runner/a" for status in github.state.statuses) == 991
    said = capsys.readouterr().err
    assert said.count("only its result is shown") == 1


def test_of_very_many_the_older_are_estimated(github, forge, commit, monkeypatch):
    monkeypatch.setattr(github_statuses, "MOST_PAGES", 3)
    set_before(github, commit, "runner/rare", 700)
    for _ in range(60):
        set_before(github, commit, "runner/a", 9)
        set_before(github, commit, "runner/b", 11)

    forge.set_statuses([Status(commit, "runner/a", "pending", "x")])
    before = requests(github, "GET")
    forge.set_statuses([Status(commit, "runner/b", "pending", "x")])

    assert "x" in {s.description for s in github.state.statuses if s.context == "runner/a"}
    assert "x" not in {s.description for s in github.state.statuses if s.context == "runner/b"}
    assert before == 3


def test_an_unknown_commit_does_not_keep_the_others_from_being_shown(github, forge, commit):
    unknown = Status("0" * 40, "runner/a", "failure", "lost")

    with pytest.raises(OutsideError, match="the statuses of 0000000"):
        forge.set_statuses([unknown, Status(commit, "runner/a", "success", "done")])

    assert shown(github, commit) == {"runner/a": ("success", "done", None)}


def test_a_repository_that_is_not_there_is_said_to_be(connect, commit):
    with pytest.raises(OutsideError, match="no repository octo/absent"):
        connect(repository="octo/absent").set_statuses([Status(commit, "a", "success", "done")])


def test_a_token_that_may_only_read(github, connect, commit):
    with pytest.raises(NotPermitted) as raised:
        connect(github.fork_token()).set_statuses([Status(commit, "a", "success", "done")])

    assert "`statuses: write`" in str(raised.value.cure)


def test_a_lost_answer_is_a_status_twice_at_most(github, forge, commit):
    github.arm("lost", method="POST")
    github.arm("reset", method="POST")

    forge.set_statuses([Status(commit, "runner/a", "success", "done")])

    assert shown(github, commit) == {"runner/a": ("success", "done", None)}


def test_nothing_to_show_asks_nothing(github, forge):
    forge.set_statuses([])

    assert github.log == []
