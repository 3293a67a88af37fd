"""Where clothes, shoes and hair lie on a body of one piece, and how cloth runs over it."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from blender_scripts.head_paint import NOWHERE, hair_distance, hair_edge
from blender_scripts.rest_pose import BoneWeights, Rest
from datagen.seeding import generator_for
from datagen.wishes import PersonLook

# shares of the arm, from shoulder to wrist, that sleeves cover
SLEEVES = {
    "t-shirt": (0.36, 0.48),
    "shirt": (0.90, 0.95),
    "sweater": (0.92, 0.96),
    "hoodie": (0.93, 0.97),
    "tank top": (0.0, 0.02),
    "playsuit": (0.15, 0.5),
}
SHORT_SHIRTS = 0.35  # share of shirts with short sleeves
HEMS = {"playsuit": (0.16, 0.27), "hoodie": (0.03, 0.07)}  # below the hips, as shares of the height
HEM = (0.01, 0.05)
LEGS = {"trousers": (-0.02, 0.0), "leggings": (0.0, 0.12), "shorts": (0.0, 0.0)}  # above the ankle, likewise
SHORTS = (0.0, 0.07)  # above the knee, likewise
NECKS = {"t-shirt": 0.6, "shirt": 0.9, "tank top": 1.0, "playsuit": 0.8}  # how steeply the neckline falls to the front
NECK = 0.5
SOCKS = (0.02, 0.08)  # above the ankle, likewise
TRUNK_RADIUS, ARM_RADIUS, LEG_RADIUS = 0.085, 0.029, 0.045  # shares of the height


@dataclass(frozen=True, kw_only=True)
class Borders:
    """Signed distances [m] to the edges of what is worn, positive inside, float [V] each."""

    head: np.ndarray  # share of head and neck, no distance
    raised: np.ndarray  # hair, or a hat
    top: np.ndarray
    bottom: np.ndarray
    feet: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray, weights: BoneWeights, rest: Rest, look: PersonLook) -> Borders:
        """Of a person with that look; points: undeformed vertices [V, 3]."""
        head = weights.of("Head", "HeadTop_End") + weights.of("Neck")
        edge, over_ears = hair_edge(look.hair_style)
        return cls(
            head=head,
            raised=hair_distance(points, head, rest, edge, over_ears),
            top=top_distance(points, weights, rest, look),
            bottom=bottom_distance(points, weights, rest, look),
            feet=feet_distance(points, weights, rest, look),
        )

    def store(self, mesh: bpy.types.Object) -> None:
        """As attributes of the mesh's vertices: `border_top` and so on, and `head`."""
        store(mesh, "head", self.head)
        for name in ("top", "bottom", "feet"):
            store(mesh, f"border_{name}", getattr(self, name))


def top_distance(points: np.ndarray, weights: BoneWeights, rest: Rest, look: PersonLook) -> np.ndarray:
    """Shirts and the like: between hem and neckline on the trunk, up to the sleeve's end on arms."""
    rng, kind = generator_for(look.top.seed, "cut of the top"), look.top.kind
    low, high = HEMS.get(kind, HEM)
    height = points[:, 2]
    hem = float(rest.at("Hips", 0.55)[2]) - float(rng.uniform(low, high)) * rest.top
    neck = rest.at("Neck", 0.82)
    aside = np.abs((points - neck) @ rest.left) / (0.085 * rest.top)
    fall = NECKS.get(kind, NECK) * np.maximum(0.0, (points - neck) @ rest.forward) * np.clip(1.3 - aside, 0.0, 1.0)
    open_neck = np.where(aside < 1, neck[2] + 0.03 * rest.top - fall - height, 0.2 * rest.top)
    share = float(rng.uniform(*SLEEVES[kind]))
    if kind == "shirt" and rng.random() < SHORT_SHIRTS:
        share = float(rng.uniform(*SLEEVES["t-shirt"]))
    return np.where(on_arms(weights), sleeve_distance(points, rest, share), np.minimum(height - hem, open_neck))


def bottom_distance(points: np.ndarray, weights: BoneWeights, rest: Rest, look: PersonLook) -> np.ndarray:
    """Trousers and the like: from the waist down to the end of the legs."""
    rng, kind = generator_for(look.bottom.seed, "cut of the bottom"), look.bottom.kind
    if kind == "shorts":
        end = float(rest.at("LeftLeg", 0.29)[2]) + float(rng.uniform(*SHORTS)) * rest.top
    else:
        end = float(rest.at("LeftFoot", 0.05)[2]) + float(rng.uniform(*LEGS[kind])) * rest.top
    waist = float(rest.at("Hips", 0.55)[2]) + 0.03 * rest.top
    return np.where(on_arms(weights), NOWHERE, np.minimum(waist - points[:, 2], points[:, 2] - end))


def feet_distance(points: np.ndarray, weights: BoneWeights, rest: Rest, look: PersonLook) -> np.ndarray:
    """Shoes end at the ankle, socks above."""
    if look.feet.kind == "bare":
        return np.full(len(points), NOWHERE)
    rise = generator_for(look.feet.seed, "cut of the feet").uniform(*SOCKS) if look.feet.kind == "socks" else 0.008
    end = float(rest.at("LeftFoot", 0.05)[2]) + float(rise) * rest.top
    return np.where(on_arms(weights), NOWHERE, end - points[:, 2])


def on_arms(weights: BoneWeights) -> np.ndarray:
    """Whether a vertex belongs to an arm or a hand, bool [V]."""
    hands = [bone for bone in weights.columns if "Hand" in bone]
    return np.asarray(weights.both("Arm", "ForeArm") + weights.of(*hands) > 0.5)


def sleeve_distance(points: np.ndarray, rest: Rest, share: float) -> np.ndarray:
    """How far up the arm from the sleeve's end a vertex lies [m], float [V]."""
    result = np.full(len(points), NOWHERE)
    for start, end, here in arms_of(points, rest):
        length = float(np.linalg.norm(end - start))
        result[here] = share * length - (points[here] - start) @ (end - start) / length
    return result


def arms_of(points: np.ndarray, rest: Rest) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Shoulder and wrist [3] of both arms, and which points lie on that side, bool [V]."""
    return _sides(points, rest, "Arm", "Hand")


def _sides(points: np.ndarray, rest: Rest, first: str, last: str) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    result = []
    across = (points - rest.eyes) @ rest.left
    for side, sign in (("Left", 1), ("Right", -1)):
        if f"{side}{first}" in rest.joints and f"{side}{last}" in rest.joints:
            result.append((rest.joints[f"{side}{first}"], rest.joints[f"{side}{last}"], np.sign(across) == sign))
    return result


def store_cloth(mesh: bpy.types.Object, points: np.ndarray, weights: BoneWeights, rest: Rest) -> None:
    """Attributes that `fabrics.cloth_of` reads: "trunk" for tops, "legs" for bottoms; and "rest", where a vertex is."""
    store(mesh, "rest", rest.from_body(points))
    spine = rest.at("Spine", 0.6)
    offset = points - spine
    trunk = np.stack([offset @ rest.left, offset @ rest.forward, points[:, 2]], axis=1)
    radius = np.full(len(points), TRUNK_RADIUS * rest.top)
    arms = on_arms(weights)
    for start, end, here in arms_of(points, rest):
        trunk[here & arms] = around_axis(points[here & arms], start, end, rest)
    radius[arms] = ARM_RADIUS * rest.top
    legs = trunk.copy()
    for start, end, here in _sides(points, rest, "UpLeg", "Foot"):
        legs[here & ~arms] = around_axis(points[here & ~arms], start, end, rest)
    for name, values, size in (("trunk", trunk, radius), ("legs", legs, np.full(len(points), LEG_RADIUS * rest.top))):
        store(mesh, name, values)
        store(mesh, f"{name}_radius", size)


def around_axis(points: np.ndarray, start: np.ndarray, end: np.ndarray, rest: Rest) -> np.ndarray:
    """Points [N, 3] as (aside, ahead, along) of a limb's axis [m].

    Along it falls from the height of the limb's start, so that stripes of a trunk go on over the shoulder.
    """
    axis = (end - start) / np.linalg.norm(end - start)
    aside = np.cross(rest.forward, axis)
    aside /= max(float(np.linalg.norm(aside)), 1e-9)
    ahead = np.cross(axis, aside)
    offset = points - start
    return np.stack([offset @ aside, offset @ ahead, start[2] - offset @ axis], axis=1)


def store(mesh: bpy.types.Object, name: str, values: np.ndarray) -> None:
    """An attribute of the vertices: float [V] or [V, 3]."""
    kind, field = ("FLOAT", "value") if values.ndim == 1 else ("FLOAT_VECTOR", "vector")
    attribute = mesh.data.attributes.new(name, kind, "POINT")
    attribute.data.foreach_set(field, values.astype(np.float32).ravel())
