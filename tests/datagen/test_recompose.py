"""Other masks for a finished run, from its evidence alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from synthetic import make_scene, make_spec
from typer.testing import CliRunner

from datagen import recompose
from datagen.cli import app
from datagen.codec import partial_of, sha256_file, write_json
from datagen.config import Config
from datagen.errors import DataError, RunFolderError, UserError
from datagen.packing import pack
from datagen.quadmask import Form, Label, Policy
from datagen.recompose import recompose_run, recompose_sample
from datagen.runs import RunFolder, open_run
from datagen.sample import LAYERS, MASK, METADATA, RGB_FULL, compose_sample, mask_of, read_sample
from datagen.shards import read_shard
from datagen.validate import validate_path
from datagen.video import decode_mask


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two samples, packed."""
    root = tmp_path_factory.mktemp("made") / "run"
    run = open_run(root, source="humoto", data="", limit=None, config=Config(), versions={})
    for number in range(2):
        scene = make_scene(root.parent, make_spec(key=f"box-{number}", num_frames=4))
        write_json(run.spec_path(scene.spec.key), scene.spec)
        shutil.copytree(scene.physics, run.folder("simulate", scene.spec.key))
        compose_sample(scene.spec, scene.physics, scene.render, run.folder("compose", scene.spec.key), {})
    pack(run)
    return root


@pytest.fixture
def run(made: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(root=Path(shutil.copytree(made, tmp_path / "run")))


def all_files(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): sha256_file(path) for path in sorted(root.rglob("*")) if path.is_file()}


def test_every_sample_gets_the_other_mask_and_stays_valid(run: RunFolder) -> None:
    before = {sample.name: sha256_file(sample / RGB_FULL) for sample in run.sample_paths()}
    outcomes = list(recompose_run(run, Policy.EFFECTS, Form.QUAD, workers=2))
    assert sorted(one.key for one in outcomes) == ["box-0", "box-1"]
    assert all(one.state == "done" and one.events for one in outcomes)
    for sample in run.sample_paths():
        metadata = read_sample(sample).metadata
        mask = decode_mask(sample / MASK)
        assert np.array_equal(mask, mask_of(sample, Policy.EFFECTS))
        assert not np.array_equal(mask, mask_of(sample, Policy.VOID))
        assert metadata.mask.policy == "effects" and metadata.files[MASK] == sha256_file(sample / MASK)
        assert metadata.mask.share["KEEP"] == pytest.approx((mask == Label.KEEP).mean())
        assert sha256_file(sample / RGB_FULL) == before[sample.name]
    pack(run)
    assert validate_path(run.root).problems == ()


@pytest.mark.parametrize("form", list(Form))
def test_every_form_is_told_in_the_metadata_and_valid(run: RunFolder, form: Form) -> None:
    sample = run.sample_paths()[0]
    assert recompose_sample(sample, Policy.EFFECTS, form)
    labels = {
        Form.QUAD: {0, 63, 127, 255},
        Form.BINARY: {0, 255},
        Form.TRIMASK: {0, 127, 255},
        Form.GRID: {0, 63, 127, 255},
    }
    assert set(np.unique(decode_mask(sample / MASK))) <= labels[form]
    assert read_sample(sample).metadata.mask.form == form
    assert validate_path(sample).problems == ()


def test_there_and_back_gives_the_same_bytes(run: RunFolder) -> None:
    before = all_files(run.root / "samples")
    for policy in (Policy.EFFECTS, Policy.VOID):
        list(recompose_run(run, policy, Form.QUAD, workers=1))
    assert all_files(run.root / "samples") == before


def test_what_has_its_mask_already_is_left_alone(run: RunFolder) -> None:
    before = {path: path.stat().st_mtime_ns for path in (run.root / "samples").rglob("*")}
    outcomes = list(recompose_run(run, Policy.VOID, Form.QUAD, workers=1))
    assert [one.events for one in outcomes] == [(), ()]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_mask_that_is_not_the_listed_one_is_made_again(run: RunFolder) -> None:
    sample = run.sample_paths()[0]
    right = sha256_file(sample / MASK)
    (sample / MASK).write_bytes(b"half")
    assert recompose_sample(sample, Policy.VOID, Form.QUAD)
    assert sha256_file(sample / MASK) == right


@pytest.mark.parametrize("step", ["encode_mask", "write_json", "exchange"])
def test_an_interrupted_sample_is_as_it_was(run: RunFolder, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    sample = run.sample_paths()[0]
    before = all_files(sample.parent)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(recompose, step, interrupt)
    with pytest.raises(KeyboardInterrupt):
        recompose_sample(sample, Policy.EFFECTS, Form.QUAD)
    assert all_files(sample.parent) == before and not partial_of(sample).exists()


def test_without_an_exchange_of_folders_the_files_are_moved_over(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recompose.sys, "platform", "elsewhere")
    sample = run.sample_paths()[0]
    assert recompose_sample(sample, Policy.EFFECTS, Form.QUAD)
    assert validate_path(sample).problems == () and not partial_of(sample).exists()


def test_damaged_evidence_is_named_and_the_others_are_done(run: RunFolder) -> None:
    first, second = run.sample_paths()
    (first / LAYERS).write_bytes(b"no layers")
    before = all_files(first)
    outcomes = {one.key: one for one in recompose_run(run, Policy.EFFECTS, Form.QUAD, workers=1)}
    assert outcomes["box-0"].failure and "layers.npz: its sha256 is not the one" in outcomes["box-0"].failure["message"]
    assert all_files(first) == before and read_sample(second).metadata.mask.policy == "effects"
    (second / RGB_FULL).unlink()
    with pytest.raises(DataError, match=r"lacks rgb_full\.mp4, which its metadata lists"):
        recompose_sample(second, Policy.VOID, Form.QUAD)


def test_the_command_packs_again_and_explains_itself(run: RunFolder, tmp_path: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(app, ["recompose", str(run.root), "--policy", "effects", "--form", "trimask"])
    assert done.exit_code == 0, done.output
    (shard,) = run.shards.glob("*.tar")
    packed = next(read_shard(shard)).files
    assert packed[MASK] == (run.sample_paths()[0] / MASK).read_bytes()
    assert packed[METADATA] == (run.sample_paths()[0] / METADATA).read_bytes()
    assert validate_path(run.root).problems == ()

    def error_of(*arguments: str) -> str:
        return str(runner.invoke(app, ["recompose", *arguments]).exception)

    assert "unknown mask policy 'efects'; did you mean 'effects'?" in error_of(str(run.root), "--policy", "efects")
    assert "unknown form of mask 'tri'" in error_of(str(run.root), "--policy", "void", "--form", "tri")
    (run.sample_paths()[0] / LAYERS).unlink()
    assert "1 of 2 samples kept the mask" in error_of(str(run.root), "--policy", "void")
    empty = open_run(tmp_path / "empty", source="humoto", data="", limit=None, config=Config(), versions={})
    assert "holds no finished sample" in error_of(str(empty.root), "--policy", "void")
    with pytest.raises(RunFolderError, match="is no run folder"):
        list(recompose_run(RunFolder(root=tmp_path), Policy.VOID, Form.QUAD, workers=1))
    assert issubclass(RunFolderError, UserError)
