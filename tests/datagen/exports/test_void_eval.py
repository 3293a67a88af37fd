"""void-eval: what is written, that it is the same each time, completed when it grows, and refused over other things."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from datagen.codec import partial_of, read_record, write_json
from datagen.config import resolve_config
from datagen.errors import DataError, RunFolderError
from datagen.evalset import EVAL_MANIFEST, GROUND_TRUTH
from datagen.evalset_files import read_evalset, verify_evalset
from datagen.exports.void_eval import export_void_eval
from datagen.layers import MANIFEST, RenderManifest, extra_layers
from datagen.physics.perturb import write_perturbed
from datagen.quadmask import Form, Policy
from datagen.recompose import recompose_sample
from datagen.runs import RunFolder, open_run
from datagen.sample import RGB_FULL, compose_sample
from datagen.settings import LayerSettings
from datagen.spec import World
from tests.datagen import synthetic

FULL = LayerSettings(hidden=True, perturbed=2)


def make_run(root: Path, source: str, keys: tuple[str, ...], layers: LayerSettings, split: str = "test") -> RunFolder:
    overrides = [f"{source}.split={split}", f"layers.hidden={str(layers.hidden).lower()}"]
    config = resolve_config("preview", [*overrides, f"layers.perturbed={layers.perturbed}"])
    run = open_run(root, source=source, data=root, limit=None, config=config, versions={"voidgen": "0"})
    for number, key in enumerate(keys):
        add_sample(run, source, key, layers, number)
    return run


def add_sample(run: RunFolder, source: str, key: str, layers: LayerSettings, seed: int) -> None:
    """A synthetic sample; its further worlds are copies of the two that there are."""
    spec = dataclasses.replace(synthetic.make_spec(key, num_frames=3, seed=seed), source=source, layers=layers)
    scene = synthetic.make_scene(run.root / "scratch", spec)
    true = synthetic.make_worlds(spec)[World.COUNTERFACTUAL]
    corners = dict.fromkeys(true.names, synthetic.CORNERS)
    write_perturbed(scene.physics, true.names, true.poses[None].repeat(4, axis=0), true.poses, corners)
    manifest = read_record(RenderManifest, scene.render / MANIFEST)
    extra = extra_layers(layers, spec.render.width, spec.render.height)
    for layer in extra:
        shutil.copytree(scene.render / "rgb_factual", scene.render / layer.name)
    write_json(scene.render / MANIFEST, dataclasses.replace(manifest, layers=(*manifest.layers, *extra)))
    compose_sample(spec, scene.physics, scene.render, run.folder("compose", key), {})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of each source with all that an eval set holds."""
    root = tmp_path_factory.mktemp("runs")
    humoto = make_run(root / "humoto", "humoto", ("carry-f0001", "carry-f0002"), FULL)
    kubric = make_run(root / "kubric", "kubric", ("kubric-launch-0",), FULL)
    return humoto.root, kubric.root


@pytest.fixture
def runs(made: tuple[Path, Path], tmp_path: Path) -> list[Path]:
    return [Path(shutil.copytree(run, tmp_path / run.name)) for run in made]


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_two_exports_are_equal_byte_for_byte(runs: list[Path], tmp_path: Path) -> None:
    first = export_void_eval(runs, tmp_path / "first")
    export_void_eval(runs[::-1], tmp_path / "second")
    assert contents(tmp_path / "first") == contents(tmp_path / "second")
    assert first.num_new == 3 and first.lacks == (
        "3 of 3 clips have no segmentation.npz (layers.segmentation=true makes it): what needs it cannot be scored",
    )


def test_the_set_holds_inputs_and_truth_apart(runs: list[Path], tmp_path: Path) -> None:
    root = tmp_path / "set"
    manifest = export_void_eval(runs, root).manifest
    assert (verify_evalset(root), read_evalset(root)[0]) == (manifest, manifest)
    assert sorted(path.name for path in root.iterdir()) == [
        "carry-f0001", "carry-f0002", "ground_truth", "kubric-launch-0", "manifest.json",
    ]  # fmt: skip
    inputs = root / "carry-f0001"
    assert sorted(path.name for path in inputs.iterdir()) == ["input_video.mp4", "prompt.json", "quadmask_0.mp4"]
    sample = runs[0] / "samples" / "carry-f0001"
    assert (inputs / "input_video.mp4").read_bytes() == (sample / RGB_FULL).read_bytes()
    assert sorted(path.name for path in (root / GROUND_TRUTH / "carry-f0001").iterdir()) == [
        "hidden.mp4", "layers.npz", "metadata.json", "perturbed_0.mp4", "perturbed_1.mp4", "physics.npz",
        "rgb_removed.mp4",
    ]  # fmt: skip
    assert str(tmp_path) not in (root / EVAL_MANIFEST).read_text(), "nothing of anybody's disk"


def test_entries_and_origins_say_what_it_is(runs: list[Path], tmp_path: Path) -> None:
    manifest = export_void_eval(runs, tmp_path / "set").manifest
    entry = manifest.entries[0]
    assert (entry.key, entry.source, entry.family, entry.affected) == ("carry-f0001", "humoto", "synthetic", ("box",))
    assert (entry.num_frames, entry.fps, entry.width, entry.height) == (3, 12.0, 96, 64)
    assert (entry.num_perturbed, entry.hidden, entry.segmentation) == (2, True, False)
    assert [origin["source"] for origin in manifest.origins] == ["humoto", "kubric"]
    assert all(origin["note"] == "inputs of the split 'test'" for origin in manifest.origins)
    assert entry.licence in manifest.licences


def test_plain_runs_give_what_there_is_and_say_so(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "humoto", ("carry-f0001",), LayerSettings(), split="all")
    exported = export_void_eval([run.root], tmp_path / "set")
    (entry,) = exported.manifest.entries
    assert (entry.num_perturbed, entry.hidden) == (0, False)
    assert [line.split(" (")[0] for line in exported.lacks] == [
        f"1 of 1 clips have no {name}" for name in ("hidden.mp4", "perturbed_<k>.mp4", "segmentation.npz")
    ]
    assert "not held out" in exported.manifest.origins[0]["note"]


def test_a_set_grows_with_its_runs_and_is_mended(runs: list[Path], tmp_path: Path) -> None:
    root = tmp_path / "set"
    export_void_eval(runs[:1], root)
    assert export_void_eval(runs[:1], root).num_new == 0
    (root / "carry-f0001" / "input_video.mp4").write_bytes(b"damaged")
    shutil.rmtree(root / GROUND_TRUTH / "carry-f0002")
    assert export_void_eval(runs[:1], root).num_new == 2
    assert export_void_eval(runs, root).num_new == 1
    fresh = tmp_path / "fresh"
    export_void_eval(runs, fresh)
    assert contents(root) == contents(fresh)


def test_an_interrupted_export_goes_on(runs: list[Path], tmp_path: Path) -> None:
    root = tmp_path / "set"

    def stop(key: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_void_eval(runs, root, report=stop)
    assert not (root / EVAL_MANIFEST).exists() and partial_of(root / EVAL_MANIFEST).is_file()
    with pytest.raises(DataError, match="is no eval set"):
        read_evalset(root)
    assert export_void_eval(runs, root).num_new == 2
    verify_evalset(root)
    assert not partial_of(root / EVAL_MANIFEST).exists()


def test_a_folder_of_something_else_is_left_alone(runs: list[Path], tmp_path: Path) -> None:
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("years of work")
    with pytest.raises(
        RunFolderError, match=r"thesis holds other files and no manifest\.json; choose an empty or a new"
    ):
        export_void_eval(runs, other)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="file is a file"):
        export_void_eval(runs, tmp_path / "file")
    assert [path.name for path in other.iterdir()] == ["chapter.txt"]


def test_another_eval_set_is_left_alone(runs: list[Path], tmp_path: Path) -> None:
    root = tmp_path / "set"
    export_void_eval(runs, root)
    before = contents(root)
    for wanted, message in ((runs[1:], r"runs \(humoto .* -> kubric"), (runs[:1], "clips that these runs lack")):
        with pytest.raises(RunFolderError, match=f"is another eval set; it differs in .*{message}"):
            export_void_eval(wanted, root)
    with pytest.raises(RunFolderError, match=r"name \(eval-set -> mine\)"):
        export_void_eval(runs, root, name="mine")
    assert contents(root) == before


def test_runs_that_cannot_be_exported_are_told(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the key 'carry-f0001' occurs twice"):
        export_void_eval([runs[0], runs[0]], tmp_path / "set")
    with pytest.raises(RunFolderError, match="is no run folder"):
        export_void_eval([tmp_path], tmp_path / "set")
    empty = make_run(tmp_path / "empty", "humoto", (), FULL)
    with pytest.raises(DataError, match="empty: holds no finished sample"):
        export_void_eval([empty.root], tmp_path / "set")
    sample = runs[0] / "samples" / "carry-f0001"
    recompose_sample(sample, Policy.VOID, Form.BINARY)
    with pytest.raises(DataError, match=r"has the form 'binary', .* recompose .* --policy void --form quad"):
        export_void_eval(runs, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_a_damaged_sample_is_not_exported(runs: list[Path], tmp_path: Path) -> None:
    video = runs[1] / "samples" / "kubric-launch-0" / RGB_FULL
    video.write_bytes(video.read_bytes()[:-1])
    with pytest.raises(DataError, match=rf"{video}: sha256: expected .* found .*; compose the sample again"):
        export_void_eval(runs, tmp_path / "set")
    assert not (tmp_path / "set" / EVAL_MANIFEST).exists() and not (tmp_path / "set" / "kubric-launch-0").exists()


def test_the_manifest_is_plain_json(runs: list[Path], tmp_path: Path) -> None:
    export_void_eval(runs, tmp_path / "set")
    content = json.loads((tmp_path / "set" / EVAL_MANIFEST).read_text())
    assert content["format_version"] == 1 and list(content["files"]) == sorted(content["files"])
