"""Temporal's UI in a real browser: what a person sees of a workflow."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from playwright.sync_api import TimeoutError as LateError

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
SHOTS = os.environ.get("LASTGOOD_SCREENSHOTS")
"""A folder for pictures; `make screenshots` sets it."""
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
_SIZE = {"width": 1360, "height": 2000}
"""High enough for all rows: the UI draws only those of a timeline that are in the window."""
_LEFT = 262
"""Where its navigation ends."""
_PAGE, _PATIENCE = 30_000.0, 60_000.0
"""Milliseconds; a busy machine is no bug."""
_COLOURS = 96
_MOST_BYTES = 200_000


class Ui:
    """The UI of one namespace, in a window of its own."""

    def __init__(self, page: Page, url: str, namespace: str) -> None:
        self._page = page
        self._base = f"{url}/namespaces/{namespace}/workflows"

    def open_list(self, query: str = "") -> None:
        """The list of workflows, filtered as a saved view filters it."""
        filtered = f"?{urlencode({'query': query}, quote_via=quote)}" if query else ""
        self._page.goto(self._base + filtered)
        self._page.get_by_test_id("workflow-count").first.wait_for()

    def open(self, workflow_id: str, run_id: str, tab: str) -> None:
        """One tab of a run's page."""
        address = f"{self._base}/{quote(workflow_id, safe='')}/{run_id}/{tab}"
        for left in (2, 1, 0):  # on a busy machine a page now and then comes up empty
            self._page.goto(address)
            try:
                self._page.get_by_test_id("execution-status").first.wait_for(timeout=_PAGE)
            except LateError:
                if not left:
                    raise
            else:
                return

    def details(self, which: str) -> str:
        """The text of `summary`, `details` or `current-details`, rendered."""
        frame = self._page.frame_locator(f"#user-metadata-{which}")
        main = frame.locator("main").filter(has_text=re.compile(r"\S"))  # empty until it is told
        return main.inner_text().strip()

    def links(self, which: str) -> dict[str, str]:
        """The links of a part, by their words."""
        found = self._page.frame_locator(f"#user-metadata-{which}").locator("a").all()
        return {one.inner_text(): one.get_attribute("href") or "" for one in found}

    def follow(self, which: str, words: str) -> str:
        """Follow a link; where it leads, in a window of its own."""
        link = self._page.frame_locator(f"#user-metadata-{which}").get_by_text(words, exact=True)
        with self._page.expect_popup() as popup:
            link.click()
        popup.value.get_by_test_id("execution-status").first.wait_for()
        address = popup.value.url
        popup.value.close()
        return address

    def text(self) -> str:
        """All that the page says."""
        return self._page.locator("body").inner_text()

    def wait_for(self, words: str | re.Pattern[str]) -> None:
        """Wait until the page says something."""
        self._page.get_by_text(words).first.wait_for()

    def shoot(
        self, name: str, begin: str = "h1", end: str | None = None, height: int = 900
    ) -> None:
        """Keep a picture, if pictures are wanted: without what is the same on all pages.

        Args:
            name: of the file.
            begin: the selector of what is at its top.
            end: and of what is at its bottom; left out: so many pixels below the top.
            height: that many.
        """
        if SHOTS is None:
            return
        self._page.wait_for_timeout(1500)  # fonts, and frames that grow with their text
        top = self._box(begin)["y"] - 15
        if end:
            last = self._box(end)
            height = int(last["y"] + last["height"] + 15 - top)
        clip = {"x": _LEFT, "y": top, "width": _SIZE["width"] - _LEFT, "height": height}
        raw = self._page.screenshot(clip=clip)  # type: ignore[arg-type]
        target = Path(SHOTS) / f"{name}.png"
        Image.open(io.BytesIO(raw)).convert("RGB").quantize(_COLOURS).save(target, optimize=True)
        assert target.stat().st_size < _MOST_BYTES, target

    def _box(self, selector: str) -> dict[str, float]:
        box = self._page.locator(selector).first.bounding_box()
        assert box, f"{selector} is not shown"
        return dict(box)  # type: ignore[arg-type]


@contextmanager
def browser(url: str, namespace: str) -> Iterator[Ui]:
    """A browser that has loaded the UI, so that the next page comes quickly."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        try:
            context = chromium.new_context(
                viewport=_SIZE,  # type: ignore[arg-type]
                color_scheme="light",
                reduced_motion="reduce",
                timezone_id="UTC",
                locale="en-GB",
            )
            context.set_default_timeout(_PATIENCE)
            ui = Ui(context.new_page(), url, namespace)
            ui.open_list()
            yield ui
        finally:
            chromium.close()
