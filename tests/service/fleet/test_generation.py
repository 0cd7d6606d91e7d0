"""Which generation of models is served changes at once, and nothing else is left lying."""

from pathlib import Path

from service.fleet import generation


def test_one_is_current_and_the_others_go(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (generation.folder(tmp_path, number) / "googlenet").mkdir(parents=True)
        generation.publish(tmp_path, number)
        assert generation.current(tmp_path) == number
    generation.publish(tmp_path, 2)
    generation.keep_only(tmp_path, 2)
    assert generation.current(tmp_path) == 2
    assert {path.name for path in (tmp_path / generation.FOLDER).iterdir()} == {"2", generation.CURRENT}
    assert (generation.folder(tmp_path, 2) / "googlenet").is_dir()
