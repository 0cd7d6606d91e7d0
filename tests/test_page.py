"""The web page, used in a real browser: draw a digit, drop in a picture, see a wrong file refused."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.harness import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="module")
def page(server: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(server)
        yield page
        browser.close()
    assert failures == []


def test_a_drawn_digit_is_read(page: Page) -> None:
    box = page.locator("#pad").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"]
    page.mouse.move(x, y + 0.15 * box["height"])
    page.mouse.down()
    page.mouse.move(x, y + 0.85 * box["height"], steps=12)
    page.mouse.up()
    expect(page.locator("#digit")).to_have_text("1")
    expect(page.locator("#says")).to_contain_text("% sure")
    expect(page.locator("#bars .row")).to_have_count(10)
    expect(page.locator("#stages .row")).to_have_count(6)


def test_a_chosen_picture_is_read_by_the_chosen_model(page: Page) -> None:
    page.locator("#model").select_option("alexnet")
    page.locator("#file").set_input_files(ROOT / "digit.png")
    expect(page.locator("#digit")).to_have_text("2")
    expect(page.locator("#hash")).to_contain_text("alexnet ")


def test_a_file_that_is_no_image_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("no image")
    page.locator("#file").set_input_files(text)
    expect(page.locator("#says")).to_contain_text("supported: PNG, JPEG")
    expect(page.locator("#digit")).to_have_text("")
