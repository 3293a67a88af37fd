"""Eval sets: read, and every file that is not the manifest's is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from datagen.codec import sha256_file, write_json
from datagen.errors import DataError
from datagen.evalset import EVAL_FORMAT_VERSION, EVAL_MANIFEST, INPUTS, EvalEntry, EvalManifest, perturbed_name
from datagen.evalset_files import evalset_problems, key_of, read_evalset, verify_evalset
from datagen.validate import validate_path

KEYS = ("alpha", "beta")


def entry(key: str) -> EvalEntry:
    return EvalEntry(
        key=key,
        source="humoto",
        family="carry",
        affected=("mug",),
        labels=(),
        num_frames=4,
        fps=12.0,
        width=96,
        height=64,
        num_perturbed=2,
        hidden=key == "alpha",
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An eval set whose files hold their own names."""
    root = tmp_path / "set"
    names = [f"{key}/{name}" for key in KEYS for name in INPUTS]
    names += [f"ground_truth/{key}/{perturbed_name(index)}" for key in KEYS for index in range(2)]
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    write_json(
        root / EVAL_MANIFEST,
        EvalManifest(
            format_version=EVAL_FORMAT_VERSION,
            name="small",
            entries=tuple(entry(key) for key in KEYS),
            origins=(),
            licences={},
            files={name: sha256_file(root / name) for name in names},
        ),
    )
    return root


def change(root: Path, **changes: object) -> None:
    manifest = json.loads((root / EVAL_MANIFEST).read_text())
    (root / EVAL_MANIFEST).write_text(json.dumps(manifest | changes))


def test_clips_know_their_files(root: Path) -> None:
    manifest, (alpha, beta) = read_evalset(root)
    assert manifest == verify_evalset(root)
    assert (alpha.entry.key, alpha.inputs, alpha.truth) == ("alpha", root / "alpha", root / "ground_truth" / "alpha")
    assert alpha.hidden == root / "ground_truth" / "alpha" / "hidden.mp4" and beta.hidden is None
    assert [path.name for path in beta.perturbed()] == ["perturbed_0.mp4", "perturbed_1.mp4"]


def test_files_outside_the_clips_are_nobodys_business(root: Path) -> None:
    (root / "READY").write_text("")
    (root / "predictions").mkdir()
    assert validate_path(root).kind == "eval-set"
    assert validate_path(root).valid and validate_path(root).checked == 2


def test_a_changed_file_is_named_with_both_hashes(root: Path) -> None:
    path = root / "ground_truth" / "beta" / "perturbed_1.mp4"
    expected = sha256_file(path)[:12]
    path.write_text("something else")
    found = sha256_file(path)[:12]
    with pytest.raises(
        DataError, match=rf"{path}: sha256: expected {expected}\.\.\., found {found}\.\.\.; copy or exp"
    ):
        verify_evalset(root)
    verify_evalset(root, keys=["alpha"])
    (problem,) = validate_path(root).problems
    assert (problem.where, problem.problem.split(":")[0]) == (str(path), "sha256")


def test_missing_and_strange_files_are_named(root: Path) -> None:
    (root / "alpha" / "input_video.mp4").unlink()
    (root / "beta" / "mask_00.mp4").write_text("a model would take this one")
    with pytest.raises(DataError, match=r"input_video\.mp4: no such file, but the manifest names it \(and 1 more prob"):
        verify_evalset(root)
    with pytest.raises(DataError, match=r"mask_00\.mp4: is not in the manifest"):
        verify_evalset(root, keys=["beta"])


def test_an_unknown_key_is_refused_with_the_nearest(root: Path) -> None:
    with pytest.raises(DataError, match="no clip 'alpa'; did you mean 'alpha'"):
        verify_evalset(root, keys=["alpa"])


@pytest.mark.parametrize("version", [EVAL_FORMAT_VERSION + 1, "1"])
def test_another_version_is_refused_before_all_else(root: Path, version: object) -> None:
    change(root, format_version=version, something_new=3)
    with pytest.raises(DataError, match=rf"format_version: expected {EVAL_FORMAT_VERSION}, found {version}; .* export"):
        read_evalset(root)


def test_what_is_no_eval_set_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is no eval set .*`datagen export void-eval RUN DEST"):
        read_evalset(tmp_path)
    (tmp_path / EVAL_MANIFEST).write_text(json.dumps({"source": "kubric", "samples": []}))
    with pytest.raises(DataError, match="found another JSON; is it a run folder"):
        read_evalset(tmp_path)
    (root / EVAL_MANIFEST).write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        read_evalset(root)
    assert [problem.where for problem in validate_path(root).problems] == [str(root / EVAL_MANIFEST)]


def test_a_manifest_that_contradicts_itself_is_refused(root: Path) -> None:
    manifest, _ = read_evalset(root)
    write_json(root / EVAL_MANIFEST, replace(manifest, entries=manifest.entries[::-1]))
    with pytest.raises(DataError, match="expected each once, sorted, found"):
        read_evalset(root)
    write_json(root / EVAL_MANIFEST, replace(manifest, files=manifest.files | {"../x": "0"}))
    with pytest.raises(DataError, match="leads out of the eval set"):
        read_evalset(root)
    fewer = {name: digest for name, digest in manifest.files.items() if name != "beta/prompt.json"}
    write_json(root / EVAL_MANIFEST, replace(manifest, files=fewer))
    with pytest.raises(DataError, match=r"lacks beta/prompt\.json"):
        read_evalset(root)


def test_keys_of_files() -> None:
    assert [key_of(name) for name in ("alpha/prompt.json", "ground_truth/beta/physics.npz")] == ["alpha", "beta"]


def test_problems_are_none_for_a_whole_set(root: Path) -> None:
    assert list(evalset_problems(root, read_evalset(root)[0])) == []
