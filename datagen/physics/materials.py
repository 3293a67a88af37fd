"""How heavy, slippery and bouncy things are: one table.

Bullet multiplies the friction and the restitution of two bodies that touch. The table holds each surface's share, i.e.
the square root of what is measured between two pieces of the same material: wood on wood slides at 0.63 x 0.63 = 0.4.

Where the numbers come from:

- density: figures of solid materials as engineering tables give them (steel 7850, aluminium 2700, glass 2500, stoneware
  2000-2400, plastics 900-1100, hardwood 700, softwood and plywood 500-600 kg/m3), then lowered by eye until typical
  household weights come out (a mug 0.35 kg, an office chair 11 kg, a side table 5 kg): meshes are thicker than the
  things, and convex parts fill hollows. No object was weighed.
- friction: between the sliding and the static coefficients of textbook tables, because Bullet has only one (wood on
  wood and metal on wood 0.3/0.5, steel on steel 0.3/0.6, rubber on concrete 0.7/1.0: S. A. Hill, "How and Why", table
  of coefficients of friction). Glazed ceramics, plastics, paper and cloth are typical values.
- restitution: lists for balls on a hard floor say wood 0.60, steel 0.60, glass 0.66, hollow plastic 0.69, rubber 0.83
  ("The Physics Factbook", common values). Household things are no balls: they deform, rattle and land on edges; their
  pairs are set to about half of that (0.2-0.3), a typical value. The product rule makes rubber on a hard floor 0.44,
  duller than a real ball; a larger share would gain energy between two rubber things.
- rolling friction: typical; large enough that round things stop within a few metres.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from datagen.spec import category_of

MIN_MASS_KG = 0.02
MAX_MASS_KG = 60.0


@dataclass(frozen=True, kw_only=True)
class Material:
    """Contact and mass properties of an object.

    density_kg_m3  effective, over the volume of the convex parts: furniture and vessels are partly hollow;
                   None for what is unknown: `density_by_volume`
    friction, restitution  this surface's share; a pair's value is the product
    rolling_friction  [m], resists rolling and spinning; without it round things roll for ever
    """

    name: str
    density_kg_m3: float | None
    friction: float
    restitution: float
    rolling_friction: float


def _material(
    name: str, density: float | None, friction: float, restitution: float, rolling: float = 0.0008
) -> Material:
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
WICKER = _material("wicker", 250.0, 0.70, 0.35, 0.0020)
HOLLOW_METAL = _material("hollow metal", 500.0, 0.60, 0.45)
UPHOLSTERY = _material("upholstery", 600.0, 0.75, 0.30, 0.0030)
MIXED = _material("mixed", 700.0, 0.65, 0.45)  # toys and devices: some of everything
UNKNOWN = _material("unknown", None, 0.65, 0.45)

CERAMIC_VESSEL = replace(CERAMIC, density_kg_m3=1400.0)
VASE = replace(CERAMIC, density_kg_m3=1000.0)
OFFICE_CHAIR = replace(UPHOLSTERY, density_kg_m3=1100.0)
INSTRUMENT = replace(WOOD, density_kg_m3=250.0)
FILLED_TIN = replace(METAL, density_kg_m3=1000.0)
DEVICE = replace(HOLLOW_METAL, density_kg_m3=1800.0)
APPLIANCE = replace(PLASTIC, density_kg_m3=450.0)
FLOWER = replace(FABRIC, density_kg_m3=300.0)

# What each category is made of; `mug` also stands for `red_mug` and `mug_2`. HUMOTO's names, Kubric's, and common ones.
TABLE: tuple[tuple[Material, str], ...] = (
    (CERAMIC, "plate deep_plate side_plate serving_bowl bowl dish saucer sink bathroomsink bathroom_sink"),
    (CERAMIC_VESSEL, "mug cup teapot"),
    (VASE, "vase flowerpot"),
    (GLASS, "glass jar wineglass"),
    (
        WOOD,
        "dining_chair low_chair stool step_stool stepstool side_table table desk shelf cabinet drawer bench "
        "cutting_board chopping_board board tray kitchen_counter kitchen_counter_small wooden door crate",
    ),
    (INSTRUMENT, "guitar ukelele ukulele violin"),
    (UPHOLSTERY, "armchair sofa chair couch bed"),
    (OFFICE_CHAIR, "working_chair office_chair"),
    (
        METAL,
        "frying_pan frypan pan pot wok knife fork spoon whisk hammer screwdriver wrench peeler soup_ladle ladle "
        "wok_turner scissors tap faucet can_opener mixing_bowl tongs key corkscrew grater",
    ),
    (FILLED_TIN, "can tin"),
    (
        HOLLOW_METAL,
        "ladder trolley cart utility_cart lamp floor_lamp table_lamp flask vacuum_flask vaccum_flask vacuum_flask_body "
        "vaccum_flask_body thermos kettle clothes_rack clothrack rack clothes_hanger hanger",
    ),
    (DEVICE, "laptop laptop_bottom laptop_top phone tablet camera"),
    (
        PLASTIC,
        "spatula turner plastic_bowl plastic_bowl_stacked bottle bucket bin larger_bin trash_can trashcan "
        "trashbin wash_tub tub remote broom mop squeegee shower_squeegee lint_roller roller soap_dispenser "
        "soap_dispenser_body soap_dispenser_top vacuum_flask_cap vaccum_flask_cap cap lid pen usb usb_stick suitcase "
        "organizer organizer_small organizer_medium draw_organizer_tray toothbrush",
    ),
    (APPLIANCE, "vacuum monitor printer toaster"),
    (WICKER, "basket basket_90 woven_basket"),
    (RUBBER, "ball basketball"),
    (CARDBOARD, "box carton package"),
    (PAPER, "book notebook magazine trash paper"),
    (FABRIC, "pillow cushion towel bag cloth clothes blouse shirt blanket backpack"),
    (FLOWER, "flower flowers plant"),
    (FOOD, "apple orange banana mango bread egg pancake lemon tomato potato soap sponge"),
    (
        MIXED,
        "toy toys domino duck bear brick ring shape slab ramp block cube bunny train unicorn headset headphones clock "
        "caddy utensil_holder tape_roll magnifying_glass",
    ),
)

FLOORS: dict[str, Material] = {
    "wood": _material("wooden floor", 700.0, 0.70, 0.55, 0.0010),
    "tiles": _material("tiled floor", 2300.0, 0.62, 0.55, 0.0008),
    "carpet": _material("carpet", 300.0, 0.90, 0.25, 0.0060),
    "concrete": _material("concrete floor", 2400.0, 0.75, 0.52, 0.0010),
}
FLOOR = _material("floor", 2000.0, 0.70, 0.52, 0.0010)

# Small things are solid, big ones hollow: 0.1 litres of parts weigh 120 g, 1 litre 700 g, 10 litres 4 kg, 100 litres
# 20 kg. Typical of what stands about in a home.
UNKNOWN_VOLUME_M3 = (1e-4, 1e-3, 1e-2, 1e-1)
UNKNOWN_DENSITY_KG_M3 = (1200.0, 700.0, 400.0, 200.0)


def material_of(name: str) -> Material:
    """Material of an object by its name, e.g. HUMOTO's `mug.001`; `UNKNOWN` where no word of the table fits.

    The longest entry found among the name's words decides, of equally long ones the last: in English the last word
    says what a thing is.
    """
    words = category_of(name).lower().replace(" ", "_").replace("-", "_").split("_")
    found = _find(words) or _find([word.removesuffix("s") for word in words])
    return found or UNKNOWN


def is_known(name: str) -> bool:
    """Whether the table has an object of that name."""
    return material_of(name) is not UNKNOWN


def floor_material(kind: str) -> Material:
    """Material of a room's floor by its `SurfaceWish.kind`."""
    return FLOORS.get(kind, FLOOR)


def mass_kg(material: Material, volume_m3: float) -> float:
    """Mass of a body, clamped to what a person can handle."""
    density = material.density_kg_m3 if material.density_kg_m3 is not None else density_by_volume(volume_m3)
    return min(max(density * volume_m3, MIN_MASS_KG), MAX_MASS_KG)


def density_by_volume(volume_m3: float) -> float:
    """Effective density [kg/m3] of a thing of which only the volume of its parts is known."""
    at = np.log(max(volume_m3, 1e-12))
    return float(np.exp(np.interp(at, np.log(UNKNOWN_VOLUME_M3), np.log(UNKNOWN_DENSITY_KG_M3))))


def _find(words: list[str]) -> Material | None:
    spans = ((length, start) for length in range(len(words), 0, -1) for start in range(len(words) - length, -1, -1))
    return next((ENTRIES[key] for n, i in spans if (key := "_".join(words[i : i + n])) in ENTRIES), None)


ENTRIES: dict[str, Material] = {entry: material for material, text in TABLE for entry in text.split()}
