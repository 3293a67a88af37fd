"""A sample of a real run as a Rerun recording, read back; and what is said of one whose files are gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from rerun import dataframe

from datagen.codec import read_npz
from datagen.errors import ConfigError, DataError
from datagen.one_sample import sample_at
from datagen.rerun_recording import Recorded, record_sample
from datagen.runs import RunFolder
from datagen.sample import PHYSICS

pytestmark = pytest.mark.blender


def record(path: Path, key: str, out: Path) -> Recorded:
    with sample_at(path, key) as found:
        return record_sample(found, out)


def entities(file: Path) -> set[str]:
    columns = dataframe.load_recording(file).schema().component_columns()
    return {column.entity_path for column in columns}


def test_both_worlds_are_on_one_timeline(finished_run: Path, tmp_path: Path) -> None:
    key = RunFolder(root=finished_run).keys()[0]
    out = tmp_path / "sample.rrd"
    recorded = record(finished_run, key, out)
    assert recorded.left_out == () and recorded.num_frames == 5
    found = entities(out)
    names = read_npz(finished_run / "samples" / key / PHYSICS)["counterfactual_names"].tolist()
    for world in ("factual", "counterfactual"):
        assert {f"/{world}/camera", f"/{world}/camera/picture", f"/{world}/camera/picture/mask"} <= found
        assert {f"/{world}/objects/{name}" for name in names} <= found
        assert {f"/{world}/paths/{name}" for name in names} <= found
    assert any(path.startswith("/factual/people/") for path in found)
    assert not any(path.startswith("/counterfactual/people/") for path in found)
    recording = dataframe.load_recording(out)
    for index in ("frame", "time"):
        assert recording.view(index=index, contents="/**").select().read_all().num_rows == 5
    assert not list(tmp_path.glob("*.partial"))


def test_poses_and_meshes_are_those_of_the_sample(finished_run: Path, tmp_path: Path) -> None:
    key = RunFolder(root=finished_run).keys()[0]
    out = tmp_path / "sample.rrd"
    record(finished_run, key, out)
    physics = read_npz(finished_run / "samples" / key / PHYSICS)
    name = str(physics["factual_names"][0])
    view = dataframe.load_recording(out).view(index="frame", contents=f"/factual/objects/{name}")
    rows = view.select().read_all().to_pydict()
    told = next(values for column, values in rows.items() if column.endswith("Translation3D"))
    for frame, row in enumerate(told):
        assert row[0] == pytest.approx(physics["factual_poses"][frame, 0, :3].tolist(), abs=1e-5)
    assert any(column.endswith("Position3D") for column in _still(out, f"/factual/objects/{name}"))


def _still(file: Path, entity: str) -> list[str]:
    columns = dataframe.load_recording(file).schema().component_columns()
    return [column.component_name for column in columns if column.entity_path == entity]


def test_a_shard_whose_recording_is_gone_has_boxes(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = next((finished_run / "shards").glob("*.tar"))
    key = RunFolder(root=finished_run).keys()[0]
    monkeypatch.setenv("VOIDGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("datagen.cache.sha256_file", lambda _: "another file")
    out = tmp_path / "sample.rrd"
    recorded = record(shard, key, out)
    assert "has changed since the scene was planned" in recorded.left_out[0]
    name = str(read_npz(finished_run / "samples" / key / PHYSICS)["factual_names"][0])
    assert any(column.endswith("HalfSize3D") for column in _still(out, f"/factual/objects/{name}"))
    assert not any("/people/" in path for path in entities(out))


def test_which_sample_has_to_be_said(finished_run: Path, tmp_path: Path) -> None:
    keys = RunFolder(root=finished_run).keys()
    for place in (finished_run, finished_run / "shards"):
        with pytest.raises(ConfigError, match="holds 2 samples; name one by its key"), sample_at(place):
            pass
        with pytest.raises(DataError, match=f"did you mean '{keys[0]}'"), sample_at(place, keys[0][:-1]):
            pass
    with sample_at(finished_run / "shards", keys[1]) as found:
        assert found.info.metadata.key == keys[1] and found.physics is None
    with sample_at(finished_run / "samples" / keys[0]) as found:
        assert found.physics is not None and found.physics.samefile(finished_run / "physics" / keys[0])
    with pytest.raises(DataError, match="expected a sample folder, a run folder"), sample_at(tmp_path):
        pass


def test_a_name_that_is_no_recording_is_refused(finished_run: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"e\.g\. sample\.rrd"):
        record(finished_run, RunFolder(root=finished_run).keys()[0], tmp_path / "sample.png")


def test_without_the_extra_one_line_says_how(finished_run: Path, tmp_path: Path) -> None:
    key = RunFolder(root=finished_run).keys()[0]
    hide = "import sys; sys.modules['rerun'] = None; from datagen.cli import main; main()"
    command = [sys.executable, "-c", hide, "view", str(finished_run), key, "--out", str(tmp_path / "x.rrd")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2 and "pip install 'voidgen[view]'" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1 and not list(tmp_path.iterdir())
