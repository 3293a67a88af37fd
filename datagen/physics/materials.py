"""How heavy, slippery and bouncy things are: one table.

Bullet multiplies the friction and the restitution of two bodies that touch. The table holds each surface's share, i.e.
the square root of what is measured between two pieces of the same material: wood on wood slides at 0.63 x 0.63 = 0.4.
"""

from __future__ import annotations

from dataclasses import dataclass

from datagen.spec import category_of

MIN_MASS_KG = 0.02
MAX_MASS_KG = 60.0


@dataclass(frozen=True, kw_only=True)
class Material:
    """Contact and mass properties of an object.

    density_kg_m3  effective, over the volume of the convex parts: furniture and vessels are partly hollow
    friction, restitution  this surface's share; a pair's value is the product
    rolling_friction  [m], resists rolling and spinning; without it round things roll for ever
    """

    name: str
    density_kg_m3: float
    friction: float
    restitution: float
    rolling_friction: float


def _material(name: str, density: float, friction: float, restitution: float, rolling: float = 0.0008) -> Material:
    return Material(
        name=name, density_kg_m3=density, friction=friction, restitution=restitution, rolling_friction=rolling
    )


CERAMIC = _material("ceramic", 2000.0, 0.65, 0.50)
GLASS = _material("glass", 2200.0, 0.60, 0.52)
WOOD = _material("wood", 600.0, 0.65, 0.50)
METAL = _material("metal", 2400.0, 0.60, 0.48)
PLASTIC = _material("plastic", 900.0, 0.62, 0.58)
RUBBER = _material("rubber", 1100.0, 0.90, 0.80)
CARDBOARD = _material("cardboard", 120.0, 0.66, 0.35, 0.0015)
PAPER = _material("paper", 700.0, 0.66, 0.30, 0.0015)
FABRIC = _material("fabric", 150.0, 0.80, 0.20, 0.0040)
FOOD = _material("food", 950.0, 0.70, 0.40, 0.0015)
HOLLOW_METAL = _material("hollow metal", 500.0, 0.60, 0.45)
UPHOLSTERY = _material("upholstery", 600.0, 0.75, 0.30, 0.0030)
UNKNOWN = _material("unknown", 700.0, 0.65, 0.45)

# The first word found in an object's category decides, so the more telling words stand first.
WORDS: tuple[tuple[str, Material], ...] = (
    ("working_chair", UPHOLSTERY),
    ("armchair", UPHOLSTERY),
    ("sofa", UPHOLSTERY),
    ("dining_chair", WOOD),
    ("chair", UPHOLSTERY),
    ("stool", WOOD),
    ("side_table", WOOD),
    ("table", WOOD),
    ("desk", WOOD),
    ("shelf", WOOD),
    ("cabinet", WOOD),
    ("drawer", WOOD),
    ("cutting_board", WOOD),
    ("chopping_board", WOOD),
    ("board", WOOD),
    ("ladder", HOLLOW_METAL),
    ("trolley", HOLLOW_METAL),
    ("cart", HOLLOW_METAL),
    ("lamp", HOLLOW_METAL),
    ("flask", HOLLOW_METAL),
    ("thermos", HOLLOW_METAL),
    ("kettle", HOLLOW_METAL),
    ("laptop", HOLLOW_METAL),
    ("frying_pan", METAL),
    ("pan", METAL),
    ("pot", METAL),
    ("knife", METAL),
    ("fork", METAL),
    ("spoon", METAL),
    ("spatula", PLASTIC),
    ("turner", PLASTIC),
    ("whisk", METAL),
    ("hammer", METAL),
    ("tray", WOOD),
    ("plate", CERAMIC),
    ("mug", CERAMIC),
    ("cup", CERAMIC),
    ("vase", CERAMIC),
    ("serving_bowl", CERAMIC),
    ("mixing_bowl", METAL),
    ("bowl", CERAMIC),
    ("glass", GLASS),
    ("jar", GLASS),
    ("bottle", PLASTIC),
    ("bucket", PLASTIC),
    ("basket", PLASTIC),
    ("bin", PLASTIC),
    ("crate", PLASTIC),
    ("phone", PLASTIC),
    ("remote", PLASTIC),
    ("broom", PLASTIC),
    ("mop", PLASTIC),
    ("basketball", RUBBER),
    ("ball", RUBBER),
    ("box", CARDBOARD),
    ("carton", CARDBOARD),
    ("book", PAPER),
    ("notebook", PAPER),
    ("pillow", FABRIC),
    ("cushion", FABRIC),
    ("towel", FABRIC),
    ("bag", FABRIC),
    ("suitcase", PLASTIC),
    ("apple", FOOD),
    ("orange", FOOD),
    ("banana", FOOD),
    ("bread", FOOD),
)

FLOORS: dict[str, Material] = {
    "wood": _material("wooden floor", 700.0, 0.70, 0.55, 0.0010),
    "tiles": _material("tiled floor", 2300.0, 0.62, 0.55, 0.0008),
    "carpet": _material("carpet", 300.0, 0.90, 0.25, 0.0060),
    "concrete": _material("concrete floor", 2400.0, 0.75, 0.52, 0.0010),
}
FLOOR = _material("floor", 2000.0, 0.70, 0.52, 0.0010)


def material_of(name: str) -> Material:
    """Material of an object by its HUMOTO name, e.g. `mug.001`; `UNKNOWN` where no word of the table fits."""
    category = category_of(name).lower().replace(" ", "_").replace("-", "_")
    return next((material for word, material in WORDS if word in category), UNKNOWN)


def floor_material(kind: str) -> Material:
    """Material of a room's floor by its `SurfaceWish.kind`."""
    return FLOORS.get(kind, FLOOR)


def mass_kg(material: Material, volume_m3: float) -> float:
    """Mass of a body, clamped to what a person can handle."""
    return min(max(material.density_kg_m3 * volume_m3, MIN_MASS_KG), MAX_MASS_KG)
