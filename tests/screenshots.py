"""Takes the README's picture of the page: `python -m tests.screenshots`."""

import tempfile
from io import BytesIO
from math import cos, sin
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect

from tests.browser import browsing, digit, draw, watched
from tests.harness import ROOT, serving

TARGET = ROOT / "docs/page.png"
SIZE = (1000, 900)


def three() -> list[tuple[float, float]]:
    """Two arcs, in parts of the pad's sides."""
    upper = [(0.47 + 0.15 * sin(turn / 10), 0.32 - 0.15 * cos(turn / 10)) for turn in range(-11, 29)]
    lower = [(0.47 + 0.19 * sin(turn / 10), 0.66 - 0.19 * cos(turn / 10)) for turn in range(2, 43)]
    return upper + lower


def take() -> bytes:
    """A PNG of the page with a digit that was drawn on it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder) / "log", workers="1") as url,
        browsing() as browser,
        watched(browser, url, SIZE) as page,
    ):
        draw(page, *three())
        expect(digit(page)).to_have_text("3")
        expect(page.locator("#verdict")).to_contain_text("Accepted")
        page.wait_for_timeout(500)  # the percentiles come after the answer
        return page.screenshot(full_page=True)


if __name__ == "__main__":
    with Image.open(BytesIO(take())) as image:
        # Few colours are on it, and a third of the bytes that all of them take.
        image.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(TARGET, optimize=True)
    print(f"wrote {TARGET.relative_to(ROOT)}, {TARGET.stat().st_size:,} bytes")  # noqa: T201
