"""A real browser: without one these tests are skipped, unless it is mandatory.

Debian's package `chromium` is enough; RUNNER_TESTS_MANDATORY=browser makes its lack a failure.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from render_pages import CHROMIUM, browser_page

# The values that reports are made of are those of the reports' own tests.
sys.path.append(str(Path(__file__).resolve().parents[1] / "report"))


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page of a browser that reaches no network."""
    if not CHROMIUM.exists():
        reason = f"no {CHROMIUM}: apt-get install chromium"
        if "browser" in os.environ.get("RUNNER_TESTS_MANDATORY", ""):
            pytest.fail(reason)
        pytest.skip(reason)
    with browser_page() as opened:
        yield opened
