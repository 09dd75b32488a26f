"""How many groups of answers teach nothing, because all of them score the same.

With a reward of 0 or 1 and an estimator that compares the answers to one prompt, a group whose
answers are all right or all wrong has no advantage, hence no gradient.
"""

from __future__ import annotations


def share_without_signal(pass_rate: float, group_size: int) -> float:
    """Return the least share of groups without a gradient: p^n + (1-p)^n.

    At a mean pass rate it is a lower bound: the function is convex in p (for n >= 2), so that
    prompts that differ in difficulty give more (Jensen's inequality).
    """
    return pass_rate**group_size + (1.0 - pass_rate) ** group_size


def size_for(pass_rate: float, share: float, largest: int = 64) -> int | None:
    """Return the smallest group, up to `largest`, that leaves at most `share` without signal."""
    sizes = range(2, largest + 1)
    return next((n for n in sizes if share_without_signal(pass_rate, n) <= share), None)
