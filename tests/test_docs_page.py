"""/docs in a real browser: the document is shown, and nothing is asked of another host."""

import shutil

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")
def test_every_operation_is_shown_and_tried_without_another_host(server: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.goto(f"{server}/docs")
        expect(page.locator("h1, h2").first).to_contain_text("numeral")
        operations = httpx.get(f"{server}/docs.json").text.count('"operationId"')
        expect(page.locator(".opblock")).to_have_count(operations)
        page.locator("#operations-v2-v2_server").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        expect(page.locator(".live-responses-table .response .response-col_status")).to_contain_text("200")
        browser.close()
    assert complaints == []
    assert {url for url in asked if not url.startswith((server, "data:"))} == set()
