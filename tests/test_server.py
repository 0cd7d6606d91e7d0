"""A real `bentoml serve` process answers real HTTP: right, by the documented statuses, and never with a 500."""

import json
from base64 import b64decode
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.model.artefact import MODEL_FILES, Precision
from service.model.engine import has_int8_instructions
from service.picture.normalise import CANONICAL, CONTRAST, LEARNED
from service.picture.structure.scan import FORMATS
from service.web.answer import Answer
from tests.harness import ROOT, Digits, assert_problem, encode, metric, png, png_header
from training.networks import NETWORKS

STAGES = ["read", "decode", "normalise", "queue", "inference", "total"]


PRECISION: Precision = "int8" if has_int8_instructions() else "fp32"


def hash_of(model: str) -> str:
    """Of the file that is served here by default."""
    metadata = json.loads((ROOT / "exported" / model / "metadata.json").read_text())
    sha256: str = metadata["files"][MODEL_FILES[PRECISION]]["sha256"]
    return sha256


@pytest.mark.parametrize("model", ["googlenet", "alexnet"])
def test_one_file_is_answered_in_full(client: httpx.Client, digits: Digits, model: str) -> None:
    response = client.post("/classify", params={"model": model}, files={"image": ("7.png", png(digits.pick(7)))})
    assert response.status_code == 200
    answer = response.json()
    Answer.model_validate(answer)
    assert list(answer) == [name for name in Answer.model_fields if name not in ("label", "candidates")]
    assert answer["digit"] == 7
    assert answer["accepted"] is True
    assert answer["reason"] is None
    assert answer["confidence"] == max(answer["probabilities"].values()) > 0.9
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert answer["model"] == {"name": model, "precision": PRECISION, "sha256": hash_of(model)}
    assert answer["provider"] == "CPUExecutionProvider"
    assert answer["batch_size"] == 1
    assert answer["file"] == "7.png"


def test_latencies_are_positive_and_add_up_and_the_header_says_the_same(client: httpx.Client, digits: Digits) -> None:
    response = client.post("/classify", content=png(digits.pick(3)))
    latency = response.json()["latency_ms"]
    assert list(latency) == STAGES
    assert all(latency[stage] > 0 for stage in STAGES)
    assert sum(latency[stage] for stage in STAGES[:-1]) <= latency["total"] + 0.01
    header = ", ".join(f"{stage};dur={latency[stage]}" for stage in STAGES)
    assert response.headers["server-timing"] == header


@pytest.mark.parametrize(
    "content_type", ["image/png", "image/jpg", "application/octet-stream", "text/plain", "x/y", None]
)
def test_a_raw_body_is_read_whatever_its_content_type(
    client: httpx.Client, digits: Digits, content_type: str | None
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    response = client.post("/classify", content=png(digits.pick(5)), headers=headers)
    assert response.json()["digit"] == 5
    assert response.json()["file"] is None


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_of_several_frames_the_first_is_read_and_the_answer_says_so(
    client: httpx.Client, digits: Digits, kind: str
) -> None:
    frames = [Image.fromarray(digits.pick(label)).resize((84, 84)) for label in (3, 8)]
    for several in (True, False):
        buffer = BytesIO()
        frames[0].save(buffer, kind, save_all=several, append_images=frames[1:] if several else [])
        answer = client.post("/classify", content=buffer.getvalue()).json()
        assert answer["digit"] == 3
        assert answer["note"] == ("only the first of several frames was read" if several else None)


@pytest.mark.parametrize("field", ["image", "file", "anything at all", "Ziffer/ß"])
@pytest.mark.parametrize("part_type", ["image/png", "image/jpeg", "image/jpg", "text/plain", ""])
def test_any_field_and_any_part_type_is_read(client: httpx.Client, digits: Digits, field: str, part_type: str) -> None:
    response = client.post("/classify", files={field: ("x", png(digits.pick(2)), part_type)})
    assert response.json()["digit"] == 2


def test_several_files_are_answered_in_order_a_bad_one_alone_with_a_problem(
    client: httpx.Client, digits: Digits
) -> None:
    contents = [png(digits.pick(label)) for label in range(10)]
    contents[4] = contents[4][:60]
    files = [("image", (f"{label}.png", content, "image/png")) for label, content in enumerate(contents)]
    response = client.post("/classify", files=files)
    assert response.status_code == 200
    answers = response.json()
    assert [answer["file"] for answer in answers] == [f"{label}.png" for label in range(10)]
    assert [answer.get("digit") for answer in answers] == [0, 1, 2, 3, None, 5, 6, 7, 8, 9]
    assert answers[4]["status"] == 422
    assert "cannot be decoded" in answers[4]["detail"]
    assert answers[0]["batch_size"] == 9
    assert "total;dur=" in response.headers["server-timing"]


def test_256_photos_are_answered_within_the_deadline(client: httpx.Client) -> None:
    files = [("f", ("x.png", on_paper(i), "image/png")) for i in range(256)]
    answers = client.post("/classify", files=files).json()
    assert len(answers) == 256
    assert np.mean([answer["digit"] == 2 for answer in answers]) > 0.95


def on_paper(shade: int) -> bytes:
    """digit.png at a width of 100 pixels, on paper of its own shade."""
    with Image.open(ROOT / "digit.png") as photo:
        grey = photo.convert("L").resize((100, 100))
    return png(grey.point(lambda level: level * (300 + shade) // 600))


def test_256_files_are_answered_and_257_are_not(client: httpx.Client, digits: Digits) -> None:
    files = [("f", ("x.png", png(digits.images[i]), "image/png")) for i in range(0, 257 * 19, 19)]
    answers = client.post("/classify", files=files[:256]).json()
    right = [answer["digit"] == digits.labels[i * 19] for i, answer in enumerate(answers)]
    assert len(right) == 256
    assert np.mean(right) > 0.98
    assert_problem(client.post("/classify", files=files), 413, "257 files; the limit is 256")


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read(client: httpx.Client, digits: Digits, kind: str) -> None:
    assert client.post("/classify", content=encode(digits.pick(9), kind)).json()["digit"] == 9


def test_a_photo_is_read(client: httpx.Client) -> None:
    answer = client.post("/classify", files={"image": (ROOT / "digit.png").read_bytes()}).json()
    assert (answer["digit"], answer["accepted"]) == (2, True)


def test_a_blank_page_is_an_answer_and_not_accepted(client: httpx.Client) -> None:
    response = client.post("/classify", content=png(Image.new("L", (200, 200), 220)))
    answer = response.json()
    Answer.model_validate(answer)
    assert response.status_code == 200
    assert (answer["digit"], answer["accepted"], answer["batch_size"]) == (None, False, 0)
    assert answer["reason"].startswith("blank: ")


def big_png() -> bytes:
    return png(np.random.default_rng(0).integers(0, 256, (3600, 3600), np.uint8))


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"", 400, "no body"),
        (b"just some text", 415, "supported: PNG, JPEG, WEBP, BMP, GIF, TIFF, HEIF, AVIF"),
        (bytes(range(256)) * 20, 415, "supported: PNG"),
        (b"\x89PNG\r\n\x1a\n and no more", 422, "starts as PNG"),
        (png_header(12_000, 12_000), 413, "12000×12000 = 144,000,000 pixels; the limit is 16,000,000"),
        (png(np.zeros((12_000, 12_000), np.uint8)), 413, "144,000,000 pixels"),
        (b"x" * 13_000_000, 413, "13,000,000 bytes; the limit is 12,000,000 (NUMERAL_MAX_BODY_BYTES)"),
        (big_png(), 413, "the limit is 12,000,000"),
    ],
    ids=["empty", "text", "junk", "cut off", "claimed bomb", "real bomb", "13 MB of x", "13 MB of PNG"],
)
@pytest.mark.parametrize("way", ["raw", "form", "chunked"])
def test_bad_uploads_have_their_documented_status(
    client: httpx.Client, content: bytes, status: int, said: str, way: str
) -> None:
    if way == "form":
        response = client.post("/classify", files={"image": ("x.png", content, "image/png")})
        said = "empty" if said == "no body" else said.replace("13,000,000 bytes", "bytes")
    elif way == "chunked":
        response = client.post("/classify", content=(content[i : i + 65_536] for i in range(0, len(content), 65_536)))
    else:
        response = client.post("/classify", content=content)
    assert_problem(response, status, said)


@pytest.mark.parametrize(
    ("content_type", "said"),
    [
        ("multipart/form-data", "needs a boundary"),
        ("multipart/form-data; boundary=other", "malformed"),
        ("multipart/form-data; boundary=" + "x" * 400, "malformed"),
    ],
)
def test_a_form_that_is_none_is_400(client: httpx.Client, digits: Digits, content_type: str, said: str) -> None:
    response = client.post("/classify", content=png(digits.pick(1)), headers={"content-type": content_type})
    assert_problem(response, 400, said)


@pytest.mark.parametrize("content_type", [b"\xff", b"image/\xe9"])
def test_a_content_type_that_is_no_text_changes_nothing(
    client: httpx.Client, digits: Digits, content_type: bytes
) -> None:
    response = client.post("/classify", content=png(digits.pick(5)), headers=[(b"content-type", content_type)])
    assert response.json()["digit"] == 5


def test_a_parameter_that_there_is_not_is_no_silent_default(client: httpx.Client, digits: Digits) -> None:
    files = {"image": png(digits.pick(1))}
    assert_problem(client.post("/classify?modle=alexnet", files=files), 400, "parameter 'modle' is unknown")


def test_text_in_the_file_field_is_not_fetched(client: httpx.Client, server: str) -> None:
    form = {"image": (None, f"{server}/stats")}
    assert_problem(client.post("/classify", files=form), 400, "text fields only: 'image'")


def test_a_pickle_is_refused(client: httpx.Client) -> None:
    headers = {"content-type": "application/vnd.bentoml+pickle"}
    response = client.post("/classify", content=b"\x80\x04N.", headers=headers)
    assert_problem(response, 415, "no image of a supported format")


def test_an_explained_answer_shows_each_candidate(client: httpx.Client, digits: Digits) -> None:
    light = np.linspace(0, 50, 90)[:, None]
    photo = np.full((90, 90), 170.0) + light
    photo[15:71, 15:71] -= np.asarray(Image.fromarray(digits.pick(3)).resize((56, 56))) / 2
    answer = client.post("/classify?explain=1", content=png(photo.astype(np.uint8))).json()
    Answer.model_validate(answer)
    first, second = answer["candidates"]
    assert (first["assumed"], second["assumed"]) == (CONTRAST, LEARNED)
    assert first["read"] == second["read"] == str(answer["digit"]) == "3"
    assert answer["confidence"] <= max(first["confidence"], second["confidence"])
    assert answer["batch_size"] == 2
    plain = client.post("/classify?explain=1&model=alexnet", content=png(digits.pick(3))).json()
    assert [one["assumed"] for one in plain["candidates"]] == [CANONICAL]
    blank = client.post("/classify?explain=1", content=png(Image.new("L", (60, 60), 200))).json()
    Answer.model_validate(blank)
    assert [one["assumed"] for one in blank["candidates"]] == [CONTRAST, LEARNED]
    assert all(one["read"] is None and one["refused"].startswith("blank") for one in blank["candidates"])
    assert all(one["image"] is None and not one["decided"] for one in blank["candidates"])


def test_an_explained_answer_shows_what_the_network_saw(client: httpx.Client, digits: Digits) -> None:
    """A canonical digit is seen as it is; of two candidates the surest of the answer decided."""
    answer = client.post("/classify?explain=1", content=png(digits.pick(3))).json()
    (only,) = answer["candidates"]
    assert only["decided"]
    assert np.array_equal(pixels_of(only["image"]), digits.pick(3))
    both = client.post("/classify?explain=1", content=(ROOT / "digit.png").read_bytes()).json()["candidates"]
    assert [one["decided"] for one in both].count(True) == 1
    assert all(pixels_of(one["image"]).shape == (28, 28) for one in both)
    assert next(one for one in both if one["decided"])["confidence"] == max(one["confidence"] for one in both)


def pixels_of(data_url: str) -> NDArray[np.uint8]:
    kind, _, encoded = data_url.partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(BytesIO(b64decode(encoded))) as image:
        assert image.mode == "L"
        return np.asarray(image)


def test_an_explanation_is_asked_for_by_0_or_1(client: httpx.Client, digits: Digits) -> None:
    body = png(digits.pick(3))
    assert "candidates" not in client.post("/classify?explain=0", content=body).json()
    assert_problem(client.post("/classify?explain=yes", content=body), 400, "explain is 'yes'; allowed: 0, 1")
    assert_problem(client.post("/classify?why=1", content=body), 400, "'why' is unknown; allowed: model, explain")


def test_an_unknown_model_names_the_known_ones(client: httpx.Client, digits: Digits) -> None:
    response = client.post("/classify", params={"model": "lenet"}, content=png(digits.pick(1)))
    assert_problem(response, 400, "model 'lenet' is unknown; allowed: alexnet, ")


def test_errors_of_the_framework_are_problems_too(client: httpx.Client) -> None:
    assert_problem(client.get("/absent"), 404, "/classify")
    response = client.get("/classify")
    assert_problem(response, 405, "GET is not allowed at /classify")
    assert response.headers["allow"] == "POST, PUT"
    assert_problem(client.delete("/models"), 405, "DELETE is not allowed")


def test_16_at_once_with_a_truncated_one_are_15_right_and_one_422(server: str, digits: Digits) -> None:
    contents = [png(digits.pick(i % 10, which=1)) for i in range(16)]
    contents[11] = contents[11][:80]

    def post(content: bytes) -> httpx.Response:
        return httpx.post(f"{server}/classify", files={"image": content}, timeout=30)

    with ThreadPoolExecutor(16) as clients:
        responses = list(clients.map(post, contents))
    assert [response.status_code for response in responses] == [422 if i == 11 else 200 for i in range(16)]
    assert [r.json()["digit"] for i, r in enumerate(responses) if i != 11] == [i % 10 for i in range(16) if i != 11]
    assert "cannot be decoded" in responses[11].json()["detail"]


def test_32_connections_of_good_and_bad_uploads_each_get_their_own(server: str, digits: Digits) -> None:
    bad = {415: b"text", 422: png(digits.pick(0))[:70], 413: png_header(9000, 9000)}
    jobs: list[tuple[int, bytes, int]] = []
    for i in range(480):
        status = [200, 200, 200, 415, 422, 413][i % 6]
        jobs.append((status, bad.get(status, png(digits.images[i * 10])), int(digits.labels[i * 10])))

    def post(batch: list[tuple[int, bytes, int]]) -> list[httpx.Response]:
        with httpx.Client(base_url=server, timeout=30) as http:
            return [http.post("/classify", content=content) for _, content, _ in batch]

    with ThreadPoolExecutor(32) as clients:
        answered = list(clients.map(post, [jobs[i::32] for i in range(32)]))
    right = Counter[bool]()
    for i, responses in enumerate(answered):
        for (status, _, label), response in zip(jobs[i::32], responses, strict=True):
            assert response.status_code == status
            if status == 200:
                right[response.json()["digit"] == label] += 1
    assert right.total() == 240
    assert right[True] >= 237


def test_models_are_listed_with_hash_accuracy_and_provider(client: httpx.Client) -> None:
    models = client.get("/models").json()
    assert set(models) >= {"googlenet", "alexnet"}  # and what the user of this checkout has exported
    assert [name for name, model in models.items() if model["default"]] == ["googlenet"]
    for name in ("googlenet", "alexnet"):
        model = models[name]
        assert model["sha256"] == hash_of(name)
        assert model["test_accuracy"] > 0.99
        assert model["test_images"] == 10_000
        assert model["provider"] == "CPUExecutionProvider"
        assert model["max_batch"] == NETWORKS[model["network"]].cpu_batch
    calibration = models["googlenet"]["calibration"]
    low, high = calibration["right_interval_95"]
    assert 0.95 < low < calibration["right_share"] < high <= 1
    curve = calibration["risk_coverage"]
    assert curve[0]["coverage"] < curve[-1]["coverage"]
    assert curve[0]["threshold"] > curve[-1]["threshold"]
    assert models["alexnet"]["calibration"]["accepted_share"] > 0.8


def test_a_network_of_large_maps_gets_small_batches(client: httpx.Client, digits: Digits) -> None:
    files = [("image", ("x.png", png(image))) for image in digits.images[:20]]
    answers = client.post("/classify", params={"model": "alexnet"}, files=files).json()
    assert {answer["batch_size"] for answer in answers} <= set(range(1, 9))


def test_stats_count_the_images_and_give_percentiles(client: httpx.Client, digits: Digits) -> None:
    before = client.get("/stats").json()["images"]
    for _ in range(3):
        client.post("/classify", content=png(digits.pick(1)))
    stats = client.get("/stats").json()
    assert stats["images"] == min(before + 3, stats["window"])
    assert list(stats["latency_ms"]) == STAGES
    for percentiles in stats["latency_ms"].values():
        assert 0 <= percentiles["p50"] <= percentiles["p95"] <= percentiles["p99"]


def test_metrics_count_what_was_asked_and_do_not_grow_with_made_up_paths(client: httpx.Client, digits: Digits) -> None:
    client.get("/made-up")
    before = client.get("/metrics").text
    client.post("/classify", content=png(digits.pick(1)))
    client.post("/classify", content=b"text")
    for i in range(20):
        client.get(f"/made-up/{i}")
    after = client.get("/metrics").text
    for name, more in [
        ('numeral_requests_total{path="/classify",status="200"}', 1),
        ('numeral_requests_total{path="/classify",status="415"}', 1),
        ('numeral_requests_total{path="other",status="404"}', 20),
        ('numeral_images_total{model="googlenet",outcome="accepted"}', 1),
        ('numeral_images_total{model="googlenet",outcome="error"}', 1),
        ('numeral_batch_images_sum{model="googlenet"}', 1),
        ('numeral_stage_seconds_count{model="googlenet",stage="inference"}', 1),
    ]:
        assert metric(after, name) - metric(before, name) == more, name
    assert "made-up" not in after


def test_health_and_openapi_are_there(client: httpx.Client) -> None:
    assert client.get("/livez").status_code == client.get("/readyz").status_code == 200
    page = client.get("/docs.json").json()
    schema = page["components"]["schemas"]["Answer"]
    assert set(schema["properties"]) == set(Answer.model_fields)
    assert "multipart/form-data" in page["paths"]["/classify"]["post"]["requestBody"]["content"]


def test_a_browser_gets_the_same_answer(client: httpx.Client, digits: Digits) -> None:
    """It names its origin."""
    body = png(digits.pick(4))
    plain, browser = (client.post("/classify", content=body, headers=h) for h in ({}, {"Origin": "http://here"}))
    assert browser.status_code == 200
    assert {**plain.json(), "latency_ms": 0} == {**browser.json(), "latency_ms": 0}
    assert_problem(client.post("/classify", content=b"x", headers={"Origin": "http://here"}), 415, "no image")


def test_the_page_is_served_with_a_policy(client: httpx.Client) -> None:
    response = client.get("/")
    assert "text/html" in response.headers["content-type"]
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "http" not in response.text  # the page loads nothing from elsewhere
