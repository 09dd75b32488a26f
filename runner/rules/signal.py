"""Rules on what a reward can teach."""

from __future__ import annotations

from collections.abc import Iterator

from runner.findings import Finding
from runner.forecast.signal import share_without_signal, size_for
from runner.rules.base import Subject

MOST = 0.2
"""Share of groups without a gradient from which on it is said."""


def groups(subject: Subject) -> Iterator[Finding]:
    """Few groups of answers score all the same, at the pass rate of an earlier run."""
    earlier, algorithm = subject.context.earlier, subject.spec.algorithm
    terms = algorithm.terms() if algorithm else None
    if earlier is None or terms is None or not terms.is_grouped or terms.dynamic_sampling:
        return
    size = terms.group_size
    told = [
        (share_without_signal(rate.value, size), rate)
        for rate in earlier.pass_rates(subject.name, subject.spec)
    ]
    if not told or max(share for share, _ in told) < MOST:
        return
    parts = [
        f"at {rate.metric} {rate.value:.3g} ({rate.when} of run {rate.run_id}) at least "
        f"{share:.0%} of groups of {size} give no gradient"
        for share, rate in told
    ]
    first = told[0][1].value
    larger = size_for(first, MOST)
    cure = "take harder prompts" if first > 0.5 else "take easier prompts, or a warmer start"
    if larger and larger > size:
        cure += f"; groups of {larger} would leave {MOST:.0%} at {first:.3g}"
    yield subject.at(("algorithm", "group_size"), "; ".join(parts), cure)
