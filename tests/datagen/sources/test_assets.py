"""Sets of assets: what is read, what is refused, and how they are split."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datagen.assets import category_of_asset, check_unpacked, read_manifest
from datagen.errors import ConfigError, DataError
from datagen.meshes import read_obj, write_obj
from datagen.settings import PhysicsSettings, RenderSettings
from datagen.sources.kubric import FAMILIES, MAX_OBJECTS, plan_collisions
from datagen.spec import SceneSpec
from datagen.splits import split_of

CUBE = np.array([[x, y, z] for x in (-0.05, 0.05) for y in (-0.05, 0.05) for z in (-0.05, 0.05)])
FACES = np.array(
    [
        [0, 1, 3],
        [0, 3, 2],
        [4, 6, 7],
        [4, 7, 5],
        [0, 4, 5],
        [0, 5, 1],
        [2, 3, 7],
        [2, 7, 6],
        [0, 2, 6],
        [0, 6, 4],
        [1, 5, 7],
    ]
)
URDF = (
    '<robot name="cube"><link name="base"><inertial><origin xyz="0 0 0"/><mass value="0.1"/></inertial>'
    '<collision><origin xyz="0 0 0"/><geometry><mesh filename="collision_geometry.obj"/></geometry></collision>'
    "</link></robot>"
)


def entry(**kwargs: Any) -> dict[str, Any]:
    given = {"simulation_filename": "{asset_dir}/object.urdf", "render_filename": "{asset_dir}/visual_geometry.obj"}
    return {"asset_type": "FileBasedObject", "license": "CC0", "kwargs": given | kwargs, "metadata": {}}


def write_asset(folder: Path, **kwargs: Any) -> Path:
    folder.mkdir(parents=True)
    for name in ("visual_geometry.obj", "collision_geometry.obj"):
        write_obj(folder / name, [(CUBE, FACES)])
    (folder / "object.urdf").write_text(URDF)
    (folder / "data.json").write_text(json.dumps({"id": folder.name, **entry(**kwargs)}))
    return folder


def write_manifest(folder: Path, entries: dict[str, Any], **more: Any) -> Path:
    file = folder / "manifest.json"
    file.write_text(json.dumps({"name": "set", "assets": entries, **more}))
    return file


def test_a_folder_of_unpacked_assets_is_a_set(tmp_path: Path) -> None:
    for name in ("b_cube", "a_cube"):
        write_asset(tmp_path / name)
    manifest = read_manifest(tmp_path)
    assert [asset.id for asset in manifest.assets] == ["a_cube", "b_cube"]
    assert manifest.path == str(tmp_path) and not manifest.problems


def test_real_scans_can_all_be_used(shared_data: Path) -> None:
    manifest = read_manifest(shared_data / "objects")
    assert len(manifest.assets) == 22 and not manifest.problems
    assert {asset.category for asset in manifest.assets} >= {"tomato_soup_can", "alarm_clock"}
    assert all(asset.licence == "CC BY 4.0" for asset in manifest.assets)


def test_archives_beside_a_copied_manifest_come_before_its_old_place(tmp_path: Path) -> None:
    (tmp_path / "cube.tar.gz").write_bytes(b"")
    file = write_manifest(tmp_path, {"cube": entry()}, data_dir="gs://somewhere/else")
    assert read_manifest(file).assets[0].location == str(tmp_path / "cube.tar.gz")


def test_split_depends_on_the_id_alone(tmp_path: Path) -> None:
    names = [f"asset_{index}" for index in range(2000)]
    share = sum(split_of(name) == "test" for name in names) / len(names)
    assert 0.17 < share < 0.23
    assert split_of("gso_cup") == "train" and split_of("gso_caddy") == "test"
    for name in ("asset_0", "asset_1", "asset_2", "asset_3", "asset_4", "asset_5", "asset_6", "asset_7"):
        write_asset(tmp_path / name)
    manifest = read_manifest(tmp_path)
    parts = [{asset.id for asset in manifest.in_split(split)} for split in ("train", "test")]
    assert parts[0] | parts[1] == {asset.id for asset in manifest.assets} and not parts[0] & parts[1]
    with pytest.raises(ConfigError, match="no split 'tset'"):
        manifest.in_split("tset")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "expected a JSON object"),
        ('{"name": "x"}', "key 'assets' is missing"),
        ('{"assets": {}}', "no asset can be used"),
        ('{"assets": {"a": 3}}', "assets.a"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "manifest.json"
    file.write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        read_manifest(file)
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_or_empty_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        read_manifest(tmp_path / "none.json")
    with pytest.raises(DataError, match=r"neither a manifest.json nor asset folders"):
        read_manifest(tmp_path)


def _spoil_mesh(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text) and None


def _spoil_urdf(old: str, new: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "object.urdf").write_text(URDF.replace(old, new)) and None


SPOILT: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no collision geometry": (lambda folder: (folder / "collision_geometry.obj").unlink(), "no collision geometry"),
    "no faces": (_spoil_mesh("collision_geometry.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\n"), "no faces"),
    "nan": (_spoil_mesh("visual_geometry.obj", "v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"), "no finite numbers"),
    "words": (_spoil_mesh("visual_geometry.obj", "v a b c\nf 1 1 1\n"), "not a readable OBJ"),
    "face beyond": (_spoil_mesh("visual_geometry.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n"), "name vertex 9"),
    "zero mass in the URDF": (_spoil_urdf('mass value="0.1"', 'mass value="0"'), "mass of 0"),
    "scaled URDF": (_spoil_urdf("<mesh ", '<mesh scale="2 2 1" '), "scales a mesh"),
    "offset URDF": (_spoil_urdf('<collision><origin xyz="0 0 0"/>', '<collision><origin xyz="0 0 1"/>'), "origin at"),
    "mesh outside": (_spoil_urdf("collision_geometry", "../other"), "leads out"),
    "not XML": (_spoil_urdf("<robot", "robot"), "not a URDF"),
    "two links": (_spoil_urdf("</robot>", '<link name="arm"/></robot>'), "2 links"),
    "other frame": (
        lambda folder: write_obj(folder / "collision_geometry.obj", [(CUBE + 0.1, FACES)]),
        "100 mm apart",
    ),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_spoilt_asset_is_one_clear_line(tmp_path: Path, case: str) -> None:
    spoil, message = SPOILT[case]
    write_asset(tmp_path / "good")
    spoil(write_asset(tmp_path / "bad"))
    manifest = read_manifest(tmp_path)
    assert [asset.id for asset in manifest.assets] == ["good"]
    assert message in manifest.problems["bad"] and "\n" not in manifest.problems["bad"]
    shutil.rmtree(tmp_path / "good")
    with pytest.raises(DataError, match="no asset can be used"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"mass": 0.0}, "mass 0.0"),
        ({"mass": float("nan")}, "mass nan"),
        ({"scale": 0.0}, "scale 0.0"),
        ({"scale": [1.0, 1.0, 2.0]}, "scale"),
        ({"simulation_filename": None}, "no collision geometry"),
        ({"simulation_filename": "{asset_dir}/../object.urdf"}, "leads out"),
        ({"render_filename": "/etc/passwd"}, "leads out"),
        ({"bounds": [[0.0, 0.0, 0.0], [0.0, 1.0, 1.0]]}, "bounds"),
        ({"bounds": [[0.0, 0.0, float("nan")], [1.0, 1.0, 1.0]]}, "bounds"),
    ],
)
def test_arguments_that_no_simulation_could_use(tmp_path: Path, kwargs: dict[str, Any], message: str) -> None:
    write_asset(tmp_path / "cube")
    file = write_manifest(tmp_path, {"cube": entry(**kwargs)})
    with pytest.raises(DataError, match=message):
        read_manifest(file)


@pytest.mark.parametrize(("asset_id", "path"), [("../cube", ""), ("cube", "../cube.tar.gz"), ("cube", "/etc/passwd")])
def test_no_path_climbs_out(tmp_path: Path, asset_id: str, path: str) -> None:
    file = write_manifest(tmp_path, {asset_id: entry() | ({"path": path} if path else {})})
    with pytest.raises(DataError, match=r"leads out|plain file name"):
        read_manifest(file)


def test_missing_files_are_named(tmp_path: Path) -> None:
    file = write_manifest(tmp_path, {"cube": entry()}, data_dir="elsewhere")
    with pytest.raises(DataError, match=r"no cube.tar.gz or cube in"):
        read_manifest(file)


@pytest.mark.skipif(importlib.util.find_spec("gcsfs") is not None, reason="gcsfs is installed")
def test_buckets_need_gcsfs() -> None:
    with pytest.raises(DataError, match="pip install gcsfs"):
        read_manifest("gs://kubric-public/assets/GSO/GSO.json")


def test_check_unpacked_takes_a_good_asset(tmp_path: Path) -> None:
    check_unpacked("cube", write_asset(tmp_path / "cube"))
    assert len(read_obj(tmp_path / "cube" / "visual_geometry.obj").faces) == len(FACES)


@pytest.mark.parametrize(
    ("asset_id", "metadata", "category"),
    [
        ("ycb_tomato_soup_can", {}, "tomato_soup_can"),
        ("11pro_SL_TRX_FG", {"category": "Shoe"}, "shoe"),
        ("11pro_SL_TRX_FG", {"category": ""}, "object"),
        ("BIA_Porcelain_Ramekin", {"category": "Bottles and Cans and Cups"}, "bottles_and_cans_and_cups"),
    ],
)
def test_categories_are_words(asset_id: str, metadata: dict[str, Any], category: str) -> None:
    assert category_of_asset(asset_id, metadata) == category


def plan(folder: Path, count: int, **more: Any) -> tuple[SceneSpec, ...]:
    settings = {"seed": 3, "num_frames": 12, "fps": 12.0, "split": "all"} | more
    return plan_collisions(
        read_manifest(folder), count=count, physics=PhysicsSettings(), render=RenderSettings(), **settings
    )


def test_plans_are_stable_and_take_families_in_turn(tmp_path: Path) -> None:
    write_asset(tmp_path / "cube")
    scenes = plan(tmp_path, 12)
    assert scenes[:5] == plan(tmp_path, 5)
    assert [scene.sequence for scene in scenes] == [*FAMILIES, *FAMILIES]
    assert len({scene.key for scene in scenes}) == 12 and scenes[0].key == "kubric-launch-00000"
    for scene in scenes:
        wish = scene.collision
        assert wish is not None and wish.manifest == str(tmp_path)
        spare = wish.num_removed if wish.null_effect else wish.num_removed - 1
        assert min(FAMILIES[wish.family] + spare, MAX_OBJECTS) <= wish.num_objects <= MAX_OBJECTS


def test_a_share_has_no_effect(tmp_path: Path) -> None:
    write_asset(tmp_path / "cube")
    shares = [
        np.mean(
            [bool(scene.collision and scene.collision.null_effect) for scene in plan(tmp_path, 200, null_share=share)]
        )
        for share in (0.0, 0.3, 1.0)
    ]
    assert shares[0] == 0 and 0.2 < shares[1] < 0.4 and shares[2] == 1


def test_unknown_families_and_shares_are_refused(tmp_path: Path) -> None:
    write_asset(tmp_path / "cube")
    with pytest.raises(ConfigError, match="did you mean 'domino'"):
        plan(tmp_path, 1, families=("dominoes",))
    with pytest.raises(ConfigError, match="no family"):
        plan(tmp_path, 1, families=())
    with pytest.raises(ConfigError, match="expected 0 to 1"):
        plan(tmp_path, 1, null_share=1.5)
