"""The curve of `benchmarks.scale` over the sizes of registries, as an SVG."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

WIDTH, HEIGHT = 7.6, 3.8


def draw_growth(results: Sequence[Path], target: Path) -> None:
    """Draw the seconds of each operation over the specs of its registry, both logarithmic."""
    from matplotlib.figure import Figure

    measured = [json.loads(path.read_text()) for path in results]
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    lines: dict[str, list[tuple[int, float]]] = {}
    for one in sorted(measured, key=lambda found: int(found["specs"])):
        for what, row in one["rows"].items():
            lines.setdefault(_plain(what), []).append((one["specs"], row["seconds"]))
    # The legend stands beside the lines, in the order in which they end.
    for what, points in sorted(lines.items(), key=lambda line: -line[1][-1][1]):
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=what)
    axes.set(xscale="log", yscale="log", xlabel="specs in the registry", ylabel="processor seconds")
    axes.grid(visible=True, color="#e3e6ea")
    figure.legend(loc="outside right center", fontsize=7, frameon=False)
    figure.savefig(target, metadata={"Date": None})


def _plain(what: str) -> str:
    """Return the name of an operation without how many runs there were."""
    return f"sync, {what.rpartition(', ')[2]}" if what.startswith("sync") else what
