"""The web page, used in a real browser: drawn on, dropped on, by mouse, finger, pen and keys, and judged by axe."""

import json
import re
import socket
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FilePayload, Page, Request, Response, Route, expect

from tests.browser import CHROMIUM, DESKTOP, FLAGS, PHONE, browsing, digit, draw, on_pad, pad, watched
from tests.harness import ROOT, Digits, address, png, post_head, serving
from training.data.labelled import find

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")

ONE = ((0.5, 0.15), (0.5, 0.85))
SEVEN = ((0.25, 0.2), (0.75, 0.2), (0.45, 0.85))
# A promise of when what was changed by now has been shown.
PAINTED = "() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown)))"
TAGS = ["wcag2a", "wcag2aa", "wcag2aaa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    with watched(browser, server) as page:
        yield page


def choose(page: Page, *files: Path) -> None:
    page.get_by_label("Choose pictures").set_input_files(files)


def example(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def verdict(page: Page, said: str) -> None:
    expect(page.locator("#verdict")).to_contain_text(said)


def pixels(page: Page) -> int:
    """How many of the pad are dark."""
    count: int = pad(page).evaluate(
        """pad => pad.getContext("2d").getImageData(0, 0, pad.width, pad.height).data
          .filter((value, place) => place % 4 == 0 && value < 128).length"""
    )
    return count


@pytest.fixture
def ten(tmp_path: Path, digits: Digits) -> list[Path]:
    """0.png to 9.png."""
    paths = [tmp_path / f"{label}.png" for label in range(10)]
    for label, path in enumerate(paths):
        path.write_bytes(png(digits.pick(label)))
    return paths


# ---- Drawing ----


def test_a_drawn_digit_is_read_before_the_pen_is_lifted(page: Page) -> None:
    draw(page, *SEVEN, lift=False)
    expect(digit(page)).to_have_text("7")
    page.mouse.up()
    verdict(page, "Accepted")
    expect(page.locator("#says")).to_contain_text("% sure")
    expect(page.get_by_role("list", name="Probabilities").get_by_role("listitem")).to_have_count(10)
    expect(page.get_by_role("img", name="What the network saw, read as 7").first).to_be_visible()
    expect(page.locator("#status")).to_contain_text("7. Accepted")


def test_one_request_at_a_time_and_the_last_stroke_is_the_one_that_counts(page: Page) -> None:
    at_once, most = 0, 0

    def began(request: Request) -> None:
        nonlocal at_once, most
        if "/classify" in request.url:
            at_once += 1
            most = max(most, at_once)

    def ended(request: Request) -> None:
        nonlocal at_once
        at_once -= "/classify" in request.url

    page.on("request", began)
    page.on("requestfinished", ended)
    for _ in range(3):
        draw(page, *SEVEN)
    page.get_by_role("button", name="Clear").click()
    draw(page, *ONE)
    expect(digit(page)).to_have_text("1")
    assert most == 1


def test_the_last_stroke_is_taken_back(page: Page) -> None:
    draw(page, *ONE)
    expect(digit(page)).to_have_text("1")
    before = pixels(page)
    draw(page, (0.1, 0.5), (0.9, 0.5))
    expect(digit(page)).not_to_have_text("1")
    page.keyboard.press("Control+z")
    expect(digit(page)).to_have_text("1")
    assert pixels(page) == before
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Nothing is read yet.")).to_be_visible()
    page.keyboard.press("Control+z")  # of nothing is nothing
    assert pixels(page) == 0


@pytest.mark.parametrize("way", ["button", "key"])
def test_clear_leaves_nothing(page: Page, ten: list[Path], way: str) -> None:
    choose(page, *ten[:3])
    expect(page.get_by_role("heading", name="Several pictures")).to_be_visible()
    draw(page, *ONE)
    expect(digit(page)).to_have_text("1")
    if way == "key":
        page.keyboard.press("Escape")
    else:
        page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("Nothing is read yet.")).to_be_visible()
    for gone in ("#result", "#several"):
        expect(page.locator(gone)).to_be_hidden()
    expect(page.locator("#figures img")).to_have_count(0)
    expect(page.locator("#status")).to_be_empty()
    assert page.get_by_label("Choose pictures").input_value() == ""
    assert pixels(page) == 0


def test_what_was_cleared_does_not_come_back_with_a_late_answer(page: Page) -> None:
    held: list[Route] = []
    page.route("**/classify*", lambda route: held.append(route))
    with page.expect_request("**/classify*"):
        draw(page, *ONE)
    page.keyboard.press("Escape")
    with page.expect_event("requestfinished"):
        held[0].continue_()
    page.evaluate(PAINTED)
    expect(page.get_by_text("Nothing is read yet.")).to_be_visible()
    expect(page.locator("#result")).to_be_hidden()


def test_a_wider_pen_leaves_more_ink(page: Page) -> None:
    draw(page, *ONE)
    thin = pixels(page)
    page.keyboard.press("Escape")
    page.get_by_role("slider", name="Pen").fill("36")
    draw(page, *ONE)
    assert pixels(page) > 1.5 * thin


def test_a_finger_draws_and_does_not_scroll(browser: Browser, server: str) -> None:
    with watched(browser, server, PHONE, has_touch=True, is_mobile=True) as page:
        hand = page.context.new_cdp_session(page)
        (x, top), (_, bottom) = on_pad(page, *ONE)
        for kind, y in [("touchStart", top), *(("touchMove", top + i * (bottom - top) / 9) for i in range(1, 10))]:
            hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        expect(digit(page)).to_have_text("1")
        expect(digit(page)).to_be_in_viewport()
        assert page.evaluate("scrollY") == 0
        example(page, "A photo of a two")
        expect(digit(page)).to_have_text("2")
        expect(digit(page)).to_be_in_viewport()


def test_a_pen_draws(page: Page) -> None:
    hand = page.context.new_cdp_session(page)
    spots = on_pad(page, *[(0.5, 0.15 + 0.07 * i) for i in range(11)])
    kinds = ["mousePressed", *["mouseMoved"] * 9, "mouseReleased"]
    for kind, (x, y) in zip(kinds, spots, strict=True):
        pen = {"x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1, "pointerType": "pen"}
        hand.send("Input.dispatchMouseEvent", {"type": kind, **pen})
    expect(digit(page)).to_have_text("1")


# ---- Answers ----


def test_the_picture_and_what_the_network_saw_are_shown(page: Page) -> None:
    choose(page, ROOT / "digit.png")
    expect(digit(page)).to_have_text("2")
    whole = page.get_by_role("img", name="The picture that was read")
    expect(whole).to_have_js_property("naturalWidth", 210)
    seen = page.get_by_role("img", name="What the network saw, read as 2")
    expect(seen).to_have_count(2)
    for one in seen.all():
        expect(one).to_have_js_property("naturalWidth", 28)
    expect(page.get_by_text("this decided")).to_have_count(1)
    expect(page.get_by_text("geometric mean")).to_be_visible()


def test_each_stage_stands_beside_the_servers_own(page: Page) -> None:
    with page.expect_response("**/stats"):
        example(page, "A five from MNIST")
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(7)
    expect(rows.nth(6).get_by_role("rowheader")).to_have_text("total")
    for cell in rows.nth(6).get_by_role("cell").all():
        assert float(cell.inner_text()) > 0


def test_the_model_that_is_chosen_reads_the_same_picture_and_stays(page: Page, ten: list[Path]) -> None:
    choose(page, *ten[3:5])
    expect(page.locator("#source")).to_contain_text("googlenet")
    page.get_by_label("Model").select_option("alexnet")
    expect(page.locator("#source")).to_contain_text("alexnet")
    expect(digit(page)).to_have_text("3")
    expect(page.get_by_text("2 of 2 read")).to_be_visible()
    assert page.url.endswith("?model=alexnet")
    page.reload()
    expect(page.get_by_label("Model")).to_have_value("alexnet")
    example(page, "A photo of a two")
    expect(page.locator("#source")).to_contain_text("alexnet")


def test_a_model_in_the_address_that_is_none_is_the_default(browser: Browser, server: str) -> None:
    with watched(browser, f"{server}") as page:
        page.goto(f"{server}/?model=lenet")
        expect(page.get_by_label("Model")).to_have_value("googlenet")


# As two models may see it.
EITHER = re.compile(r"(1 or 7|7 or 1)\?")


def test_what_is_refused_says_so_in_words_and_form(page: Page) -> None:
    example(page, "Hard to tell")
    verdict(page, "Refused")
    expect(digit(page)).to_have_text(EITHER)
    expect(page.locator(".headline")).to_have_css("border-top-style", "dashed")
    expect(page.locator("#advice")).to_contain_text("Write it larger and plainer")
    expect(page.locator("#status")).to_contain_text(re.compile(EITHER.pattern + r"\. Refused"))
    example(page, "Two digits")
    expect(digit(page)).to_have_text("–")
    expect(page.locator("#advice")).to_have_text("Crop the picture to one digit.")
    example(page, "A letter")
    expect(digit(page)).to_have_text("?")
    example(page, "A photo of a two")
    verdict(page, "Accepted")
    expect(page.locator(".headline")).to_have_css("border-top-style", "solid")
    expect(page.locator("#advice")).to_be_hidden()


def test_an_empty_picture_says_what_to_do(page: Page, tmp_path: Path, digits: Digits) -> None:
    blank = tmp_path / "blank.png"
    blank.write_bytes(png(digits.pick(1) * 0))
    choose(page, blank)
    verdict(page, "Refused")
    expect(page.locator("#says")).to_contain_text("blank")
    expect(page.locator("#advice")).to_contain_text("Draw a digit")


def test_a_file_that_is_no_image_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("no image")
    choose(page, text)
    verdict(page, "Cannot be read")
    expect(page.locator("#says")).to_contain_text("supported: PNG, JPEG")
    expect(page.get_by_text("This browser cannot show the picture.")).to_be_visible()
    expect(page.get_by_text("That is wrong")).to_be_hidden()


def test_a_server_that_is_gone_is_told(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path / "log", workers="1") as url:
        opened = watched(browser, url)
        page = opened.__enter__()
        expect(page.get_by_label("Model")).to_have_value("googlenet")
    draw(page, *ONE)
    expect(page.locator("#says")).to_contain_text("no answer from the server")
    example(page, "A photo of a two")
    expect(page.locator("#nothing")).to_contain_text("no answer from the server")
    opened.__exit__(None, None, None)


@pytest.mark.parametrize("name", ["drawing.png", "a b'; touch owned; '\".png", "$(touch owned)\n`touch owned`.png"])
def test_the_curl_that_is_copied_asks_the_same(page: Page, ten: list[Path], tmp_path: Path, name: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    file: FilePayload = {"name": name, "mimeType": "image/png", "buffer": ten[6].read_bytes()}
    page.get_by_label("Choose pictures").set_input_files(file)
    expect(digit(page)).to_have_text("6")
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.locator("#status")).to_have_text("Copy as curl: copied.")
    command = page.evaluate("navigator.clipboard.readText()")
    assert "\n" not in command
    (tmp_path / name.replace("\n", "_")).write_bytes(ten[6].read_bytes())
    run = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, check=True)
    assert json.loads(run.stdout)["digit"] == 6
    assert not (tmp_path / "owned").exists()
    page.get_by_role("button", name="Copy as JSON").click()
    expect(page.locator("#status")).to_have_text("Copy as JSON: copied.")
    assert json.loads(page.evaluate("navigator.clipboard.readText()"))["digit"] == 6


def test_over_plain_http_it_is_copied_the_old_way(page: Page) -> None:
    """There browsers have no clipboard for pages from another machine."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    example(page, "A photo of a two")
    verdict(page, "Accepted")
    page.evaluate(
        """() => {
          window.clipboard = navigator.clipboard;
          Object.defineProperty(navigator, "clipboard", {value: undefined});
        }"""
    )
    page.get_by_role("button", name="Copy as JSON").click()
    expect(page.locator("#status")).to_have_text("Copy as JSON: copied.")
    assert json.loads(page.evaluate("window.clipboard.readText()"))["digit"] == 2


def test_the_picture_is_saved_under_its_name(page: Page) -> None:
    draw(page, *ONE)
    expect(digit(page)).to_have_text("1")
    with page.expect_download() as started:
        page.get_by_role("link", name="Save picture").click()
    assert started.value.suggested_filename == "drawing.png"
    assert Path(started.value.path()).read_bytes().startswith(b"\x89PNG")


# ---- Ways in ----


def drop(page: Page, where: str, *paths: Path) -> None:
    files = [{"name": path.name, "bytes": list(path.read_bytes())} for path in paths]
    dropped = page.evaluate_handle(
        """files => {
          const dropped = new DataTransfer();
          for (const {name, bytes} of files)
            dropped.items.add(new File([new Uint8Array(bytes)], name, {type: "image/png"}));
          return dropped;
        }""",
        files,
    )
    for event in ("dragover", "drop"):
        page.dispatch_event(where, event, {"dataTransfer": dropped})


@pytest.mark.parametrize("where", ["body", "footer", "#pad"])
def test_a_picture_may_be_dropped_anywhere(page: Page, ten: list[Path], where: str) -> None:
    drop(page, where, ten[4])
    expect(digit(page)).to_have_text("4")
    expect(page.locator("body")).not_to_have_class("over")


def test_a_picture_is_pasted_from_the_clipboard(page: Page, ten: list[Path]) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        """bytes => navigator.clipboard.write([
          new ClipboardItem({"image/png": new Blob([new Uint8Array(bytes)], {type: "image/png"})})])""",
        list(ten[8].read_bytes()),
    )
    page.keyboard.press("Control+v")
    expect(digit(page)).to_have_text("8")


def test_several_pictures_each_have_their_answer(page: Page, ten: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no image")
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if "/classify" in request.url else None)
    choose(page, *ten, bad, *ten, *ten)
    expect(page.get_by_text("31 of 31 read: 30 accepted, 0 refused, 1 unreadable.")).to_be_visible()
    cards = page.locator("#grid").get_by_role("button")
    assert [card.inner_text().split()[0] for card in cards.all()] == [*"0123456789!01234567890123456789"]
    assert len([one for one in asked if "explain" not in one.url]) == 2  # of 16 and of 15
    cards.nth(17).click()
    expect(digit(page)).to_have_text("6")
    cards.nth(10).click()
    verdict(page, "Cannot be read")


def test_there_is_an_end_to_how_many_are_read(page: Page, ten: list[Path]) -> None:
    file: FilePayload = {"name": "3.png", "mimeType": "image/png", "buffer": ten[3].read_bytes()}
    page.get_by_label("Choose pictures").set_input_files([file] * 503)
    said = "500 of 500 read: 500 accepted, 0 refused, 0 unreadable. 3 more were left out: 500 are the most."
    expect(page.get_by_text(said)).to_be_visible(timeout=60_000)


def test_a_server_with_a_smaller_limit_gets_fewer_at_a_time(browser: Browser, ten: list[Path], tmp_path: Path) -> None:
    with (
        serving(tmp_path / "log", workers="1", max_files="3", queue_size="8") as url,
        watched(browser, url) as page,
    ):
        choose(page, *ten)
        expect(page.get_by_text("10 of 10 read: 10 accepted")).to_be_visible()


def test_a_server_that_has_no_room_is_asked_again(browser: Browser, ten: list[Path], tmp_path: Path) -> None:
    with (
        serving(tmp_path / "log", workers="1", max_body_bytes="1000000", max_upload_bytes="1000000") as url,
        watched(browser, url) as page,
    ):
        expect(page.get_by_label("Model")).to_have_value("googlenet")
        with socket.create_connection(address(url)) as other:
            other.sendall(post_head(1_000_000) + b"x" * 999_990)

            def is_refused(response: Response) -> bool:
                return response.status == 429

            with page.expect_response(is_refused):
                choose(page, ROOT / "digit.png")
        expect(digit(page)).to_have_text("2")


def test_a_photo_larger_than_a_server_takes_is_sent_smaller(page: Page, tmp_path: Path) -> None:
    from PIL import Image

    photo = tmp_path / "photo.bmp"
    with Image.open(ROOT / "digit.png") as small:
        small.convert("RGB").resize((1500, 1500)).save(photo)
    assert photo.stat().st_size > 5_000_000
    choose(page, photo)
    expect(digit(page)).to_have_text("2")


def test_the_camera_takes_a_square_picture_and_is_let_go(page: Page) -> None:
    page.get_by_role("button", name="Camera").click()
    dialog = page.get_by_role("dialog", name="Camera")
    expect(dialog).to_be_visible()
    video = dialog.get_by_label("What the camera sees")
    expect(video).not_to_have_js_property("videoWidth", 0)
    stream = video.evaluate_handle("video => video.srcObject")
    dialog.get_by_role("button", name="Take").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#verdict")).not_to_be_empty()
    assert stream.evaluate("stream => stream.getTracks().every(track => track.readyState == 'ended')")
    width, height = page.get_by_role("img", name="The picture that was read").evaluate(
        "image => [image.naturalWidth, image.naturalHeight]"
    )
    assert width == height > 0


def test_escape_leaves_the_camera_and_clears_nothing(page: Page) -> None:
    draw(page, *ONE)
    expect(digit(page)).to_have_text("1")
    page.get_by_role("button", name="Camera").click()
    expect(page.get_by_role("dialog", name="Camera")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Camera")).to_be_hidden()
    expect(digit(page)).to_have_text("1")


def test_without_leave_to_use_the_camera_a_phones_own_is_asked(page: Page, ten: list[Path]) -> None:
    """Browsers have none for a page of plain http from another machine."""
    page.evaluate("Object.defineProperty(navigator, 'mediaDevices', {value: undefined})")
    with page.expect_file_chooser() as asked:
        page.get_by_role("button", name="Camera").click()
    asked.value.set_files(ten[9])
    expect(digit(page)).to_have_text("9")


def test_a_camera_that_may_not_be_used_is_told(browser: Browser, server: str) -> None:
    strict = browser.browser_type.launch(executable_path=CHROMIUM, args=FLAGS)
    with closing(strict), watched(strict, server) as page:
        page.get_by_role("button", name="Camera").click()
        expect(page.locator("#nothing")).to_contain_text("the camera cannot be used: Permission denied")
        expect(page.locator("#status")).to_contain_text("the camera cannot be used")


# ---- Corrections ----


def correct(page: Page, label: str) -> None:
    page.get_by_text("That is wrong").click()
    page.get_by_role("group", name="The right label").get_by_role("button", name=label, exact=True).click()


def test_corrections_survive_a_reload_and_are_a_folder_that_training_reads(
    page: Page, ten: list[Path], tmp_path: Path
) -> None:
    example(page, "Hard to tell")
    verdict(page, "Refused")
    correct(page, "1")
    page.keyboard.press("7")  # another label for the same picture
    expect(page.get_by_role("button", name="7", exact=True)).to_have_attribute("aria-pressed", "true")
    choose(page, ten[2])
    expect(digit(page)).to_have_text("2")
    correct(page, "no digit")
    expect(page.get_by_text("2 kept in this browser alone: 7, no digit")).to_be_visible()
    page.reload()
    expect(page.get_by_text("2 kept in this browser alone")).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("button", name="Download as zip").click()
    assert started.value.suggested_filename == "numeral-corrections.zip"
    with zipfile.ZipFile(started.value.path()) as packed:
        assert packed.testzip() is None
        packed.extractall(tmp_path / "unpacked")
    found = {one.label: one.path.read_bytes() for one in find(tmp_path / "unpacked")}
    doubt = ROOT / "service/web/page/examples/doubt.png"
    assert found == {7: doubt.read_bytes(), -1: ten[2].read_bytes()}
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_role("heading", name="Corrections")).to_be_hidden()
    page.reload()
    expect(page.get_by_label("Model")).to_have_value("googlenet")
    expect(page.get_by_role("heading", name="Corrections")).to_be_hidden()


def test_a_drawing_that_went_on_is_another_picture(page: Page) -> None:
    """A label stays with what it was given to."""
    draw(page, *ONE)
    expect(digit(page)).to_have_text("1")
    correct(page, "1")
    expect(page.get_by_role("button", name="1", exact=True)).to_have_attribute("aria-pressed", "true")
    draw(page, (0.2, 0.5), (0.8, 0.5))
    expect(page.get_by_role("button", name="1", exact=True)).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="4", exact=True).click()
    expect(page.get_by_text("2 kept in this browser alone: 1, 4")).to_be_visible()


def test_a_label_before_there_is_a_picture_is_none(page: Page) -> None:
    """The buttons are hidden then, and only a script can press one."""
    page.evaluate(
        """async () => {
          document.querySelector("#labels button").click();
          const {Corrections} = await import("/page/corrections.js");
          await Corrections.open();
        }"""
    )
    expect(page.locator("#corrections")).to_be_hidden()


def test_there_is_an_end_to_what_a_browser_keeps(page: Page) -> None:
    page.evaluate(
        """async () => {
          const {Corrections} = await import("/page/corrections.js");
          const corrections = await Corrections.open();
          for (let i = 0; i < 500; i++) await corrections.put({blob: new Blob(["x"]), name: "x.png"}, "3");
        }"""
    )
    page.reload()
    example(page, "A photo of a two")
    verdict(page, "Accepted")
    correct(page, "3")
    expect(page.get_by_text("There is no room for another")).to_be_visible()


def test_a_browser_that_keeps_nothing_collects_until_the_tab_is_closed(page: Page) -> None:
    page.add_init_script("Object.defineProperty(window, 'indexedDB', {value: undefined})")
    page.reload()
    example(page, "A photo of a two")
    verdict(page, "Accepted")
    correct(page, "3")
    expect(page.get_by_text("1 kept in this browser alone: 3")).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("button", name="Download as zip").click()
    with zipfile.ZipFile(started.value.path()) as packed:
        assert packed.namelist() == ["corrections/3/0001.png"]


def test_corrections_are_sent_where_the_server_keeps_them(
    browser: Browser, server: str, ten: list[Path], tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    with serving(tmp_path / "log", workers="1", feedback_dir=str(kept)) as url, watched(browser, url) as page:
        choose(page, ten[5])
        expect(digit(page)).to_have_text("5")
        correct(page, "6")
        page.get_by_role("button", name="Send to this server").click()
        expect(page.get_by_text("1 kept in this browser, 1 of them sent: 6")).to_be_visible()
        expect(page.get_by_role("button", name="Send to this server")).to_be_hidden()
        (only,) = find(kept)
        assert (only.label, only.path.read_bytes()) == (6, ten[5].read_bytes())


def test_nothing_is_offered_to_a_server_that_keeps_none(page: Page) -> None:
    example(page, "A photo of a two")
    verdict(page, "Accepted")
    correct(page, "3")
    expect(page.get_by_role("button", name="Download as zip")).to_be_visible()
    expect(page.get_by_role("button", name="Send to this server")).to_be_hidden()


# ---- For everyone, and safe ----


def no_fault(page: Page, state: str) -> None:
    """None that axe knows of at any level, and nothing wider than the screen."""
    page.evaluate(PAINTED)
    report = Axe().run(page, options={"resultTypes": ["violations"], "runOnly": {"type": "tag", "values": TAGS}})
    assert report.violations_count == 0, f"{state}: {report.generate_report()}"
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{state} scrolls sideways by {wide} pixels"


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(
    browser: Browser, server: str, ten: list[Path], size: tuple[int, int], scheme: str
) -> None:
    with watched(browser, server, size, color_scheme=scheme) as page:
        expect(page.get_by_label("Model")).to_have_value("googlenet")
        no_fault(page, "empty")
        for name, said in [("A photo", "Accepted"), ("Hard to tell", "Refused"), ("Two digits", "Refused")]:
            example(page, name)
            verdict(page, said)
            no_fault(page, name)
        choose(page, *ten, ROOT / "README.md")
        expect(page.get_by_text("11 of 11 read")).to_be_visible()
        correct(page, "7")
        no_fault(page, "several and a correction")
        page.get_by_role("button", name="Camera").click()
        expect(page.get_by_role("dialog", name="Camera")).to_be_visible()
        no_fault(page, "camera")


def test_axe_can_find_something(page: Page) -> None:
    page.evaluate("document.querySelector('.dim').style.color = '#aaa'")
    with pytest.raises(AssertionError, match="color-contrast"):
        no_fault(page, "pale")


def test_every_control_is_reached_by_key_and_shows_it(page: Page) -> None:
    example(page, "A photo of a two")
    verdict(page, "Accepted")
    page.get_by_text("That is wrong").click()
    page.evaluate("document.activeElement.blur()")
    page.evaluate("scrollTo(0, 0)")
    reached: set[str] = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            """() => {
              const one = document.activeElement, shown = one.id == "file" ? one.labels[0] : one;
              const name = one.id || one.textContent.trim() || one.firstElementChild?.alt || "";
              return [name, getComputedStyle(shown).outlineStyle];
            }"""
        )
        if focus[0] and not focus[0].startswith("numeral"):
            reached.add(focus[0])
            assert focus[1] != "none", focus[0]
    needed = {"model", "undo", "clear", "width", "copy-curl", "copy-json", "save", "file", "camera"}
    assert reached >= needed | {*"0123456789", "no digit", "A five from MNIST", "Two digits", "Documentation"}
    page.get_by_role("button", name="A five from MNIST").focus()
    page.keyboard.press("Enter")
    expect(digit(page)).to_have_text("5")


def test_a_script_that_is_not_the_servers_own_does_not_run(browser: Browser, server: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(server)
    page.evaluate(
        """() => new Promise((resolve) => {
          const refused = new Set();
          document.addEventListener("securitypolicyviolation", (event) => {
            refused.add(event.effectiveDirective);
            if (refused.size === 2) resolve();  // the script and the attribute
          });
          const script = document.createElement("script");
          script.textContent = "window.ran = true";
          document.body.append(script);
          document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.ran = true'>");
        })"""
    )
    assert page.evaluate("window.ran") is None
    context.close()


def test_a_file_name_is_shown_as_text(page: Page, ten: list[Path]) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    file: FilePayload = {"name": name, "mimeType": "image/png", "buffer": ten[6].read_bytes()}
    page.get_by_label("Choose pictures").set_input_files([file, file])
    expect(page.get_by_text(name)).to_have_count(2)


def test_a_server_that_asks_for_a_key_gets_it_once_it_is_given(page: Page) -> None:
    """It asks by 401; the key is asked for once, and goes along with all that follows in this tab."""
    sent: list[str | None] = []

    def guard(route: Route) -> None:
        sent.append(route.request.headers.get("authorization"))
        if sent[-1] == "Bearer open sesame":
            route.continue_()
        else:
            route.fulfill(status=401, content_type="application/problem+json", body='{"detail": "a key is needed"}')

    page.route("**/classify*", guard)
    draw(page, *ONE)
    dialog = page.get_by_role("dialog", name="This server asks for a key")
    dialog.get_by_label("Key").fill("wrong")
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    no_fault(page, "key")
    dialog.get_by_label("Key").fill("open sesame")
    dialog.get_by_role("button", name="Use it").click()
    expect(digit(page)).to_have_text("1")
    example(page, "A five from MNIST")
    expect(digit(page)).to_have_text("5")
    expect(dialog).to_be_hidden()
    page.reload()
    example(page, "A five from MNIST")
    expect(digit(page)).to_have_text("5")
    assert sent[:2] == [None, "Bearer wrong"]
    assert set(sent[2:]) == {"Bearer open sesame"}


def test_without_the_key_the_answer_is_the_servers_no(page: Page) -> None:
    refusal = {"status": 401, "content_type": "application/problem+json", "body": '{"detail": "a key is needed"}'}
    page.route("**/classify*", lambda route: route.fulfill(**refusal))
    example(page, "A five from MNIST")
    page.get_by_role("dialog", name="This server asks for a key").get_by_role("button", name="Cancel").click()
    expect(page.locator("#says")).to_have_text("a key is needed")
