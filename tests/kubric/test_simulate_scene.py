"""Whole collision scenes: every family has its effect, and nothing else changes."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import Planner

from datagen.assets import AssetManifest, read_manifest
from datagen.certify_collision import certify_folder, read_collision
from datagen.codec import read_npz, read_record, write_json
from datagen.collision import CollisionReport, Contacts, reached_from
from datagen.errors import SceneFailed, SpecError
from datagen.jobs import CollisionJob
from datagen.meshes import read_obj
from datagen.physics.records import PhysicsCertificate, Verdict
from datagen.placement import Staging
from datagen.sources.kubric import FAMILIES
from datagen.spec import GeometryRef, ObjectSpec, SceneSpec, World
from datagen.trajectory import read_trajectories
from kubric_jobs.draw_scene import SAME_M, DrawnScene, contacts_of, corner_gap, draw_scene
from kubric_jobs.families import LAYOUTS
from kubric_jobs.reruns import rerun
from kubric_jobs.simulate_scene import main

CONVERGED_M = 0.02  # the certificate's limit of the check `convergence`
RESULTS = ("world_factual.npz", "world_counterfactual.npz", "world_finer.npz", "outlines.npz", "spec.json")


def draw(spec: SceneSpec, manifest: AssetManifest, cache: Path, own: Path) -> DrawnScene:
    return draw_scene(spec, manifest.in_split("all"), cache, own)


def reached(scene: DrawnScene) -> dict[str, int]:
    worlds = [contacts_of(run) for run in (scene.factual, scene.counterfactual)]
    passive = [thing.name for thing in scene.things if thing.static]
    return {name: reach.frame for name, reach in reached_from(scene.removed, worlds, passive).items()}


def write_job(folder: Path, spec: SceneSpec, cache: Path) -> Path:
    folder.mkdir(parents=True)
    write_json(folder / "planned.json", spec)
    write_json(folder / "job.json", CollisionJob(spec=str(folder / "planned.json"), cache=str(cache)))
    return folder / "job.json"


def test_planned_and_laid_out_families_are_the_same() -> None:
    assert set(LAYOUTS) == set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_removal_changes_what_it_reaches_and_nothing_else(
    family: str, planned: Planner, embedded: AssetManifest, asset_cache: Path, tmp_path: Path
) -> None:
    spec = planned(family, seed=2)
    scene = draw(spec, embedded, asset_cache, tmp_path / "own")
    assert spec.collision is not None
    assert len(scene.things) == spec.collision.num_objects and len(scene.removed) == spec.collision.num_removed
    assert not set(scene.removed) & set(scene.counterfactual.names)
    arrival, effects = reached(scene), {}
    for thing in scene.things:
        if thing.name in scene.removed or thing.static:
            continue
        gap = corner_gap(thing, scene.factual, scene.counterfactual)
        before = gap[: arrival[thing.name]] if thing.name in arrival else gap
        assert before.max(initial=0.0) <= SAME_M, thing.name
        effects[thing.name] = float(gap.max())
    assert max(effects.values()) > 0.01
    assert scene.factual.initial_penetration.max(initial=0.0) < 0.001
    resting = [thing.name for thing in scene.things if thing.at_rest and not thing.static]
    untouched = [name for name in resting if name not in arrival and name not in scene.removed]
    for name in untouched:
        assert (scene.factual.of(name) == scene.counterfactual.of(name)).all()


@pytest.mark.parametrize("family", ["launch", "pile", "domino", "ramp", "container"])
def test_step_rates_agree_until_the_first_bounce_and_at_rest_unless_chaotic(
    family: str, planned: Planner, embedded: AssetManifest, asset_cache: Path, tmp_path: Path
) -> None:
    """The certificate's tolerance: colliding scans are chaotic, and a scene in which that shows is labelled so."""
    spec = planned(family)
    coarse, fine = (
        draw(
            dataclasses.replace(spec, physics=dataclasses.replace(spec.physics, substep_hz=rate)),
            embedded,
            asset_cache,
            tmp_path / str(rate),
        )
        for rate in (240, 480)
    )
    assert coarse.removed == fine.removed and coarse.draws == fine.draws  # the same scene was drawn
    flying = [thing.name for thing in fine.things if not thing.at_rest]
    for name in ("factual", "counterfactual"):
        first, second = getattr(coarse, name), getattr(fine, name)
        gap = np.linalg.norm(first.poses[..., :3] - second.poses[..., :3], axis=-1).max(axis=1)
        touches = [frame for one in flying if one in second.names for frame in second.first_touch(one).values()]
        assert gap[: min(touches, default=len(gap))].max(initial=0.0) < CONVERGED_M
    chaos = np.linalg.norm(fine.counterfactual.poses[-1, :, :3] - fine.finer.poses[-1, :, :3], axis=-1).max()
    assert gap[-1] < CONVERGED_M or chaos > CONVERGED_M


@pytest.mark.parametrize("family", ["launch", "container"])
def test_scenes_without_effect(
    family: str, planned: Planner, embedded: AssetManifest, asset_cache: Path, tmp_path: Path
) -> None:
    spec = planned(family, null=True)
    scene = draw(spec, embedded, asset_cache, tmp_path / "own")
    assert not reached(scene)
    kept = [thing for thing in scene.things if thing.name not in scene.removed]
    assert max(float(corner_gap(thing, scene.factual, scene.counterfactual).max()) for thing in kept) <= SAME_M
    moving = np.abs(scene.counterfactual.poses[-1, :, :3] - scene.counterfactual.poses[0, :, :3]).max()
    assert moving > 0.1


def test_two_processes_give_equal_bytes(planned: Planner, asset_cache: Path, tmp_path: Path) -> None:
    spec, folders = planned("domino", seed=1), []
    for name in ("one", "two"):
        job = write_job(tmp_path / name, spec, asset_cache)
        folders.append(tmp_path / name / "out")
        command = [sys.executable, "-m", "kubric_jobs.simulate_scene", str(job), str(folders[-1])]
        subprocess.run(command, check=True, capture_output=True)
    for result in RESULTS:
        assert (folders[0] / result).read_bytes() == (folders[1] / result).read_bytes(), result


@pytest.mark.parametrize(("family", "null"), [("support", False), ("ramp", False), ("launch", True)])
def test_from_a_planned_spec_to_a_staged_scene(
    family: str, null: bool, planned: Planner, asset_cache: Path, tmp_path: Path
) -> None:
    spec = planned(family, seed=2, null=null)
    job = write_job(tmp_path / "job", spec, asset_cache)
    simulation, out = tmp_path / "simulation", tmp_path / "out"
    simulation.mkdir()
    out.mkdir()
    main(job, simulation)
    certificate = certify_folder(simulation, out)
    assert certificate == read_record(PhysicsCertificate, out / "certificate.json") or certificate.seconds == {}
    complete = read_record(SceneSpec, out / "spec.json")
    assert dataclasses.replace(complete, objects=(), removed=()) == spec
    worlds = read_trajectories(out / "trajectories.npz")
    assert set(worlds[World.FACTUAL].names) == {thing.name for thing in complete.objects}
    assert set(worlds[World.COUNTERFACTUAL].names) == {thing.name for thing in complete.kept_objects()}
    for thing in complete.objects:
        assert len(read_obj(out / thing.geometry.file).faces) > 0  # absolute paths stay as they are
    assert certificate.verdict is Verdict.ACCEPTED
    assert ("null_effect" in certificate.labels) == null
    assert bool(certificate.affected) != null and (certificate.divergence_frame is None) == null
    assert {body.name for body in certificate.bodies} == {thing.name for thing in complete.objects}
    assert not any(name.replace("_", " ") in certificate.caption for name in unique_categories(complete))
    staging = read_record(Staging, out / "staging.json")
    assert len(staging.world_from_camera) == spec.clip.num_frames
    contacts = read_npz(out / "contacts.npz")
    assert contacts["impulse"].shape == (36, len(contacts["pair_first"]))
    report = read_record(CollisionReport, out / "collision.json")
    assert report.draws == 1 + sum(report.refused.values())
    assert read_collision(simulation).spec == complete


def unique_categories(spec: SceneSpec) -> set[str]:
    """Categories of removed objects that no kept object shares."""
    kept = {thing.category for thing in spec.kept_objects()}
    return {thing.category for thing in spec.objects if thing.name in spec.removed} - kept


def test_real_scans_make_scenes(shared_data: Path, planned: Planner, asset_cache: Path, tmp_path: Path) -> None:
    manifest = read_manifest(shared_data / "objects", check_meshes=False)
    scene = draw(planned("launch", manifest=manifest), manifest, asset_cache, tmp_path)
    assert all(thing.shape.asset_id.startswith(("gso_", "ycb_")) for thing in scene.things)


def test_what_is_removed_changes_nothing_on_the_way_to_it(
    shared_data: Path, planned: Planner, asset_cache: Path, tmp_path: Path
) -> None:
    """A holder of many parts slides down a ramp: without the can at the ramp's foot it was 9 mm off from the first."""
    manifest = read_manifest(shared_data / "objects", check_meshes=False)
    spec = planned("ramp", manifest=manifest)
    assert spec.collision is not None
    wish = dataclasses.replace(spec.collision, num_objects=7, num_removed=2, max_draws=1)
    clip = dataclasses.replace(spec.clip, num_frames=8, fps=6.0)
    floor = dataclasses.replace(spec.floor, kind="tiles")
    spec = dataclasses.replace(spec, seed=2880091791, collision=wish, clip=clip, floor=floor)
    scene = draw_scene(spec, manifest.in_split("train"), asset_cache, tmp_path)
    (group,) = scene.counterfactual_recipe.groups
    assert {thing.name for thing in group.things if thing.ghost} == set(scene.removed)
    (holder,) = (thing for thing in scene.things if not thing.at_rest)
    gap, met = corner_gap(holder, scene.factual, scene.counterfactual), reached(scene)[holder.name]
    assert met > 1 and gap[:met].max() == 0 and gap[met:].max() > 0.05
    again = rerun(spec, scene)
    assert (again["counterfactual_again"] == scene.counterfactual.poses).all()
    assert np.isfinite(again["perturbed"]).all()


def test_impossible_wishes_are_refused(
    planned: Planner, embedded: AssetManifest, asset_cache: Path, tmp_path: Path
) -> None:
    spec = planned("launch")
    assert spec.collision is not None
    for change, message in (
        ({"num_removed": 9}, "cannot remove 9 of"),
        ({"num_removed": 0}, "cannot remove 0 of"),
        ({"family": "lanch"}, "did you mean 'launch'"),
    ):
        wrong = dataclasses.replace(spec, collision=dataclasses.replace(spec.collision, **change))
        with pytest.raises(SpecError, match=message):
            draw(wrong, embedded, asset_cache, tmp_path)
    thing = ObjectSpec(name="a", category="a", geometry=GeometryRef(file="a.obj", sha256="", node=""))
    with pytest.raises(SpecError, match="no collision scene"):
        draw_scene(
            dataclasses.replace(spec, collision=None, removed=("a",), objects=(thing,)), (), asset_cache, tmp_path
        )


def test_draws_are_bounded_and_counted(
    planned: Planner, embedded: AssetManifest, asset_cache: Path, tmp_path: Path
) -> None:
    spec = planned("launch")
    assert spec.collision is not None
    wish = dataclasses.replace(spec.collision, max_draws=2)
    physics = dataclasses.replace(spec.physics, min_effect_mm=1e6, min_effect_deg=1e6)
    with pytest.raises(SceneFailed, match="none of 2 drawn") as caught:
        draw(dataclasses.replace(spec, collision=wish, physics=physics), embedded, asset_cache, tmp_path)
    assert sum(caught.value.details["refused"].values()) == 2


def test_influence_travels_through_contacts_in_time() -> None:
    pairs = (("a", "b"), ("b", "c"), ("c", "floor"), ("d", "floor"), ("e", "ramp"))
    impulse = np.zeros((5, 5))
    impulse[3, 0] = impulse[1, 1] = impulse[4, 1] = 1.0
    impulse[:, 2:] = 1.0
    found = reached_from(["a"], [Contacts(pairs=pairs, impulse=impulse)], ["ramp"])
    assert {name: (reach.frame, reach.chain) for name, reach in found.items()} == {
        "b": (3, ("a", "b")),
        "c": (4, ("a", "b", "c")),
    }
    early = reached_from(["c"], [Contacts(pairs=pairs, impulse=impulse)], ["ramp"])
    assert early["b"].frame == 1 and early["a"].frame == 3
