"""What this machine writes where others read it holds no secret that registry.yaml names."""

from __future__ import annotations

import pytest

from runner.policy.secrecy import redactor
from runner.registry import Registry

REGISTRY = Registry.model_validate(
    {
        "apiVersion": "rollbook/v1",
        "lineage": "0a" * 16,
        "secrets": {"**": ["HF_TOKEN"]},
        "node_variables": ["AWS_SECRET_ACCESS_KEY"],
        "webhook": "TEAM_WEBHOOK",
    }
)


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "TEAM_WEBHOOK", "GITHUB_TOKEN", "GH_TOKEN"]
)
def test_a_drivers_words_lose_the_values(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "canary-value")
    said = "403 for key canary-value at https://host/canary-value"
    assert redactor(REGISTRY).text(said) == "403 for key *** at https://host/***"


def test_other_words_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME_OFFICE", "canary-value")
    monkeypatch.setenv("HF_TOKEN", "")
    assert redactor(REGISTRY).text("canary-value") == "canary-value"
