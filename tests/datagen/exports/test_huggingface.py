"""huggingface: splits, card and croissant.json; read by `datasets`, `webdataset`, mlcroissant and our own loader."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from datagen.cli import app
from datagen.codec import write_json
from datagen.errors import DataError
from datagen.exports.holdout import divide, inputs_of
from datagen.exports.huggingface import export_huggingface
from datagen.runs import RunFolder
from datagen.sample import METADATA, read_sample
from datagen.shards import read_index
from datagen.spec import GeometryRef, SceneSpec
from datagen.splits import recording_name, split_of
from tests.datagen import synthetic
from tests.datagen.packed_run import make_packed_run

SAMPLES, HELD_OUT = 15, 2  # of the recordings lift_a_box_0 to _14, two are in test


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    made = make_packed_run(tmp_path_factory.mktemp("hub") / "run", SAMPLES, 4, sequences=SAMPLES)
    for sample in made.sample_paths()[-3:]:  # what later samples hold and the first do not
        metadata = read_sample(sample).metadata
        write_json(sample / METADATA, dataclasses.replace(metadata, labels=("null_effect",), warnings=("liquids",)))
    made.rejected.write_text('{"key": "x", "message": "m"}\n{"key": "y", "message": "m"}\n')
    return made


@pytest.fixture(scope="module")
def exported(run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    dest = tmp_path_factory.mktemp("export") / "falling-boxes"
    made = export_huggingface([run.root], dest)
    assert (made.num_train, made.num_test) == (SAMPLES - HELD_OUT, HELD_OUT)
    return dest


def rows_of(exported: Path, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (exported / split / "metadata.jsonl").read_text().splitlines()]


def test_splits_are_by_recording(run: RunFolder, exported: Path) -> None:
    for split in ("train", "test"):
        for row in rows_of(exported, split):
            metadata = read_sample(run.folder("compose", row["key"])).metadata
            assert split_of(recording_name(metadata.sequence)) == split and row["caption"] == metadata.caption
            assert (exported / split / row["file_name"]).is_file()


def test_a_scene_of_both_splits_belongs_to_none(run: RunFolder) -> None:
    sample = read_sample(run.folder("compose", "sample-010"))  # in test
    train_map = next(name for name in "abcdefgh" if split_of(name) == "train")
    light = dataclasses.replace(sample.metadata.spec.light, environment=f"/maps/{train_map}_2k.exr")
    spec = dataclasses.replace(sample.metadata.spec, light=light)
    mixed = dataclasses.replace(sample, metadata=dataclasses.replace(sample.metadata, spec=spec))
    divided, neither = divide([sample, mixed])
    assert divided == {"train": [], "test": [sample]} and neither == [mixed]


def test_collisions_go_by_the_assets_that_are_scanned() -> None:
    def spec(*folders: str) -> SceneSpec:
        made = synthetic.make_spec()
        things = [
            dataclasses.replace(thing, geometry=GeometryRef(file=f"{folder}/visual.obj", sha256="0" * 64, node=""))
            for thing, folder in zip(made.objects, folders, strict=True)
        ]
        return dataclasses.replace(made, source="kubric", objects=tuple(things))

    assert inputs_of(spec("/gso/cup", "/gso/toy", "/cache/geometry/ramp_30")) == {"cup", "toy"}


def test_the_card_has_the_figures_of_these_samples(exported: Path) -> None:
    _, header, text = (exported / "README.md").read_text().split("---\n", 2)
    fields = yaml.safe_load(header)
    assert fields["pretty_name"] == "falling-boxes" and fields["size_categories"] == ["n<1K"]
    assert fields["license"] == "other" and fields["license_name"] == "Adobe Research License"
    for split in ("train", "test"):
        totals = read_index(exported / split / "humoto").totals
        assert f"| {split} | humoto | {totals.samples} | {totals.frames} | {totals.seconds} | 96x64@12 " in text
    assert f"| accepted | {SAMPLES} |" in text and "| rejected before rendering (not in the set) | 2 |" in text
    assert "| train | recorded 13 |" in text and "non-commercial research only" in text


@pytest.mark.filterwarnings("ignore")  # rdflib's own
def test_croissant_is_valid_and_loads_its_records(exported: Path) -> None:
    import mlcroissant

    dataset = mlcroissant.Dataset(jsonld=str(exported / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    for split in ("train", "test"):
        rows = {row["key"]: row for row in rows_of(exported, split)}
        records = list(dataset.records(split))
        assert sorted(record[f"{split}/key"].decode() for record in records) == sorted(rows)
        for record in records:
            row = rows[record[f"{split}/key"].decode()]
            assert record[f"{split}/caption"].decode() == row["caption"]
            assert record[f"{split}/num_frames"] == row["num_frames"]
            assert record[f"{split}/share_keep"] == pytest.approx(row["share_keep"])


@pytest.mark.filterwarnings("ignore")  # of datasets and what it imports
@pytest.mark.parametrize("streaming", [True, False])
def test_hugging_face_datasets_reads_it(
    exported: Path, run: RunFolder, streaming: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    for split in ("train", "test"):
        loaded = datasets.load_dataset(str(exported), split=split, streaming=streaming, cache_dir=str(tmp_path))
        rows = {row["key"]: row for row in rows_of(exported, split)}
        samples = list(loaded.decode(False)) if streaming else list(loaded.with_format("arrow").to_list())
        assert sorted(sample["__key__"] for sample in samples) == sorted(rows)
        for sample in samples:
            assert sample["json"]["caption"] == rows[sample["__key__"]]["caption"]
            assert sample["json"]["labels"] == rows[sample["__key__"]]["labels"]
            video = run.folder("compose", sample["__key__"]) / "rgb_full.mp4"
            assert sample["rgb_full.mp4"]["bytes"] == video.read_bytes()


def test_our_loader_reads_it(exported: Path) -> None:
    from datagen.loader import PairDataset

    pairs = list(PairDataset([exported / "train/humoto", exported / "test/humoto"]))
    assert len({pair["key"] for pair in pairs}) == SAMPLES


def test_equal_runs_give_equal_bytes(run: RunFolder, exported: Path, tmp_path: Path) -> None:
    again = tmp_path / exported.name
    export_huggingface([run.root], again)
    names = sorted(path.relative_to(exported) for path in exported.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all((exported / name).read_bytes() == (again / name).read_bytes() for name in names)


def test_a_folder_with_anything_in_it_is_refused_and_left_alone(run: RunFolder, tmp_path: Path) -> None:
    dest = tmp_path / "mine"
    dest.mkdir()
    (dest / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="exists and is not empty"):
        export_huggingface([run.root], dest)
    assert [path.name for path in dest.iterdir()] == ["thesis.txt"]


def test_a_damaged_sample_leaves_nothing_half_written(run: RunFolder, tmp_path: Path) -> None:
    copy = RunFolder(root=Path(shutil.copytree(run.root, tmp_path / "run")))
    (copy.folder("compose", "sample-003") / "mask.mp4").write_bytes(b"")
    with pytest.raises(DataError, match="sha256"):
        export_huggingface([copy.root], tmp_path / "out")
    assert not list(tmp_path.glob("out*"))


def test_without_a_test_split_it_says_so(run: RunFolder, tmp_path: Path) -> None:
    copy = RunFolder(root=Path(shutil.copytree(run.root, tmp_path / "run")))
    for sample in copy.sample_paths():
        if sample.name in ("sample-010", "sample-014"):
            shutil.rmtree(sample)
    result = CliRunner().invoke(app, ["export", "huggingface", str(copy.root), str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert (
        "no samples for the split 'test'" in result.output and "13 samples for training and 0 held out" in result.output
    )
    assert not (tmp_path / "out" / "test").exists()


def test_only_samples_of_both_splits_is_an_error(run: RunFolder, tmp_path: Path) -> None:
    copy = RunFolder(root=Path(shutil.copytree(run.root, tmp_path / "run")))
    for sample in copy.sample_paths()[1:]:
        shutil.rmtree(sample)
    (sample,) = copy.sample_paths()
    metadata = read_sample(sample).metadata
    test_map = next(name for name in "abcdefghijklmnopq" if split_of(name) == "test")
    light = dataclasses.replace(metadata.spec.light, environment=test_map)
    write_json(sample / METADATA, dataclasses.replace(metadata, spec=dataclasses.replace(metadata.spec, light=light)))
    with pytest.raises(DataError, match="mix inputs of train and test"):
        export_huggingface([copy.root], tmp_path / "out")
