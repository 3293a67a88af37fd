"""A run folder is made, resumed, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from datagen.config import Config, resolve_config
from datagen.errors import RunFolderError
from datagen.runs import RunFolder, append_row, drop_rows, open_run, read_rows


def opened(root: Path, config: Config, data: Path = Path("/data"), limit: int | None = None) -> RunFolder:
    return open_run(root, source="humoto", data=data, limit=limit, config=config, versions={"voidgen": "1"})


def test_the_same_settings_resume(tmp_path: Path) -> None:
    config = resolve_config("preview")
    opened(tmp_path / "run", config, limit=2)
    run = opened(tmp_path / "run", config, limit=5)
    assert run.info().limit == 5 and run.info().config == config


@pytest.mark.parametrize(
    ("overrides", "data", "named"),
    [(["render.samples=3"], "/data", "config render.samples (2 -> 3)"), ([], "/other", "data (/data -> /other)")],
)
def test_other_settings_are_refused_by_name(tmp_path: Path, overrides: list[str], data: str, named: str) -> None:
    opened(tmp_path / "run", resolve_config("preview"))
    with pytest.raises(RunFolderError) as caught:
        opened(tmp_path / "run", resolve_config("preview", overrides), Path(data))
    assert named in str(caught.value) and "choose another --out" in str(caught.value)


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_text("")
    with pytest.raises(RunFolderError, match="holds other files"):
        opened(tmp_path, resolve_config("preview"))
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_no_run_folder_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="datagen plan humoto"):
        RunFolder(root=tmp_path).info()


def test_what_a_crash_left_is_removed_and_does_not_count(tmp_path: Path) -> None:
    run = opened(tmp_path, resolve_config("preview"))
    (tmp_path / "samples" / "a.partial").mkdir(parents=True)
    (tmp_path / "samples" / "b").mkdir()
    assert run.done("compose") == {"b"} == run.done("simulate")
    opened(tmp_path, resolve_config("preview"))
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == ["b"]


def test_rows_survive_a_torn_last_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    append_row(path, {"key": "a"})
    append_row(path, {"key": "b"})
    path.write_text(path.read_text() + '{"key": "c')
    assert [row["key"] for row in read_rows(path)] == ["a", "b"]
    drop_rows(path, ["a"])
    assert [row["key"] for row in read_rows(path)] == ["b"]
