"""Of two registry.yaml, what both permit.

Ceilings are the lower ones, owners, secrets and variables those that both name; all else is as the
later one says.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from runner.registry import Policy, Registry


def stricter(former: Registry, later: Registry) -> Registry:
    """Return `later`, with nothing permitted that `former` does not permit."""
    return later.model_copy(
        update={
            "policy": _policy(former, later),
            "secrets": _secrets(former, later),
            "node_variables": _in_both(former.node_variables, later.node_variables),
            # Another name is another place, so the former counts; none is nobody to tell.
            "webhook": former.webhook if later.webhook else None,
        }
    )


def _in_both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in one if name in other)


# Ceilings and owners


def _policy(former: Registry, later: Registry) -> Policy:
    ceilings = {
        name: _lower(getattr(former.policy, name), getattr(later.policy, name))
        for name in Policy.model_fields
        if name != "owners"
    }
    return later.policy.model_copy(update={**ceilings, "owners": _owners(former, later)})


def _lower(one: float | None, other: float | None) -> float | None:
    set_ones = [limit for limit in (one, other) if limit is not None]
    return min(set_ones, default=None)


def _owners(former: Registry, later: Registry) -> tuple[str, ...]:
    """Return the owners by both; without a forge any name will do, as owners there lift nothing.

    There no owner at all is what permits: anyone may lift then.
    """
    if later.forge == "none":
        return former.policy.owners or later.policy.owners
    named = {owner.casefold() for owner in later.policy.owners}
    return tuple(owner for owner in former.policy.owners if owner.casefold() in named)


# Secrets


def _secrets(former: Registry, later: Registry) -> dict[str, tuple[str, ...]]:
    """Return per pattern of names what both permit.

    Of two patterns the narrower one counts. Where two overlap and neither holds the other, no
    pattern says what both do, and nothing is permitted by them.
    """
    found: dict[str, dict[str, None]] = {}
    for one, names in former.secrets.items():
        for other, later_names in later.secrets.items():
            pattern = _narrower(one, other)
            if pattern and (both := _in_both(names, later_names)):
                found.setdefault(pattern, {}).update(dict.fromkeys(both))
    return {pattern: tuple(names) for pattern, names in found.items()}


def _narrower(one: str, other: str) -> str | None:
    """Return which of two patterns matches only what the other matches too, None where neither."""
    if one == other or _holds(other, one):
        return one
    return other if _holds(one, other) else None


def _holds(pattern: str, other: str) -> bool:
    """Whether `pattern` matches whatever `other` does: of patterns with no sign but `*`.

    Then it matches the other's own text, as only a `*` of it takes in a `*` of the other.
    """
    return not set("?[") & set(pattern + other) and fnmatchcase(other, pattern)
