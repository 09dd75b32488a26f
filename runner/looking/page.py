"""The page of an experiment or of a run, in the terminal."""

from __future__ import annotations

from runner import screen
from runner.planning.asked import newest_snapshot
from runner.report.experiment_page import experiment_page, groups_of
from runner.report.markdown import to_markdown
from runner.report.reports import report_of, reports_of
from runner.report.run_page import run_page
from runner.report.terminal import show_page as print_in_terminal
from runner.workspace import Workspace


def show_page(workspace: Workspace, name: str, *, markdown: bool) -> None:
    """Print the page of an experiment, or of one run."""
    snapshot = newest_snapshot(workspace)
    entry = snapshot.experiment(name)
    if entry is None:
        page = run_page(report_of(workspace, snapshot, snapshot.find(name)))
    else:
        reports = reports_of(workspace, snapshot, entry)
        former = [run_id for run_id in entry.history if run_id not in entry.runs]
        history = list(snapshot.records(former).values())
        page = experiment_page(name, groups_of(reports), history)
    if markdown:
        screen.print_result(to_markdown(page))
    else:
        print_in_terminal(page)
