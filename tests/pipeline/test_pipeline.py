"""From an FBX to shards, with everything real and small."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import av
import imageio.v3
import numpy as np
import pytest
import webdataset

from datagen.codec import read_record, sha256_file
from datagen.frames import RenderedScene
from datagen.layers import EVIDENCE
from datagen.runs import RunFolder
from datagen.sample import evidence_of, read_physics
from datagen.spec import SceneSpec
from datagen.video import decode_mask
from tests.pipeline.conftest import HELD, SMALL, datagen, run_arguments

pytestmark = [pytest.mark.blender, pytest.mark.slow]

VIDEOS = ("rgb_full.mp4", "rgb_removed.mp4", "mask.mp4")


def files_of(folder: Path, *patterns: str) -> dict[str, str]:
    """Hash of every file below a folder that matches."""
    found = sorted(path for pattern in patterns for path in folder.glob(pattern))
    assert found
    return {str(path.relative_to(folder)): sha256_file(path) for path in found}


def test_a_run_ends_in_shards_a_sheet_and_one_line(finished_run: Path, demo_data: Path) -> None:
    again = datagen(*run_arguments(demo_data, finished_run, "--limit", "2", "--ray", "off"))
    lines = again.stdout.strip().splitlines()
    assert len(lines) == 1 and "2 samples" in lines[0]
    assert str(finished_run / "shards") in lines[0] and str(finished_run / "sheet.png") in lines[0]
    assert (finished_run / "sheet.png").stat().st_size > 10_000


def test_a_finished_run_is_valid_and_has_nothing_left_over(finished_run: Path) -> None:
    result = datagen("validate", finished_run, "--json")
    assert result.returncode == 0, result.stdout
    assert json.loads(result.stdout)["checked"] >= 2
    assert not list(finished_run.rglob("*.partial")) and not list(finished_run.rglob("error.json"))


def test_a_second_run_makes_nothing_anew(finished_run: Path, demo_data: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished_run.rglob("samples/*/*")}
    before |= {path: path.stat().st_mtime_ns for path in finished_run.rglob("shards/*.tar")}
    result = datagen(*run_arguments(demo_data, finished_run, "--limit", "2", "--ray", "off"))
    assert result.returncode == 0 and "nothing left to do" in result.stderr
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_the_mug_is_held_in_one_world_and_falls_in_the_other(finished_run: Path) -> None:
    sample = RunFolder(root=finished_run).sample_paths()[0]
    metadata = json.loads((sample / "metadata.json").read_text())
    with np.load(sample / "physics.npz") as physics:
        names = [str(name) for name in physics["factual_names"]]
        mug = names.index("mug")
        factual, counterfactual = physics["factual_poses"][:, mug], physics["counterfactual_poses"][:, mug]
    assert np.abs(factual[0] - counterfactual[0]).max() < 1e-6
    assert counterfactual[-1, 2] < factual[-1, 2] - 0.3
    assert metadata["certificate"]["verdict"] == "accepted" and "mug" in metadata["certificate"]["affected"]


def test_all_videos_agree_with_ffprobe(finished_run: Path) -> None:
    if shutil.which("ffprobe") is None:
        if os.environ.get("CI"):
            pytest.fail("ffprobe is missing")
        pytest.skip("ffprobe is not installed")
    for sample in RunFolder(root=finished_run).sample_paths():
        for name in VIDEOS:
            entries = "stream=width,height,nb_read_frames,r_frame_rate"
            command = [
                "ffprobe",
                "-v",
                "error",
                "-count_frames",
                "-show_entries",
                entries,
                "-of",
                "json",
                str(sample / name),
            ]
            probed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["streams"][0]
            assert (probed["width"], probed["height"]) == (96, 64)
            assert (probed["nb_read_frames"], probed["r_frame_rate"]) == ("5", "5/1")


@pytest.mark.filterwarnings("ignore")  # webdataset leaves the file to the garbage collector
def test_shards_are_read_by_webdataset_and_tarfile(finished_run: Path) -> None:
    (shard,) = (finished_run / "shards").glob("humoto-*.tar")
    keys = [path.name for path in RunFolder(root=finished_run).sample_paths()]
    with tarfile.open(shard) as archive:
        assert {name.split(".", 1)[0] for name in archive.getnames()} == set(keys)
    read = list(webdataset.WebDataset(str(shard), shardshuffle=False))
    assert [sample["__key__"] for sample in read] == keys
    for sample in read:
        assert {
            "rgb_full.mp4",
            "rgb_removed.mp4",
            "mask.mp4",
            "physics.npz",
            "layers.npz",
            "json",
            "prompt.json",
        } <= set(sample)


def test_the_same_spec_gives_the_same_bytes_in_other_processes(
    finished_run: Path, demo_data: Path, tmp_path: Path
) -> None:
    """Simulated and rendered again from the same spec, with Ray this time, and with another number of threads."""
    root = tmp_path / "second"
    result = datagen(
        *run_arguments(demo_data, root, "--limit", "2", "--ray", "local", "--workers", "1", "--keep-renders")
    )
    assert result.returncode == 0, result.stderr
    for patterns in (("samples/*/physics.npz", "samples/*/layers.npz"), ("renders/*/*.npy",), ("samples/*/*.mp4",)):
        assert files_of(finished_run, *patterns) == files_of(root, *patterns)
    for picture in sorted(finished_run.glob("renders/*/rgb_*/*.bmp")):
        other = root / picture.relative_to(finished_run)
        assert np.array_equal(imageio.v3.imread(picture), imageio.v3.imread(other)), picture


def test_the_evidence_that_a_render_leaves_follows_from_its_layers(finished_run: Path, tmp_path: Path) -> None:
    run = RunFolder(root=finished_run)
    for key in run.keys()[:2]:
        physics, spec = read_physics(run.folder("simulate", key)), read_record(SceneSpec, run.simulated_spec_path(key))
        without = tmp_path / key
        shutil.copytree(run.folder("render", key), without, ignore=shutil.ignore_patterns(EVIDENCE))
        left, derived = (
            evidence_of(spec, physics, RenderedScene(folder)) for folder in (run.folder("render", key), without)
        )
        assert left.removed.any() and (run.folder("render", key) / EVIDENCE).is_file()
        for name, layer in left.arrays().items():
            assert np.array_equal(layer, derived.arrays()[name]), name


def test_the_mask_says_what_it_should(finished_run: Path) -> None:
    sample = RunFolder(root=finished_run).sample_paths()[0]
    mask = decode_mask(sample / "mask.mp4")
    with av.open(str(sample / "rgb_full.mp4")) as full, av.open(str(sample / "rgb_removed.mp4")) as removed:
        pairs = [
            (a.to_ndarray(format="rgb24").astype(int), b.to_ndarray(format="rgb24").astype(int))
            for a, b in zip(full.decode(video=0), removed.decode(video=0), strict=True)
        ]
    change = np.stack([np.abs(a - b).max(axis=-1) for a, b in pairs])
    assert set(np.unique(mask)) <= {0, 63, 127, 255} and (mask == 0).any() and (mask == 127).any()
    assert change[mask <= 63].mean() > 5 * change[mask == 255].mean()


def test_show_draws_a_sample_and_a_shard(finished_run: Path, tmp_path: Path) -> None:
    (shard,) = (finished_run / "shards").glob("humoto-*.tar")
    for path in (RunFolder(root=finished_run).sample_paths()[0], shard):
        assert datagen("show", path, "--out", tmp_path / "sheet.png").returncode == 0
        assert (tmp_path / "sheet.png").stat().st_size > 10_000


def test_status_tells_how_far_it_is(finished_run: Path) -> None:
    status = json.loads(datagen("status", finished_run, "--json").stdout)
    assert status["planned"] == status["packed"] == 2 and status["remaining"] == 0
    assert [stage["done"] for stage in status["stages"]] == [2, 2, 2]


def test_another_configuration_is_refused(finished_run: Path, demo_data: Path) -> None:
    result = datagen(*run_arguments(demo_data, finished_run, "--set", "render.samples=2"))
    assert result.returncode == 2 and "render.samples (1 -> 2)" in result.stderr


def test_a_larger_limit_adds_scenes_and_changes_none(demo_data: Path, tmp_path: Path) -> None:
    settings = [part for value in SMALL for part in ("--set", value)]
    specs: list[dict[str, str]] = []
    for limit in ("1", "3"):
        arguments = ("plan", "humoto", "--data", demo_data, "--out", tmp_path / "run", "--limit", limit, *settings)
        assert datagen(*arguments).returncode == 0
        specs.append(files_of(tmp_path / "run", "specs/*.json"))
    assert len(specs[0]) == 1 and len(specs[1]) == 3 and specs[0].items() <= specs[1].items()


def test_one_bad_sequence_of_many_is_a_row(demo_data: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    good = demo_data / HELD / f"{HELD}.fbx"
    (data / f"{HELD}.fbx").symlink_to(good)
    (data / "a_text.fbx").write_text("not an FBX")
    (data / "b_cut.fbx").write_bytes(good.read_bytes()[:20_000])
    (data / "c d.v2.fbx").symlink_to(good)
    out = tmp_path / "run"
    values = ("clips.num_frames=5", "clips.fps=5", "humoto.split=all")
    settings = [part for value in values for part in ("--set", value)]
    result = datagen("plan", "humoto", "--data", data, "--out", out, *settings)
    assert result.returncode == 0, result.stderr
    rows = {row["key"]: row for row in map(json.loads, (out / "failures.jsonl").read_text().splitlines())}
    assert set(rows) == {"a_text", "b_cut", "c d.v2"}
    assert "rename" in rows["c d.v2"]["message"] and "c_d_v2" in rows["c d.v2"]["message"]
    planned = RunFolder(root=out).keys()
    assert planned and all(key.startswith(HELD) for key in planned)


def test_only_bad_sequences_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a_text.fbx").write_text("not an FBX")
    result = datagen("run", "humoto", "--data", tmp_path / "a_text.fbx", "--out", tmp_path / "run")
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert "a_text.fbx" in line


def test_a_scene_that_overruns_costs_itself_alone(demo_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    settings = [part for value in SMALL for part in ("--set", value)]
    planned = datagen("plan", "humoto", "--data", demo_data, "--out", root, "--limit", "2", *settings)
    assert planned.returncode == 0, planned.stderr
    run = RunFolder(root=root)
    slow, quick = run.keys()
    assert datagen("simulate", root, "--ray", "off").returncode == 0
    spec = json.loads(run.spec_path(slow).read_text())
    spec["render"]["timeout_s"] = 1.0
    run.spec_path(slow).write_text(json.dumps(spec))
    assert datagen("render", root, "--ray", "off").returncode == 0
    (row,) = map(json.loads, run.failures.read_text().splitlines())
    assert (row["key"], row["stage"], row["details"]["reason"]) == (slow, "render", "timeout")
    assert "killed after 1 s" in row["message"]
    assert run.done("render") == {quick} and not list(root.rglob("*.partial"))


def test_a_recording_that_changed_is_not_mixed_in(demo_data: Path, tmp_path: Path) -> None:
    file = tmp_path / f"{HELD}.fbx"
    shutil.copyfile(demo_data / HELD / f"{HELD}.fbx", file)
    root = tmp_path / "run"
    settings = [part for value in SMALL for part in ("--set", value)]
    assert datagen("plan", "humoto", "--data", file, "--out", root, "--limit", "1", *settings).returncode == 0
    assert datagen("simulate", root, "--ray", "off").returncode == 0
    file.write_bytes(file.read_bytes() + b"\0")
    assert datagen("render", root, "--ray", "off").returncode == 0
    (row,) = map(json.loads, RunFolder(root=root).failures.read_text().splitlines())
    assert "has changed since the scene was planned" in row["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_a_full_disk_is_one_line_and_resumes(demo_data: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.decode().strip()}")
    try:
        arguments = run_arguments(demo_data, disk / "run", "--limit", "1", "--ray", "off")
        result = datagen(*arguments)
        assert result.returncode == 2 and "Traceback" not in result.stderr, result.stderr
        (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert "space" in line and "same command again" in line
        assert not list((disk / "run").rglob("*.partial"))
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        assert datagen(*arguments).returncode == 0
        assert datagen("validate", disk / "run").returncode == 0
    finally:
        subprocess.run(["umount", str(disk)], check=True)
