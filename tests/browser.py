"""A real browser on a real server, that notes what a page must not do."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Locator, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    # A camera that shows a moving picture.
    "--use-fake-device-for-media-stream",
]
# Nobody is asked whether it may be used.
LEAVE = "--use-fake-ui-for-media-stream"
DESKTOP = (1100, 900)
PHONE = (390, 844)


@contextmanager
def browsing() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, LEAVE])
        yield browser
        browser.close()


@dataclass
class Watched:
    """`faults`: errors of scripts, what the policy stopped, and requests to another server.

    A status that is an error is none here: the browser writes a line for each, and the page says it in words.
    """

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda message: self.told(message.type, message.text))
        self.page.on("request", lambda request: self.asked(request.url))

    def told(self, kind: str, text: str) -> None:
        if kind == "error" and not text.startswith("Failed to load resource"):
            self.faults.append(text)

    def asked(self, address: str) -> None:
        if not address.startswith((f"{self.url}/", "data:", "blob:")):
            self.faults.append(f"a request to {address}")


@contextmanager
def watched(browser: Browser, url: str, size: tuple[int, int] = DESKTOP, **more: object) -> Iterator[Page]:
    """The page, open. more: options of a browser's context."""
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, **more)  # type: ignore[arg-type]
    watch = Watched(context.new_page(), url)
    watch.page.goto(url)
    yield watch.page
    context.close()
    assert watch.faults == []


def draw(page: Page, *points: tuple[float, float], lift: bool = True) -> None:
    """A stroke by mouse. points: parts of the pad's width and height."""
    spots = on_pad(page, *points)
    page.mouse.move(*spots[0])
    page.mouse.down()
    for spot in spots[1:]:
        page.mouse.move(*spot, steps=12)
    if lift:
        page.mouse.up()


def on_pad(page: Page, *points: tuple[float, float]) -> list[tuple[float, float]]:
    box = pad(page).bounding_box()
    assert box is not None
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]


def pad(page: Page) -> Locator:
    return page.get_by_role("img", name="Drawing pad")


def digit(page: Page) -> Locator:
    return page.locator("#digit")
