"""Draw and simulate one collision scene: `python -m kubric_jobs.simulate_scene JOB.json OUT`.

What it leaves in OUT is described in `datagen.collision`; `datagen.certify_collision` judges it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from datagen.assets import VISUAL_FILE, Asset, read_manifest
from datagen.codec import read_record, write_json, write_npz
from datagen.collision import (
    OUTLINES_FILE,
    REPORT_FILE,
    RERUNS_FILE,
    SPEC_FILE,
    WORLD_FILES,
    CollisionReport,
    ThingReport,
)
from datagen.entry import serve
from datagen.errors import SpecError
from datagen.jobs import CollisionJob
from datagen.spec import GeometryRef, ObjectSpec, SceneSpec
from kubric_jobs.draw_scene import DrawnScene, draw_scene
from kubric_jobs.reruns import rerun
from kubric_jobs.things import Thing

GEOMETRY_FOLDER = "geometry"
BUILT_HERE = "CC0-1.0"  # the licence of ramps, boxes and blocks
PACKAGES = ("kubric-nightly", "pybullet", "numpy", "scipy")


def main(job_path: Path, out: Path) -> None:
    """Serve one `CollisionJob`."""
    started = time.perf_counter()
    job = read_record(CollisionJob, job_path)
    spec = read_record(SceneSpec, Path(job.spec))
    if spec.collision is None:
        raise SpecError(f"{spec.key}: is no collision scene (its 'collision' is null)")
    assets = read_manifest(spec.collision.manifest, check_meshes=False).in_split(spec.collision.split)
    scene = draw_scene(spec, assets, Path(job.cache), out / GEOMETRY_FOLDER)
    drawn = time.perf_counter()
    write_json(out / SPEC_FILE, completed_spec(spec, scene, assets, out))
    for name, record in (
        ("factual", scene.factual),
        ("counterfactual", scene.counterfactual),
        ("finer", scene.finer),
    ):
        record.write(out / WORLD_FILES[name])
    write_npz(out / RERUNS_FILE, rerun(spec, scene))
    write_npz(out / OUTLINES_FILE, {thing.name: thing.outline for thing in scene.things})
    seconds = {"draw": drawn - started, "run_again": time.perf_counter() - drawn}
    write_json(out / REPORT_FILE, report_of(scene, seconds))


def completed_spec(spec: SceneSpec, scene: DrawnScene, assets: tuple[Asset, ...], out: Path) -> SceneSpec:
    """The planned spec with the objects that were drawn."""
    licences = {asset.id: asset.licence for asset in assets}
    objects = tuple(_object(thing, licences.get(thing.shape.asset_id, BUILT_HERE), out) for thing in scene.things)
    return replace(spec, objects=objects, removed=scene.removed)


def _object(thing: Thing, licence: str, out: Path) -> ObjectSpec:
    file = thing.shape.folder / VISUAL_FILE
    named = file.relative_to(out) if thing.shape.made_here else file.absolute()
    return ObjectSpec(
        name=thing.name,
        category=thing.shape.category,
        geometry=GeometryRef(file=str(named), sha256=thing.shape.solid.visual_sha256, node=""),
        scale=thing.scale,
        static=thing.static,
        licence=licence,
    )


def report_of(scene: DrawnScene, seconds: dict[str, float]) -> CollisionReport:
    """How the scene came about."""
    return CollisionReport(
        things=tuple(
            ThingReport(
                name=thing.name,
                asset_id=thing.shape.asset_id,
                role=thing.role,
                static=thing.static,
                at_rest=thing.at_rest,
                mass_kg=None if thing.static else thing.mass,
                friction=thing.shape.material.friction,
                restitution=thing.shape.material.restitution,
            )
            for thing in scene.things
        ),
        draws=scene.draws,
        refused=scene.refused,
        skipped_assets=scene.skipped_assets,
        seconds=seconds,
        versions={name: version(name) for name in PACKAGES},
    )


if __name__ == "__main__":
    serve(main)
