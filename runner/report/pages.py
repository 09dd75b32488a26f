"""The files that a report consists of, by path on the ledger: Markdown, SVG and JSON.

A run's files together stay below 50 KB (`LIMIT`): the ledger is a git branch that everyone fetches.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from runner.ledger.documents import METRICS
from runner.ledger.record import RunRecord, folder
from runner.report.curves import Curve, Curves
from runner.report.experiment_page import Group, experiment_page, groups_of, page_path
from runner.report.markdown import to_markdown
from runner.report.plots import draw_plots
from runner.report.run_page import run_page
from runner.report.sections import RunReport

LIMIT = 50_000
"""Bytes of text and SVG of one run on the ledger."""
_POINTS = 640
"""Points of all curves in metrics.json together: about 10 KB."""
_LONGEST = 100
"""Points of one curve in metrics.json."""


def run_files(report: RunReport) -> dict[str, str]:
    """Return README.md, metrics.json and plots/*.svg of a run, by path on the ledger branch."""
    plots = draw_plots(report.spec, {report.record.seed: report.curves}) if report.curves else {}
    files = {
        "README.md": to_markdown(run_page(report, tuple(plots))),
        METRICS: metrics_json(report.curves),
        **plots,
    }
    return {f"{folder(report.record.run_id)}/{path}": text for path, text in files.items()}


def experiment_files(
    name: str, runs: Sequence[RunReport], history: Sequence[RunRecord] = ()
) -> dict[str, str]:
    """Return README.md and plots/*.svg of an experiment, by path on the ledger branch.

    `runs` are those of its present spec, `history` those of its earlier versions.
    """
    drawn: dict[str, str] = {}
    groups: list[Group] = []
    for index, group in enumerate(groups_of(runs)):
        seeds = {one.record.seed: one.curves for one in group.runs if one.curves}
        plots = draw_plots(group.runs[0].spec, seeds) if seeds else {}
        named = {path.replace("plots/", f"plots/{index + 1}/", bool(group.point)): svg
                 for path, svg in plots.items()}  # fmt: skip
        drawn |= named
        groups.append(group._replace(plots=tuple(named)))
    page = to_markdown(experiment_page(name, groups, history))
    base = page_path(name).removesuffix("README.md")
    return {f"{base}{path}": text for path, text in {"README.md": page, **drawn}.items()}


def metrics_json(curves: Curves) -> str:
    """Return `{"final": {name: value}, "curves": {name: [[step, value], …]}}` of canonical metrics.

    Values have 6 significant digits, null stands for what is no number, and curves are thinned out
    to at most 100 points, fewer when there are many, never losing first, last, min and max.
    """
    found = curves.canonical
    limit = max(4, min(_LONGEST, _POINTS // max(1, len(found))))
    content = {
        "final": {name: _rounded(curve.last) for name, curve in found.items()},
        "curves": {name: _points(curve, limit) for name, curve in found.items()},
    }
    return json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"


def _points(curve: Curve, limit: int) -> list[list[Any]]:
    return [[step, _rounded(value)] for step, value in curve.downsample(limit).points]


def _rounded(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
