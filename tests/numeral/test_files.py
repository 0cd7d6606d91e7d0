"""Files, folders, patterns and lists come to the same files in the same order, whatever they are called."""

import os
from pathlib import Path

import pytest

from numeral.errors import UsageError
from numeral.files import File, find, in_list


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b/2.PNG", "b/10.jpg", "b/notes.txt", "b/.hidden.png", "b/.git/1.png", "a/1.tif", "a.png", "[x].png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b/loop").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*arguments: str) -> list[str]:
    return [file.name for file in find(arguments)]


def test_in_the_order_of_the_arguments_and_by_name_within_one(tree: Path) -> None:
    assert names("b", "a.png", "a") == ["b/10.jpg", "b/2.PNG", "a.png", "a/1.tif"]
    assert names(".") == ["./[x].png", "./a.png", "./a/1.tif", "./b/10.jpg", "./b/2.PNG"]
    assert names("**/*.tif", "*.png") == ["a/1.tif", "[x].png", "a.png"]
    assert names(str(tree / "a")) == [str(tree / "a/1.tif")]
    assert find(["a.png"]) == [File("a.png", str(tree / "a.png"))]


@pytest.mark.usefixtures("tree")
def test_one_that_is_named_is_taken_at_its_word() -> None:
    assert names("b/notes.txt", "[x].png", "nowhere.png", "a.png", "a.png") == [
        "b/notes.txt",
        "[x].png",
        "nowhere.png",
        "a.png",
        "a.png",
    ]


@pytest.mark.usefixtures("tree")
def test_what_comes_to_nothing_says_so() -> None:
    with pytest.raises(UsageError, match=r"'\*\.gif' matches no file"):
        find(["*.gif"])
    Path("empty").mkdir()
    with pytest.raises(UsageError, match=r"empty holds no pictures: no file in it ends in \.avif, \.bmp"):
        find(["empty"])


@pytest.mark.usefixtures("tree")
def test_a_name_that_is_no_text_is_found_and_shown() -> None:
    os.close(os.open(b"b/\xff.png", os.O_CREAT))
    (file,) = find(["b/*[!0-9].png"])
    assert file.name == "b/\\xff.png"
    assert Path(file.path).exists()


def test_lists_end_their_lines_in_each_way() -> None:
    assert in_list(b"a.png\nb c.png\r\n\n") == ["a.png", "b c.png"]
    assert in_list(b"a\nb.png\0c.png\0") == ["a\nb.png", "c.png"]
    assert in_list(b"") == []
