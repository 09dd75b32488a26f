"""Markdown as a person sees it on GitHub: by GitHub's own renderer, in a real browser.

    .venv/bin/python tests/browser/render_pages.py FILE.md… --into FOLDER

makes a picture of each file. cmark-gfm is what GitHub renders Markdown with; what it cleans away
(scripts, event handlers) its filter for tags stands for here. The style is our own and resembles
GitHub's; 900 px is about the width of a comment there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cmarkgfm.cmark import Options, markdown_to_html_with_extensions
from playwright.sync_api import Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
WIDTH = 900
EXTENSIONS = ["table", "autolink", "tagfilter", "strikethrough", "tasklist"]

STYLE = """
body { margin: 0; background: #f6f8fa; }
main { margin: 16px; padding: 16px; background: #fff; border: 1px solid #d1d9e0;
  border-radius: 6px; color: #1f2328; word-wrap: break-word; font: 14px/1.5 -apple-system,
  "Segoe UI", "Noto Sans", Helvetica, Arial, "Liberation Sans", sans-serif, "Noto Color Emoji"; }
h1, h2, h3 { margin: 0 0 16px; font-weight: 600; line-height: 1.25; }
h1 { font-size: 2em; } h2 { font-size: 1.5em; } h3 { font-size: 1.25em; }
h1, h2 { padding-bottom: .3em; border-bottom: 1px solid #d1d9e0b3; }
p, ul, table, pre, details { margin: 0 0 16px; }
ul { padding-left: 2em; } li + li { margin-top: .25em; }
a { color: #0969da; text-decoration: underline; }
code { padding: .2em .4em; font: 85% ui-monospace, "Liberation Mono", monospace;
  background: #818b981f; border-radius: 6px; }
pre { padding: 16px; overflow: auto; background: #f6f8fa; border-radius: 6px; }
pre code { padding: 0; background: none; }
table { display: block; width: max-content; max-width: 100%; overflow: auto;
  border-collapse: collapse; }
th, td { padding: 6px 13px; border: 1px solid #d1d9e0; } th { font-weight: 600; }
tr:nth-child(2n) { background: #f6f8fa; }
img { max-width: 100%; } summary { cursor: pointer; } sub { font-size: 75%; }
"""


def to_html(markdown: str, base: Path | None = None) -> str:
    """Return a page as GitHub shows it; pictures are looked for in `base`."""
    # Comments keep line breaks; raw HTML is let through and filtered by tag, as GitHub does.
    options = Options.CMARK_OPT_HARDBREAKS | Options.CMARK_OPT_UNSAFE
    body = markdown_to_html_with_extensions(markdown, options=options, extensions=EXTENSIONS)
    where = f'<base href="{base.resolve().as_uri()}/">' if base else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>page</title>{where}'
        f"<style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    )


@contextmanager
def browser_page() -> Iterator[Page]:
    """Yield a page of a browser of its own, which reaches no network."""
    arguments = ["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        try:
            context = browser.new_context(viewport={"width": WIDTH, "height": 800})
            page = context.new_page()
            page.route(lambda url: url.startswith("http"), lambda route: route.abort())
            yield page
        finally:
            browser.close()


def show(page: Page, markdown: str, folder: Path, name: str, base: Path | None = None) -> Path:
    """Load a page of Markdown, which is kept in `folder`; return its file."""
    file = folder / f"{name}.html"
    file.write_text(to_html(markdown, base), encoding="utf-8")
    page.goto(file.resolve().as_uri())
    return file


def main() -> None:
    """Make a picture of each file, folded and unfolded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--into", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True, exist_ok=True)
    with browser_page() as page:
        for file in arguments.files:
            show(page, file.read_text(encoding="utf-8"), arguments.into, file.stem, file.parent)
            page.screenshot(path=arguments.into / f"{file.stem}.png", full_page=True)
            page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true })")
            page.screenshot(path=arguments.into / f"{file.stem}-open.png", full_page=True)


if __name__ == "__main__":
    main()
