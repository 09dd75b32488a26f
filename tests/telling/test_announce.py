"""Telling a forge and a webhook: from the ledger alone, once, and again after every fault.

The forge here only writes down what it is told; the real one is tested where its HTTP is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from planned_registry import SETTINGS, SPEC, PlannedRegistry
from real_git import MakeRepository, git

from runner.errors import OutsideError
from runner.forges.base import NotPermitted, Status
from runner.forges.none import NoForge
from runner.ledger.branch import Changes, Draft, Snapshot
from runner.ledger.outbox import OUTBOX, Outbox, read_outbox
from runner.ledger.record import Attempt, advance
from runner.report.publish import published_files
from runner.sync import Synced, record
from runner.telling import announce as module
from runner.telling.announce import announce
from runner.telling.cadence import FILE

GITHUB = f"{SETTINGS}forge: github\n"
HOOKED = f"{GITHUB}webhook: CHAT_URL\n"
NEVER = "2099-01-01T00:00:00Z"


class RecordingForge(NoForge):
    """A forge that writes down what it is told, or does not answer."""

    name = "recording"

    def __init__(self, requests: dict[str, int] | None = None) -> None:
        self.written: list[Status] = []
        self.comments: dict[tuple[int, str], str] = {}
        self.requests = requests or {}
        self.fault: Exception | None = None

    def set_statuses(self, statuses: Iterable[Status]) -> None:
        if self.fault:
            raise self.fault
        for status in statuses:
            assert len(status.commit) == 40
            if self.shown.get((status.commit, status.context)) != status:
                self.written.append(status)

    def comment(self, number: int, marker: str, body: str) -> None:
        if self.fault:
            raise self.fault
        assert body.startswith(f"{marker}\n")
        self.comments[number, marker] = body

    def merged_by(self, commit: str) -> int | None:
        return self.requests.get(commit)

    def link(self, reference: str, path: str, line: int | None = None) -> str:
        return f"https://forge.example/{reference}/{path}"

    @property
    def shown(self) -> dict[tuple[str, str], Status]:
        return {(status.commit, status.context): status for status in self.written}

    def at(self, commit: str, name: str = "one") -> tuple[str, str]:
        status = self.shown[commit, f"runner/{name}"]
        return status.state, status.description


@pytest.fixture
def make_registry(make_repository: MakeRepository) -> Callable[..., PlannedRegistry]:
    def make(settings: str = GITHUB, **specs: str) -> PlannedRegistry:
        files = {f"experiments/{name}.yaml": text for name, text in specs.items()}
        return PlannedRegistry.with_files(
            make_repository(),
            {"registry.yaml": settings, **(files or {"experiments/one.yaml": SPEC})},
        )

    return make


def head(registry: PlannedRegistry) -> str:
    return git(registry.folder, "rev-parse", "HEAD")


def tell(registry: PlannedRegistry, forge: RecordingForge, *names: str, **given: Any) -> Any:
    return announce(registry.workspace, forge, registry.snapshot, names, **given)


def ended(attempt: Attempt, **changes: Any) -> Attempt:
    values = {"outcome": "succeeded", "ended_at": "2026-01-02T00:00:00Z", **changes}
    return advance(attempt, "ended", **values)


def end(registry: PlannedRegistry, forge: NoForge, run_id: str, **changes: Any) -> Synced:
    """Record an end as `sync` does."""
    snapshot = registry.snapshot
    found = snapshot.records([run_id])[run_id]
    return record(registry.workspace, forge, snapshot, {run_id: ended(found.latest, **changes)})


def outbox(registry: PlannedRegistry) -> Outbox:
    return read_outbox(registry.snapshot)


def wait_a_little(registry: PlannedRegistry) -> None:
    """As if minutes had passed, or another clone were asked."""
    (registry.workspace.state / FILE).unlink(missing_ok=True)


# Runs


def test_a_run_is_told_from_its_start_to_its_end(make_registry: Any) -> None:
    registry, forge = make_registry(), RecordingForge()
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z", step=4, steps=8)
    forge.requests = {head(registry): 7}
    assert tell(registry, forge, "one") == ()
    assert forge.at(head(registry)) == ("pending", "step 4/8")
    ((number, marker),) = forge.comments
    assert (number, marker) == (7, "<!-- rollbook:run:v1 one -->")
    assert "step 4/8" in forge.comments[number, marker]

    synced = end(registry, forge, run_id, metrics={"reward/mean": 1.3})
    assert synced.untold == ()
    assert forge.at(head(registry)) == ("success", "reward/mean 1.3")
    (status,) = {s.url for s in forge.written}
    assert status == "https://forge.example/runs/experiments/one/README.md"
    assert list(forge.comments) == [(7, "<!-- rollbook:run:v1 one -->")]
    assert "✅ reward/mean 1.3" in forge.comments[number, marker]
    assert outbox(registry) == Outbox()


def test_what_a_dead_process_did_not_tell_the_next_one_tells(make_registry: Any) -> None:
    registry, forge = make_registry(), RecordingForge()
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z")
    workspace = registry.workspace

    def step(newest: Snapshot) -> Changes:
        draft = Draft(newest)
        found = newest.records([run_id])[run_id]
        after = found.with_latest(ended(found.latest))
        draft.put_record(after)
        for path, content in published_files(workspace, newest, [after]).items():
            draft.put(path, content)
        return draft.changes("Ended, and the process died here")

    workspace.ledger.transact(step)
    assert [event.experiment for event in outbox(registry).forge] == ["one"]
    tell(registry, forge)
    assert forge.at(head(registry)) == ("success", "1 run succeeded")
    assert outbox(registry) == Outbox()
    before = registry.snapshot.commit
    tell(registry, forge)
    assert registry.snapshot.commit == before


@pytest.mark.parametrize("fault", [OutsideError("no answer"), NotPermitted("read-only")])
def test_a_fault_of_the_forge_loses_nothing(
    make_registry: Any, fault: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    registry, forge = make_registry(), RecordingForge()
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z")
    forge.fault = fault
    synced = end(registry, forge, run_id)
    assert [one.latest.outcome for one in synced.changed] == ["succeeded"]
    assert synced.untold
    assert str(fault) in capsys.readouterr().err
    assert registry.snapshot.records([run_id])[run_id].latest.outcome == "succeeded"
    assert outbox(registry).forge

    forge.fault = None
    tell(registry, forge)
    assert forge.written == []  # not asked again in the same minute
    wait_a_little(registry)
    assert tell(registry, forge) == ()
    assert forge.at(head(registry))[0] == "success"
    assert outbox(registry) == Outbox()


def test_who_has_no_token_leaves_the_telling_to_others(make_registry: Any) -> None:
    registry, forge = make_registry(), RecordingForge()
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z")
    assert end(registry, NoForge(), run_id).untold == ()
    assert outbox(registry).forge
    tell(registry, forge)
    assert forge.at(head(registry))[0] == "success"
    assert outbox(registry) == Outbox()


def test_progress_is_told_rarely_and_what_is_new_at_once(make_registry: Any) -> None:
    registry, forge = make_registry(), RecordingForge()
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z", step=1, steps=8)
    for step in range(1, 6):
        registry.advance(run_id, step=step)
        tell(registry, forge, "one")
    assert [status.description for status in forge.written] == ["step 1/8"]
    wait_a_little(registry)
    tell(registry, forge, "one")
    registry.advance(run_id, state="waiting", reason="pulling data", started_at=None)
    tell(registry, forge, "one")
    assert [status.description[:20] for status in forge.written] == [
        "step 1/8",
        "step 5/8",
        "waiting: pulling dat",
    ]


def test_what_was_told_when_may_be_lost(make_registry: Any) -> None:
    registry, forge = make_registry(), RecordingForge()
    registry.run("running", started_at="2026-01-01T00:00:00Z", step=1, steps=8)
    for content in ("", "[]", '{"one": 3}', '{"one": ["key", 1e308, false]}'):
        registry.workspace.state.mkdir(exist_ok=True)
        (registry.workspace.state / FILE).write_text(content)
        assert tell(registry, forge, "one") == ()
    assert forge.at(head(registry)) == ("pending", "step 1/8")


def test_a_fault_is_said_once_a_minute_however_often_it_is_looked(
    make_registry: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    registry, forge = make_registry(), RecordingForge()
    tell(registry, forge, plan=over_ceiling(registry))
    registry.commit(one=SPEC.replace("steps: 2", "steps: 3"))
    forge.fault = OutsideError("no answer")
    tell(registry, forge, plan=over_ceiling(registry))
    said = capsys.readouterr().err.count("no answer")
    assert said == 2  # the experiment, and the last word on its former commit
    assert tell(registry, forge) == ()
    assert capsys.readouterr().err == ""
    assert outbox(registry).notes


def test_two_requests_merged_quickly_are_both_told(make_registry: Any) -> None:
    registry = make_registry()
    first = head(registry)
    second = registry.commit(two=SPEC.replace("steps: 2", "steps: 3"))
    forge = RecordingForge({first: 1, second: 2})
    for run_id in registry.run("running", started_at="2026-01-01T00:00:00Z"):
        end(registry, forge, run_id)
    assert {key for key in forge.shown if key[1] == "runner/one"} == {
        (first, "runner/one"),
        (second, "runner/one"),  # launched from there
    }
    assert forge.at(first)[0] == "success"
    assert set(forge.comments) == {
        (1, "<!-- rollbook:run:v1 one -->"),
        (2, "<!-- rollbook:run:v1 two -->"),
    }


def test_a_former_version_is_told_at_its_own_commit(make_registry: Any) -> None:
    registry, forge = make_registry(), RecordingForge()
    (old,) = registry.run("running", started_at="2026-01-01T00:00:00Z")
    first = head(registry)
    tell(registry, forge, "one")
    second = registry.commit(one=SPEC.replace("steps: 2", "steps: 3"))
    registry.run("running", started_at="2026-01-01T00:00:00Z")
    forge.requests = {first: 1, second: 2}
    end(registry, forge, old, outcome="cancelled")
    assert forge.at(first) == ("failure", "cancelled")
    assert forge.at(second) == ("pending", "step 0")
    marker = "<!-- rollbook:run:v1 one -->"
    assert "cancelled" in forge.comments[1, marker]
    assert "cancelled" not in forge.comments[2, marker]


def test_any_seed_that_failed_is_a_failure(make_registry: Any) -> None:
    registry, forge = make_registry(one=f"{SPEC}seeds: [1, 2]\n"), RecordingForge()
    first, second = registry.run("running", started_at="2026-01-01T00:00:00Z")
    end(registry, forge, first, outcome="failed", reason="failed at step 1: no disk")
    assert forge.at(head(registry)) == (
        "failure",
        "seed 1: failed at step 1: no disk; 1 run still going",
    )
    end(registry, forge, second)
    assert forge.at(head(registry)) == ("failure", "seed 1: failed at step 1: no disk")


def test_without_anybody_to_tell_the_ledger_keeps_no_outbox(make_registry: Any) -> None:
    registry, forge = make_registry(SETTINGS), RecordingForge()
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z")
    end(registry, forge, run_id)
    assert forge.written == []
    assert registry.snapshot.read(OUTBOX) is None


# What was not launched

MANUAL = f"{SPEC}launch: manual\n"
BROKEN = SPEC.replace("learning_rate: 1.0e-6", "learning_rat: 1")


def test_held_and_refused_ones_say_why_at_the_commit_that_brought_them(make_registry: Any) -> None:
    registry = make_registry(one=MANUAL, two=BROKEN)
    brought = head(registry)
    registry.commit({"README.md": "another change\n"})
    forge = RecordingForge()
    assert tell(registry, forge, plan=registry.plan(head(registry))) == ()
    state, text = forge.at(brought)
    assert (state, text) == (
        "success",
        "not launched yet: launch: manual, lifted by runner launch one",
    )
    assert forge.at(brought, "two")[0] == "failure"
    assert forge.at(brought, "two")[1].startswith("refused: ")
    urls = {status.url for status in forge.written}
    assert f"https://forge.example/{brought}/experiments/one.yaml" in urls

    before, count = registry.snapshot.commit, len(forge.written)
    wait_a_little(registry)
    tell(registry, forge, plan=registry.plan(head(registry)))
    assert (registry.snapshot.commit, len(forge.written)) == (before, count)


def over_ceiling(registry: PlannedRegistry) -> Any:
    plan = registry.plan(head(registry))
    reason = "new; $270 more would make $6,500 of $6,000 this month; alice may lift it"
    changed = {"action": "hold", "lifted_by": "owner", "reason": reason}
    actions = tuple(action.model_copy(update=changed) for action in plan.actions)
    return plan.model_copy(update={"actions": actions})


def test_what_is_over_a_ceiling_waits_until_it_is_lifted(make_registry: Any) -> None:
    registry, forge = make_registry(), RecordingForge()
    brought = head(registry)
    tell(registry, forge, plan=over_ceiling(registry))
    assert forge.at(brought) == (
        "pending",
        "held: $270 more would make $6,500 of $6,000 this month; alice may lift it",
    )
    registry.commit({"README.md": "another change\n"})
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z")
    tell(registry, forge, "one", plan=registry.plan(head(registry)))
    assert forge.at(brought) == forge.at(head(registry))
    end(registry, forge, run_id)
    assert forge.at(brought) == ("success", "1 run succeeded")
    assert outbox(registry) == Outbox()


@pytest.mark.parametrize("edit", [True, False])
def test_a_held_file_that_is_edited_or_deleted_leaves_nothing_pending(
    make_registry: Any, edit: bool
) -> None:
    registry, forge = make_registry(), RecordingForge()
    brought = head(registry)
    tell(registry, forge, plan=over_ceiling(registry))
    if edit:
        newer = registry.commit(one=SPEC.replace("steps: 2", "steps: 3"))
        tell(registry, forge, plan=over_ceiling(registry))
        assert forge.at(newer)[0] == "pending"
    else:
        registry.remove("one")
        tell(registry, forge, plan=registry.plan(head(registry)))
        assert outbox(registry) == Outbox()
    state, text = forge.at(brought)
    assert (state, text[:20]) == ("failure", f"not launched: {'edited' if edit else 'delete'}")
    assert outbox(registry).notes == ()


def test_a_held_seed_keeps_an_experiment_from_being_a_success(make_registry: Any) -> None:
    registry, forge = make_registry(), RecordingForge()
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z")
    tell(registry, forge, plan=over_ceiling(registry))
    assert forge.at(head(registry))[1].startswith("step 0")
    end(registry, forge, run_id)
    assert forge.at(head(registry))[0] == "pending"
    assert forge.at(head(registry))[1].startswith("held: ")


# The webhook


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a webhook got: its HTTP is tested in test_webhook.py."""
    found: list[str] = []
    monkeypatch.setenv("CHAT_URL", "https://chat.example/secret")
    monkeypatch.setattr(module.Webhook, "send", lambda self, lines: found.extend(lines))
    return found


def test_an_end_is_sent_once_even_when_the_forge_does_not_answer(
    make_registry: Any, messages: list[str]
) -> None:
    registry, forge = make_registry(HOOKED), RecordingForge()
    forge.fault = OutsideError("no answer")
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z")
    reason = "failed at step 1: <!channel> no disk"
    end(registry, forge, run_id, outcome="failed", reason=reason, cost_usd=3.5)
    (line,) = messages
    seed = registry.snapshot.records([run_id])[run_id].seed
    assert line == (
        f"❌ <https://forge.example/runs/experiments/one/README.md|one>, seed {seed}: "
        f"failed at step 1: &lt;!channel&gt; no disk, $3.50 · `runner retry {run_id}`"
    )
    for _ in range(2):
        wait_a_little(registry)
        tell(registry, forge)
    assert len(messages) == 1
    assert outbox(registry).webhook == ()
    assert outbox(registry).forge


def test_a_webhook_that_fails_is_told_again(
    make_registry: Any, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, forge = make_registry(HOOKED), RecordingForge()
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z")

    def refuse(self: object, lines: object) -> None:
        raise OutsideError("HTTP status 500")

    with monkeypatch.context() as patch:
        patch.setattr(module.Webhook, "send", refuse)
        assert end(registry, forge, run_id).untold == ("HTTP status 500",)
    assert forge.at(head(registry))[0] == "success"
    assert len(outbox(registry).webhook) == 1
    wait_a_little(registry)
    tell(registry, forge)
    assert len(messages) == 1
    assert outbox(registry) == Outbox()


def test_a_long_wait_is_said_once_per_attempt(make_registry: Any, messages: list[str]) -> None:
    registry, forge = make_registry(HOOKED), RecordingForge()
    (run_id,) = registry.run("waiting", reason="for H100:8 on k8s")
    for _ in range(3):
        wait_a_little(registry)
        tell(registry, forge, "one")
    assert len(messages) == 1
    assert "waiting for H100:8 on k8s since" in messages[0]
    end(registry, forge, run_id)
    assert len(messages) == 2
    assert outbox(registry) == Outbox()


def test_a_short_wait_is_not_said(make_registry: Any, messages: list[str]) -> None:
    registry = make_registry(HOOKED)
    registry.run("waiting", claimed_at=NEVER)
    tell(registry, RecordingForge(), "one")
    assert messages == []


def test_without_its_variable_it_is_left_to_others(
    make_registry: Any, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, forge = make_registry(HOOKED), RecordingForge()
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z")
    with monkeypatch.context() as patch:
        patch.delenv("CHAT_URL")
        assert end(registry, forge, run_id).untold == ()
    assert len(outbox(registry).webhook) == 1
    wait_a_little(registry)
    tell(registry, forge)
    assert len(messages) == 1
