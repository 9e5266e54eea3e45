"""The page in a real browser: on a phone and at a desk, light and dark, and without a network."""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.decisions.test_report_page import SCRIPT, Page, a_group, page, part_of

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None or find_spec("playwright") is None,
        reason="there is no chromium here: installing one, and requirements/dev.txt, removes this",
    ),
    pytest.mark.skipif(
        find_spec("matplotlib") is None,
        reason="matplotlib is an extra, for pictures only: 'lastgood[plots]' removes this",
    ),
]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
COLOURS = """() => ({
  paper: getComputedStyle(document.body).backgroundColor,
  words: getComputedStyle(document.body).color,
  plot: getComputedStyle(document.querySelector('.plot text')).fill,
})"""
SIZES = """() => ({
  page: document.documentElement.scrollWidth,
  wide: document.querySelector('.wide').getBoundingClientRect().width,
  narrow: document.querySelector('.narrow').getBoundingClientRect().width,
  out: [...document.querySelectorAll('main *')].filter(
    e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80)),
})"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    long = {"reason": "a" * 300 + SCRIPT, "image": "registry.example.com/" + "x" * 200}
    part = part_of("rolled_back", result=long)
    (folder / "release.html").write_text(page.html(Page(title=part.title, lead=part)))
    (folder / "group.html").write_text(page.html(a_group(None)))
    return folder


def opened(chromium: Any, file: Path, width: int, scheme: str) -> tuple[Any, list[str]]:
    tab = chromium.new_page(viewport={"width": width, "height": 812}, color_scheme=scheme)
    asked: list[str] = []
    tab.on("request", lambda one: asked.append(one.url))
    tab.on("console", lambda one: asked.append(one.text))  # a violated policy is told there
    tab.goto(file.as_uri())
    return tab, asked


@pytest.mark.parametrize("name", ["release.html", "group.html"])
def test_on_a_phone_nothing_is_beyond_the_edge(chromium: Any, pages: Path, name: str) -> None:
    for scheme in ("light", "dark"):
        tab, asked = opened(chromium, pages / name, 375, scheme)
        sizes = tab.evaluate(SIZES)
        assert sizes["page"] == 375, sizes
        assert sizes["out"] == []
        assert (sizes["wide"], sizes["narrow"]) == (0, 343)
        assert asked == [(pages / name).as_uri()], "the file alone, and no complaint"
        tab.close()


def test_light_and_dark_are_the_readers_choice_in_the_pictures_too(
    chromium: Any, pages: Path
) -> None:
    found = {}
    for scheme in ("light", "dark"):
        tab, _ = opened(chromium, pages / "release.html", 1000, scheme)
        found[scheme] = tab.evaluate(COLOURS)
        assert tab.evaluate(SIZES)["narrow"] == 0
        tab.close()
    assert found["light"]["paper"] == "rgb(255, 255, 255)"
    assert found["dark"]["paper"] == "rgb(15, 20, 25)"
    for role in ("words", "plot"):
        assert found["light"][role] != found["dark"][role]


def test_all_can_be_read_without_a_click_but_the_single_measurements(
    chromium: Any, pages: Path
) -> None:
    tab, _ = opened(chromium, pages / "release.html", 375, "light")
    tab.click("summary")
    assert tab.is_visible("ul.looks >> nth=0")
    assert "39 of 106 requests" in tab.inner_text("main")
    tab.close()
