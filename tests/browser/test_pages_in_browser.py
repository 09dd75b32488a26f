"""What a person sees: plan comments and an experiment's page, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page
from render_pages import WIDTH, show
from report_values import make_report

from runner.report.pages import experiment_files

ROOT = Path(__file__).resolve().parents[2]
COMMENTS = sorted((ROOT / "tests" / "report" / "golden" / "plan").glob("*.md"))
SCREEN = 1000
"""Pixels that a comment takes before anything is unfolded."""
LOADED = "image => image.complete && image.naturalWidth > 0"


def seen(page: Page) -> str:
    return page.locator("main").inner_text()


def unfold(page: Page) -> None:
    for summary in page.locator("summary").all():
        summary.click()


def check_reads_well(page: Page) -> None:
    """Nothing runs out of the page, and no markup is seen as text."""
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH
    text = seen(page)
    for garbage in ("<details>", "</details>", "<summary>", "<sub>", "**", "&lt;", "&amp;", "\\|"):
        assert garbage not in text
    assert all(
        table.locator("tbody tr").count() > 0 and table.locator("th").count() > 1
        for table in page.locator("table").all()
    )


@pytest.mark.parametrize("file", COMMENTS, ids=lambda file: file.stem)
def test_a_plan_comment(file: Path, page: Page, tmp_path: Path) -> None:
    show(page, file.read_text(encoding="utf-8"), tmp_path, file.stem)
    check_reads_well(page)
    assert "rollbook:plan" not in seen(page)
    if file.stem == "nothing":
        return
    assert page.locator("h3").count() == 1
    assert page.locator("h3").bounding_box()["y"] < 60  # type: ignore[index]
    assert page.locator("main").bounding_box()["height"] < SCREEN  # type: ignore[index]
    unfold(page)
    check_reads_well(page)


def test_what_is_folded_opens_on_a_click(page: Page, tmp_path: Path) -> None:
    text = (ROOT / "tests/report/golden/plan/new.md").read_text(encoding="utf-8")
    show(page, text, tmp_path, "new")
    table = page.locator("details table").first
    assert not table.is_visible()
    page.locator("summary").first.click()
    assert table.is_visible()


def test_short_cells_stay_on_one_line(page: Page, tmp_path: Path) -> None:
    text = (ROOT / "tests/report/golden/plan/changed.md").read_text(encoding="utf-8")
    show(page, text, tmp_path, "changed")
    lines = "cell => { const range = document.createRange(); range.selectNodeContents(cell);"
    lines += " return range.getClientRects().length }"
    for column in (1, 4, 5, 6, 7, 8):
        cell = page.locator(f"tbody tr:first-child td:nth-child({column})").first
        assert cell.evaluate(lines) == 1


def test_a_mended_line_is_seen_at_once(page: Page, tmp_path: Path) -> None:
    text = (ROOT / "tests/report/golden/plan/misspelt.md").read_text(encoding="utf-8")
    show(page, text, tmp_path, "misspelt")
    block = page.locator("pre code.language-diff, pre[lang=diff] code")
    assert block.is_visible()
    before, after = block.inner_text().splitlines()
    assert before.startswith("-")
    assert after.startswith("+")


def test_a_link_leads_to_the_line(page: Page, tmp_path: Path) -> None:
    text = (ROOT / "tests/report/golden/plan/misspelt.md").read_text(encoding="utf-8")
    show(page, text, tmp_path, "misspelt")
    address = page.locator("main a").first.get_attribute("href") or ""
    assert address.endswith("/experiments/gsm8k/grpo-qwen2.5-1.5b.yaml#L5")


def test_an_experiment_s_page(page: Page, tmp_path: Path) -> None:
    files = experiment_files("sums/grpo", [make_report(seed) for seed in (1, 2, 3)])
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    (readme,) = [path for path in files if path.endswith("README.md")]
    show(page, files[readme], tmp_path, "page", (tmp_path / readme).parent)
    check_reads_well(page)
    assert page.locator("h1").count() == 1
    images = page.locator("img").all()
    assert images
    assert all(image.evaluate(LOADED) for image in images)
    unfold(page)
    check_reads_well(page)
