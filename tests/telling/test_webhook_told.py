"""What a webhook is told: an end once, a long wait once per attempt."""

from __future__ import annotations

from typing import Any

import pytest
from told_registry import HOOKED, NEVER, RecordingForge, end, head, outbox, tell, wait_a_little

from runner.errors import OutsideError
from runner.ledger.outbox import Outbox
from runner.telling import announce as module


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
