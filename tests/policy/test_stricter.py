"""What two registry.yaml permit both."""

from __future__ import annotations

from typing import Any

import pytest

from runner.policy.stricter import stricter
from runner.registry import Registry
from runner.rules.policy import permitted_secrets


def registry(**settings: Any) -> Registry:
    base = {"apiVersion": "rollbook/v1", "lineage": "0a" * 16}
    return Registry.model_validate({**base, **settings})


PATTERNS = ["*", "a", "a/*", "a/b/*", "*/b", "a*", "a/?", "[ab]/*", "b"]
NAMES = ["a", "b", "a/b", "a/b/c", "a/c", "b/c", "c/b", "ab", "x"]


@pytest.mark.parametrize("former", PATTERNS)
def test_a_secret_is_permitted_only_where_both_permit_it(former: str) -> None:
    for later in PATTERNS:
        one, other = registry(secrets={former: ["KEY"]}), registry(secrets={later: ["KEY"]})
        both = stricter(one, other)
        for name in NAMES:
            permitted = permitted_secrets(both, name)
            assert permitted <= permitted_secrets(one, name) & permitted_secrets(other, name)


@pytest.mark.parametrize(
    ("former", "later", "name"),
    [("a/*", "a/*", "a/x"), ("*", "a/*", "a/x"), ("a/*", "*", "a/x"), ("a/?", "a/?", "a/x")],
)
def test_what_both_say_stays_permitted(former: str, later: str, name: str) -> None:
    one = registry(secrets={former: ["KEY", "OLD"], "x": ["MORE"]})
    other = registry(secrets={later: ["NEW", "KEY"]})
    assert permitted_secrets(stricter(one, other), name) == {"KEY"}


def test_the_lower_ceiling_counts_and_one_that_is_set_counts_over_none() -> None:
    one = registry(policy={"gpus_at_once": 8, "usd_per_month": 10, "usd_per_apply": 3})
    other = registry(policy={"gpus_at_once": 16, "usd_per_month": 9, "launches_per_apply": 2})
    for policy in (stricter(one, other).policy, stricter(other, one).policy):
        assert policy.model_dump(exclude_none=True, exclude={"owners"}) == {
            "gpus_at_once": 8,
            "usd_per_month": 9,
            "usd_per_apply": 3,
            "launches_per_apply": 2,
        }


def test_a_renamed_webhook_is_the_former_and_a_removed_one_is_none() -> None:
    told, renamed, silent = registry(webhook="A"), registry(webhook="B"), registry()
    assert stricter(told, renamed).webhook == "A"
    assert stricter(told, silent).webhook is None
    assert stricter(silent, told).webhook is None
