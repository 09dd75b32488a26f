"""What the forge does at GitHub, seen from GitHub."""

import pytest
from stand_in_github import GitHub

from runner.errors import OutsideError
from runner.forges.base import COMMENT_LIMIT, NotPermitted, PullRequest
from runner.forges.github import GitHubForge

MARKER = "<!-- rollbook:plan:v1 "
BODY = f"{MARKER}head=1 -->\n**Launches 3 runs**\n"


def writes(github: GitHub) -> list[str]:
    return [entry.method for entry in github.log if entry.method != "GET"]


def bodies(github: GitHub) -> list[str]:
    return [comment.body for comment in github.state.comments]


@pytest.fixture
def number(github) -> int:
    return github.open_pull_request("topic", files={"experiments/a.yaml": "a: 1\n"}).number


class TestComment:
    def test_it_is_made_once_and_edited_in_place(self, github, forge, number):
        forge.comment(number, MARKER, BODY)
        forge.comment(number, MARKER, BODY)
        forge.comment(number, MARKER, BODY.replace("3", "4"))

        assert bodies(github) == [BODY.replace("3", "4")]
        assert writes(github) == ["POST", "PATCH"]

    def test_another_process_finds_it_again(self, github, connect, number):
        connect().comment(number, MARKER, BODY)
        connect().comment(number, MARKER, BODY)

        assert writes(github) == ["POST"]

    def test_how_lines_end_is_no_change(self, github, forge, number):
        github.write_comment(number, BODY.replace("\n", "\r\n").rstrip(), "github-actions[bot]")

        forge.comment(number, MARKER, BODY)

        assert writes(github) == []

    def test_a_strangers_forgery_is_not_touched(self, github, forge, number):
        github.write_comment(number, BODY, "mallory")
        github.write_comment(number, BODY, "github-actions")
        github.write_comment(number, BODY, "other[bot]")
        github.write_comment(number, f"see:\n{BODY}", "github-actions[bot]")

        forge.comment(number, MARKER, BODY)

        assert len(bodies(github)) == 5
        assert writes(github) == ["POST"]

    def test_a_person_edits_their_own(self, github, connect, number):
        github.repository.collaborators["ada"] = "write"
        forge = connect(github.personal_token("ada"))
        github.write_comment(number, BODY, "github-actions[bot]")
        forge.comment(number, MARKER, BODY)

        forge.comment(number, MARKER, BODY + "more")

        assert bodies(github) == [BODY, BODY + "more"]
        assert forge.login() == "ada"

    def test_of_two_of_ours_the_older_is_edited(self, github, forge, number):
        for text in ("first", "second"):
            github.write_comment(number, MARKER + text, "github-actions[bot]")

        forge.comment(number, MARKER, BODY)

        assert bodies(github) == [BODY, f"{MARKER}second"]

    def test_a_later_version_of_the_marker_is_another(self, github, forge, number):
        github.write_comment(number, "<!-- rollbook:plan:v10 -->", "github-actions[bot]")

        forge.comment(number, MARKER, BODY)

        assert len(bodies(github)) == 2

    def test_each_marker_has_its_own(self, github, forge, number):
        other = "<!-- rollbook:run:v1 a -->"
        forge.comment(number, MARKER, BODY)
        forge.comment(number, other, f"{other}\nrunning")
        forge.comment(number, other, f"{other}\nended")

        assert bodies(github) == [BODY, f"{other}\nended"]

    def test_it_is_found_on_a_later_page(self, github, forge, number):
        for n in range(230):
            github.write_comment(number, f"chat {n}", "ada")
        github.write_comment(number, BODY, "github-actions[bot]")

        forge.comment(number, MARKER, BODY)

        assert writes(github) == []

    def test_the_largest_passes_and_a_larger_is_a_fault_of_ours(self, github, forge, number):
        largest = MARKER + "ä" * ((COMMENT_LIMIT - len(MARKER)) // 2)
        forge.comment(number, MARKER, largest)
        with pytest.raises(ValueError, match="over the limit"):
            forge.comment(number, MARKER, largest + "ä")
        with pytest.raises(ValueError, match="marker"):
            forge.comment(number, MARKER, "no marker")

        assert bodies(github) == [largest]

    def test_an_issue_that_is_not_there(self, forge):
        with pytest.raises(OutsideError, match=r"404 \(Not Found\) when asked for the comments"):
            forge.comment(99, MARKER, BODY)

    def test_a_lost_answer_makes_no_second_comment(self, github, forge, number):
        github.arm("lost", method="POST")
        forge.comment(number, MARKER, BODY)
        github.arm("lost", method="POST")
        forge.reply(number, "done")
        github.arm("lost", method="PATCH")
        forge.comment(number, MARKER, BODY + "more")

        assert bodies(github) == [BODY + "more", "done"]

    def test_a_comment_that_did_not_arrive_is_sent_again(self, github, forge, number):
        github.arm("reset", method="POST", times=2)

        forge.reply(number, "done")

        assert bodies(github) == ["done"]


def test_two_equal_replies_are_two(github, forge, number):
    forge.reply(number, "help")
    forge.reply(number, "help")

    assert bodies(github) == ["help", "help"]


class TestPullRequests:
    def test_one(self, github, forge):
        opened = github.open_pull_request("topic", files={"a": "1"}, author="ada")

        assert forge.pull_request(opened.number) == PullRequest(
            opened.number, github.tip("topic"), "main", from_fork=False, author="ada"
        )

    def test_none_and_an_issue(self, github, forge):
        assert forge.pull_request(99) is None
        assert forge.pull_request(github.open_issue()) is None

    def test_one_from_a_fork(self, github, forge):
        opened = github.open_pull_request("topic", files={"a": "1"}, author="eve", from_fork=True)

        found = forge.pull_request(opened.number)

        assert found is not None
        assert (found.from_fork, found.author, found.head) == (True, "eve", opened.head)

    def test_the_open_ones_page_by_page(self, github, forge):
        github.commit({"a": "1"}, branch="topic")
        made = [github.open_pull_request("topic").number for _ in range(103)]
        github.close(github.state.pulls[0])

        found = forge.open_pull_requests()

        assert [one.number for one in found] == made[1:]

    def test_the_one_that_brought_a_commit(self, github, forge):
        first = github.open_pull_request("one", files={"a": "1"})
        second = github.open_pull_request("two", files={"b": "1"})
        merged = github.merge(first)
        squashed = github.merge(second, "squash")
        direct = github.commit({"c": "1"})

        assert forge.merged_by(merged) == first.number
        assert forge.merged_by(first.head) == first.number
        assert forge.merged_by(squashed) == second.number
        assert forge.merged_by(direct) is None

    def test_an_open_one_has_brought_nothing(self, github, forge, number):
        assert forge.merged_by(github.tip("topic")) is None
        assert forge.merged_by("0" * 40) is None


class TestPeople:
    @pytest.mark.parametrize(
        ("role", "may"),
        [("admin", True), ("maintain", True), ("write", True), ("triage", False), ("read", False)],
    )
    def test_who_may_write(self, github, forge, role, may):
        github.state.person("ada")
        github.repository.collaborators["ada"] = role

        assert forge.may_write("ada") is may

    @pytest.mark.parametrize("login", ["nobody-here", "", "../../octo", "a/b", "x[bot]", "a?b#c"])
    def test_who_is_nobody_may_not(self, github, forge, login):
        assert forge.may_write(login) is False
        assert all(entry.path.startswith("/repos/octo/registry") for entry in github.log)

    def test_what_is_asked_again_is_what_holds_now(self, github, forge):
        github.state.person("ada")
        github.repository.collaborators["ada"] = "write"
        before = forge.may_write("ada")
        github.repository.collaborators["ada"] = "read"

        assert (before, forge.may_write("ada")) == (True, False)

    def test_a_workflow_is_githubs_robot(self, github, forge):
        assert [forge.login(), forge.login()] == ["github-actions[bot]"] * 2
        assert len(github.log) == 1


def test_links_lead_to_the_line(forge, github):
    assert forge.link("main", "experiments/a b#.yaml", 3) == (
        f"{github.urls.server}/octo/registry/blob/main/experiments/a%20b%23.yaml#L3"
    )
    assert forge.link("a/b", "README.md").endswith("/blob/a/b/README.md")


class TestPermissions:
    def test_a_forks_token_reads_and_does_not_write(self, github, connect, number):
        forge = connect(github.fork_token())

        assert forge.pull_request(number) is not None
        with pytest.raises(NotPermitted, match="not accessible by integration") as raised:
            forge.comment(number, MARKER, BODY)

        assert "`pull-requests: write`" in str(raised.value.cure)
        assert "fork" in str(raised.value.cure)
        assert writes(github) == ["POST"], "no second try"

    def test_what_github_hides_from_a_person_who_may_not(self, github, connect, number):
        github.write_comment(number, BODY, "ada")
        forge = connect(github.personal_token("ada"))
        github.repository.private = True
        github.repository.collaborators["ada"] = "read"

        with pytest.raises(NotPermitted, match="404"):
            forge.comment(number, MARKER, BODY + "more")

    def test_a_repository_that_is_not_there(self, connect):
        forge = connect(repository="octo/absent")
        for ask in (
            lambda: forge.pull_request(1),
            lambda: forge.may_write("ada"),
            lambda: forge.merged_by("0" * 40),
            lambda: forge.comment(1, MARKER, BODY),
        ):
            with pytest.raises(OutsideError, match="no repository octo/absent") as raised:
                ask()
            assert "GITHUB_REPOSITORY" in str(raised.value.cure)

    def test_a_token_that_is_none(self, github):
        secret = "ghp_notatokenbutasecret"
        forge = GitHubForge("octo/registry", secret, github.urls.api, github.urls.server)

        with pytest.raises(OutsideError, match="401") as raised:
            forge.login()

        assert "GITHUB_TOKEN" in str(raised.value.cure)
        assert secret not in f"{raised.value.message} {raised.value.cure}"
