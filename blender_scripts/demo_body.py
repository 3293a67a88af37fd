"""The demo person without Blender: shape, bones and skin (assets/body.npz, made by scripts/export_body.py)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

__all__ = ["Body", "Outfit", "Skeleton", "load_body"]

ASSET = Path(__file__).parent / "assets" / "body.npz"
BROWN, WHITE = (0.10, 0.055, 0.03), (0.86, 0.85, 0.82)
# Region of the file -> material slot of the body.
SLOTS = {
    "skin": "skin",
    "forearms": "skin",
    "lips": "lips",
    "shirt": "shirt",
    "long_shirt": "shirt",
    "trousers": "trousers",
    "shoes": "shoes",
    "hair": "hair",
    "brows": "hair",
    "bun": "hair",
    "eyes": "eyes",
    "iris": "iris",
}
EYE_REGIONS = ("eyes", "iris")


@dataclass(frozen=True, kw_only=True)
class Outfit:
    """Base colours (linear RGB) of a person's material slots, and which of the optional parts they wear."""

    skin: tuple[float, float, float] = (0.72, 0.47, 0.36)
    shirt: tuple[float, float, float] = (0.12, 0.22, 0.42)
    trousers: tuple[float, float, float] = (0.06, 0.07, 0.10)
    shoes: tuple[float, float, float] = (0.12, 0.06, 0.03)
    hair: tuple[float, float, float] = BROWN
    long_sleeves: bool = False
    bun: bool = False

    def varied(self, rng: np.random.Generator) -> "Outfit":
        """The same clothes from another dye: each colour channel up to 25 % lighter or darker."""

        def dyed(colour: tuple[float, float, float]) -> tuple[float, float, float]:
            red, green, blue = np.clip(np.array(colour) * rng.uniform(0.75, 1.25, 3), 0, 1)
            return float(red), float(green), float(blue)

        return replace(self, shirt=dyed(self.shirt), trousers=dyed(self.trousers), shoes=dyed(self.shoes))

    def hidden(self) -> set[str]:
        sleeves = {"shirt", "forearms"} if self.long_sleeves else {"long_shirt"}
        return sleeves if self.bun else sleeves | {"bun"}

    def colours(self) -> Mapping[str, tuple[float, float, float]]:
        lips = (0.75 * self.skin[0], 0.5 * self.skin[1], 0.5 * self.skin[2])
        cloth = {"shirt": self.shirt, "trousers": self.trousers, "shoes": self.shoes, "hair": self.hair}
        return {"skin": self.skin, "lips": lips, "eyes": WHITE, "iris": (0.08, 0.06, 0.04)} | cloth


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """Rest pose of the bones, parents first: heads, tails and Z axes [num_bones, 3], metres, Z up."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    heads: np.ndarray
    tails: np.ndarray
    z_axes: np.ndarray

    def index(self, name: str) -> int:
        return self.names.index(f"mixamorig:{name}")

    def head(self, name: str) -> np.ndarray:
        return self.heads[self.index(name)]


@dataclass(frozen=True, kw_only=True)
class Body:
    """A skinned, dressed person in the rest pose, facing -Y, soles at z = 0."""

    skeleton: Skeleton
    vertices: np.ndarray  # float [num_vertices, 3], metres
    faces: list[list[int]]
    slots: list[str]  # material slot of every face
    weight_bones: np.ndarray  # int [num_vertices, 4]
    weights: np.ndarray  # float [num_vertices, 4]

    def part(self, eyes: bool) -> "Body":
        """Only the eyes, or everything else."""
        keep = [i for i, slot in enumerate(self.slots) if (slot in EYE_REGIONS) == eyes]
        return self.only([self.faces[i] for i in keep], [self.slots[i] for i in keep])

    def only(self, faces: list[list[int]], slots: list[str]) -> "Body":
        """These faces and the vertices that they use."""
        used = np.unique(np.concatenate([np.array(face) for face in faces]))
        new = np.full(len(self.vertices), -1)
        new[used] = np.arange(len(used))
        return Body(
            skeleton=self.skeleton,
            vertices=self.vertices[used],
            faces=[new[face].tolist() for face in faces],
            slots=slots,
            weight_bones=self.weight_bones[used],
            weights=self.weights[used],
        )

    def subset(self, rows: np.ndarray) -> "Body":
        """Some of the vertices, without faces."""
        return replace(
            self,
            vertices=self.vertices[rows],
            faces=[],
            slots=[],
            weight_bones=self.weight_bones[rows],
            weights=self.weights[rows],
        )

    def posed(self, rotations: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Skinned vertices [num_vertices, 3] (linear blend skinning).

        `rotations` [num_bones, 3, 3] turn each bone from its rest pose, `positions` [num_bones, 3] are bone heads.
        """
        offsets = positions - np.einsum("bij,bj->bi", rotations, self.skeleton.heads)
        out = np.zeros_like(self.vertices)
        for k in range(4):
            bones = self.weight_bones[:, k]
            moved = np.einsum("vij,vj->vi", rotations[bones], self.vertices) + offsets[bones]
            out += self.weights[:, k, None] * moved
        return out


def load_body(person: str, outfit: Outfit) -> Body:
    """The body of `person` in `outfit`; `person` is one of the file's people."""
    with np.load(ASSET) as data:
        people = data["people"].tolist()
        if person not in people:
            raise ValueError(f"{ASSET.name}: no person {person!r}; there are {people}")
        regions = data["regions"].tolist()
        corners = np.split(data["faces"].astype(int), np.cumsum(data["face_sizes"].astype(int))[:-1])
        kinds = [regions[region] for region in data["face_regions"]]
        worn = [i for i, kind in enumerate(kinds) if kind not in outfit.hidden()]
        whole = Body(
            skeleton=Skeleton(
                names=tuple(data["bone_names"].tolist()),
                parents=tuple(data["bone_parents"].tolist()),
                heads=data[f"{person}_heads"].astype(float),
                tails=data[f"{person}_tails"].astype(float),
                z_axes=data[f"{person}_z_axes"].astype(float),
            ),
            vertices=data[f"{person}_vertices_tenth_mm"] * 1e-4,
            faces=[],
            slots=[],
            weight_bones=data["weight_bones"].astype(int),
            weights=data["weight_shares"] / 255.0,
        )
        return whole.only([corners[i].tolist() for i in worn], [SLOTS[kinds[i]] for i in worn])
