"""The ledger's branch: created once, moved only by compare-and-swap, never rewritten unseen."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ledger_values import LINEAGE, make_ledger, make_record
from real_git import MakeOriginAndClones, MakeRepository, commit_files, git

from runner.errors import OutsideError, Refused
from runner.git.repository import Repository
from runner.ledger import branch
from runner.ledger.branch import Ledger, Snapshot
from runner.ledger.draft import Changes, Draft

Clones = tuple[Path, list[Path]]


@pytest.fixture
def clones(make_origin_and_clones: MakeOriginAndClones) -> Clones:
    origin, folders = make_origin_and_clones()
    make_ledger(folders[0]).create()
    return origin, folders


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(branch, "LONGEST_PAUSE_S", 0.1)


def count_up(snapshot: Snapshot) -> Changes:
    counted = int(snapshot.read("count") or b"0")
    return Changes({"count": b"%d" % (counted + 1)}, "Count")


def test_a_new_ledger_is_an_orphan_at_the_remote(clones: Clones) -> None:
    origin, (one, two) = clones
    assert git(origin, "show", "runs:lineage") == LINEAGE
    assert git(origin, "rev-list", "--count", "runs") == "1"
    assert git(one, "status", "--porcelain") == ""
    snapshot = make_ledger(two).fetch()
    assert snapshot.active() == {}
    assert snapshot.applied() is None
    assert snapshot.experiments() == {}


def test_without_a_remote_the_branch_is_local(make_repository: MakeRepository) -> None:
    root = make_repository()
    ledger = make_ledger(root)
    with pytest.raises(Refused) as caught:
        ledger.fetch()
    assert "runner init" in str(caught.value.cure)
    ledger.create()
    after = ledger.transact(count_up)
    assert git(root, "rev-parse", "runs") == after.commit
    assert ledger.snapshot().read("count") == b"1"
    assert git(root, "log", "-1", "--format=%s", "runs") == "Count [skip ci]"
    with pytest.raises(Refused, match="exists"):
        ledger.create()


def test_a_remote_ledger_is_never_created_twice(clones: Clones) -> None:
    for root in clones[1]:
        with pytest.raises(Refused, match="exists"):
            make_ledger(root).create()


def test_a_ledger_elsewhere_is_named_by_its_remote(
    clones: Clones, make_repository: MakeRepository
) -> None:
    _, (one, _) = clones
    elsewhere = make_repository("elsewhere")
    git(one, "remote", "add", "records", str(elsewhere))
    make_ledger(one, remote="records").create()
    assert git(elsewhere, "show", "runs:lineage") == LINEAGE


def test_racing_clones_lose_nothing_and_validate_again(
    make_origin_and_clones: MakeOriginAndClones,
) -> None:
    origin, folders = make_origin_and_clones(4)
    make_ledger(folders[0]).create()
    seen: Counter[int] = Counter()

    def transact(root: Path) -> None:
        ledger = make_ledger(root)
        for _ in range(3):
            ledger.transact(lambda snapshot: (seen.update([1]), count_up(snapshot))[1])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(transact, folders))
    assert git(origin, "show", "runs:count") == "12"
    assert git(origin, "rev-list", "--count", "runs") == "13"
    assert seen[1] >= 12


def test_racing_processes_of_one_clone_lose_nothing(make_repository: MakeRepository) -> None:
    root = make_repository()
    make_ledger(root).create()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: make_ledger(root).transact(count_up), range(12)))
    assert git(root, "show", "runs:count") == "12"


def test_the_same_change_in_the_same_second_is_two_commits(clones: Clones) -> None:
    """Each of two claims must know whether it is the one that holds."""
    _, (one, two) = clones
    asked: list[bytes | None] = []

    def claim(snapshot: Snapshot) -> Changes:
        asked.append(snapshot.read("claim"))
        if len(asked) == 1:
            make_ledger(two).transact(claim)
        return Changes({"claim": b"same"} if snapshot.read("claim") is None else {})

    make_ledger(one).transact(claim)
    assert asked == [None, None, b"same"]


def test_a_second_claim_of_an_attempt_is_refused_after_the_race(clones: Clones) -> None:
    _, (one, two) = clones
    raced: list[int] = []

    def claim(snapshot: Snapshot) -> Changes:
        if not raced:
            raced.append(1)
            other = make_record(nonce="theirs")
            make_ledger(two).transact(lambda s: Draft(s).put_record(other).changes())
        return Draft(snapshot).put_record(make_record(nonce="ours")).changes("Claim")

    with pytest.raises(Refused, match="claimed by someone else"):
        make_ledger(one).transact(claim)
    [record] = make_ledger(one).fetch().records([make_record().run_id]).values()
    assert record.latest.nonce == "theirs"


def test_no_change_writes_nothing(clones: Clones) -> None:
    ledger = make_ledger(clones[1][0])
    first = ledger.transact(count_up)
    for files in ({}, {"count": b"1"}, {"nowhere": None}):
        assert ledger.transact(lambda _, f=files: Changes(f)).commit == first.commit  # type: ignore[misc]


def test_a_deleted_branch_is_not_created_again(clones: Clones) -> None:
    origin, (one, two) = clones
    known = make_ledger(one).transact(count_up)
    git(origin, "update-ref", "-d", "refs/heads/runs")
    git(one, "fetch", "--quiet", "--prune")
    ledger = make_ledger(one)
    for act in (ledger.fetch, ledger.create, lambda: ledger.transact(count_up)):
        with pytest.raises(Refused, match="is gone") as caught:
            act()
        assert f"git push origin {known.commit}" in str(caught.value.cure)
    assert git(origin, "for-each-ref", "refs/heads/runs") == ""
    assert ledger.snapshot().commit == known.commit
    make_ledger(two)


def test_a_branch_deleted_between_fetch_and_push_is_not_created_again(clones: Clones) -> None:
    origin, (one, _) = clones

    def delete(snapshot: Snapshot) -> Changes:
        git(origin, "update-ref", "-d", "refs/heads/runs")
        return count_up(snapshot)

    with pytest.raises(Refused, match="is gone"):
        make_ledger(one).transact(delete)
    assert git(origin, "for-each-ref", "refs/heads/runs") == ""


def test_a_rewritten_branch_is_refused_even_after_a_plain_fetch(clones: Clones) -> None:
    origin, (one, two) = clones
    before = make_ledger(one).transact(count_up)
    root = git(origin, "rev-list", "--max-parents=0", "runs")
    other = Repository(two)
    make_ledger(two).fetch()
    rewritten = other.commit(root, {"count": b"99"}, "Rewritten")
    git(two, "push", "--quiet", "--force", "origin", f"{rewritten}:refs/heads/runs")
    git(one, "fetch", "--quiet")
    ledger = make_ledger(one)
    for act in (ledger.fetch, lambda: ledger.transact(count_up)):
        with pytest.raises(Refused, match="was rewritten"):
            act()
    assert git(origin, "rev-parse", "runs") == rewritten
    assert ledger.snapshot().commit == before.commit


def test_a_branch_recreated_with_the_same_lineage_is_refused(clones: Clones) -> None:
    origin, (one, two) = clones
    make_ledger(one).transact(count_up)
    git(origin, "update-ref", "-d", "refs/heads/runs")
    git(two, "fetch", "--quiet", "--prune")
    make_ledger(two).create()
    with pytest.raises(Refused, match="was rewritten"):
        make_ledger(one).transact(count_up)


def test_another_lineage_is_refused_with_the_way_out_for_a_fork(clones: Clones) -> None:
    fork = make_ledger(clones[1][1], lineage="f" * 32)
    for act in (fork.fetch, lambda: fork.transact(count_up)):
        with pytest.raises(Refused, match="another registry") as caught:
            act()
        assert "runner init" in str(caught.value.cure)


def test_a_branch_that_is_no_ledger_is_refused(clones: Clones) -> None:
    _, (one, _) = clones
    with pytest.raises(Refused, match="no lineage"):
        make_ledger(one, branch="main").fetch()


def test_a_lost_answer_is_recognised(clones: Clones, monkeypatch: pytest.MonkeyPatch) -> None:
    origin, (one, two) = clones
    ledger = make_ledger(one)
    push = ledger._push
    asked: list[str | None] = []

    def lose_the_answer(new: str, old: str | None) -> str:
        assert push(new, old) == ""
        make_ledger(two).transact(count_up)
        return "the remote end hung up unexpectedly"

    def step(snapshot: Snapshot) -> Changes:
        asked.append(snapshot.commit)
        return count_up(snapshot)

    monkeypatch.setattr(ledger, "_push", lose_the_answer)
    after = ledger.transact(step)
    assert len(asked) == 1
    assert after.read("count") == b"2"
    assert git(origin, "rev-list", "--count", "runs") == "3"


def test_a_remote_that_forbids_it_is_an_outside_error_soon(clones: Clones) -> None:
    origin, (one, _) = clones
    hook = origin / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho protected branch >&2\nexit 1\n")
    hook.chmod(0o755)
    asked: list[int] = []
    with pytest.raises(OutsideError, match="hook declined") as caught:
        make_ledger(one).transact(lambda s: (asked.append(1), count_up(s))[1])
    assert "protects" in str(caught.value.cure)
    assert len(asked) == branch.REJECTIONS


def test_a_remote_that_is_gone_is_an_outside_error_and_the_past_stays(clones: Clones) -> None:
    origin, (one, _) = clones
    origin.rename(origin.with_name("moved"))
    with pytest.raises(OutsideError, match="does not answer"):
        make_ledger(one).transact(count_up)
    assert make_ledger(one).snapshot().active() == {}


def test_an_error_in_the_step_writes_nothing(clones: Clones) -> None:
    origin, (one, _) = clones
    before = git(origin, "rev-parse", "runs")

    def fail(_: Snapshot) -> Changes:
        raise RuntimeError("step")

    with pytest.raises(RuntimeError, match="step"):
        make_ledger(one).transact(fail)
    assert git(origin, "rev-parse", "runs") == before


def test_a_user_hook_and_a_missing_user_do_not_matter(clones: Clones, git_home: Path) -> None:
    _, (one, _) = clones
    (git_home / ".gitconfig").write_text("[push]\n\tfollowTags = true\n\tgpgSign = if-asked\n")
    hook = one / ".git/hooks/pre-push"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert make_ledger(one).transact(count_up).read("count") == b"1"


def test_a_shallow_clone_can_use_it(clones: Clones, tmp_path: Path) -> None:
    origin, (one, _) = clones
    commit_files(one, {"more": "1"})
    git(one, "push", "--quiet")
    make_ledger(one).transact(count_up)
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{origin}", "shallow")
    assert make_ledger(tmp_path / "shallow").transact(count_up).read("count") == b"2"


def test_every_write_is_json_that_reads_well(clones: Clones) -> None:
    ledger: Ledger = make_ledger(clones[1][0])
    after = ledger.transact(lambda s: Draft(s).set_applied("a" * 40).changes(), "Applied")
    text = after.read("applied.json") or b""
    assert json.loads(text) == {"commit": "a" * 40, "before": None}
    assert text.endswith(b"}\n")


def test_what_was_applied_before_stays_when_the_same_is_applied_again(clones: Clones) -> None:
    ledger: Ledger = make_ledger(clones[1][0])
    one, two = "a" * 40, "b" * 40
    seen = []
    for commit in (one, one, two, two):
        after = ledger.transact(lambda s, c=commit: Draft(s).set_applied(c).changes(), "Applied")
        seen.append((after.applied(), after.applied_before()))
    assert seen == [(one, None), (one, None), (two, one), (two, one)]


@pytest.mark.parametrize("has_remote", [True, False])
def test_a_lock_that_a_killed_git_has_left_is_said_and_not_passed_over(
    clones: Clones,
    make_repository: MakeRepository,
    monkeypatch: pytest.MonkeyPatch,
    *,
    has_remote: bool,
) -> None:
    monkeypatch.setattr(branch, "_LOCK_PAUSES", (0.0, 0.01))
    folder = clones[1][0] if has_remote else make_repository("alone")
    ledger = make_ledger(folder)
    if not has_remote:
        ledger.create()
    reference = "refs/rollbook/ledger/origin/runs" if has_remote else "refs/heads/runs"
    lock = folder / ".git" / f"{reference}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    with pytest.raises(OutsideError, match=f"{reference}.lock"):
        ledger.transact(count_up)
    lock.unlink()
    assert ledger.transact(count_up).read("count") is not None
