"""Meshes of the demo's objects, metres, Z up, standing on z = 0; and signed distances to the parts that hands hold."""

from collections.abc import Callable, Sequence

import numpy as np

from blender_scripts.demo_take import Mesh

__all__ = [
    "BALL_RADIUS",
    "BOWL_FLOOR",
    "BOWL_PROFILE",
    "CART_BAR",
    "CART_TRAYS",
    "MUG_PROFILE",
    "VASE_PROFILE",
    "Distance",
    "ball",
    "bowl",
    "box",
    "box_distance",
    "capsule_distance",
    "lathe",
    "lathe_distance",
    "mug",
    "shelf",
    "table",
    "utility_cart",
    "working_chair",
]

Distance = Callable[[np.ndarray], np.ndarray]
Profile = Sequence[tuple[float, float]]

BALL_RADIUS = 0.036
BOWL_FLOOR = 0.010  # height of the bowl's inner bottom
CART_TRAYS = (0.16, 0.74)  # heights of the upper faces of the cart's trays
CART_BAR = (0.48, 0.97, 0.014)  # the handle of the cart: y, z, radius
MUG_PROFILE = ((0.0, 0.0), (0.034, 0.0), (0.038, 0.004), (0.040, 0.02), (0.040, 0.098), (0.0385, 0.1), (0.037, 0.098),
               (0.036, 0.02), (0.032, 0.008), (0.0, 0.007))  # fmt: skip

VASE_PROFILE = ((0.0, 0.0), (0.036, 0.0), (0.040, 0.004), (0.058, 0.05), (0.066, 0.10), (0.060, 0.15), (0.038, 0.20),
                (0.030, 0.23), (0.036, 0.26), (0.033, 0.262), (0.026, 0.23), (0.034, 0.20), (0.055, 0.15),
                (0.060, 0.10), (0.050, 0.04), (0.0, 0.010))  # fmt: skip


def _bowl_profile() -> Profile:
    outside = [(0.0, 0.0), (0.048, 0.0), (0.052, 0.004)]
    turn = np.linspace(0.12, 1.0, 9)
    quarter = turn * np.pi / 2
    outside += list(zip(0.052 + 0.083 * np.sin(quarter) ** 0.9, 0.004 + 0.086 * (1 - np.cos(quarter)), strict=True))
    lip = [(0.133, 0.0915), (0.1305, 0.090)]
    inside = [(0.1305 * np.sin(a), BOWL_FLOOR + 0.080 * (1 - np.cos(a))) for a in np.linspace(np.pi / 2, 0, 12)[1:]]
    return tuple((float(r), float(z)) for r, z in outside + lip + inside)


BOWL_PROFILE = _bowl_profile()


def join(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    faces = [[i + int(start) for i in face] for mesh, start in zip(meshes, starts, strict=False) for face in mesh.faces]
    return Mesh(vertices=np.concatenate([mesh.vertices for mesh in meshes]), faces=faces)


def moved(mesh: Mesh, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Mesh:
    return Mesh(vertices=mesh.vertices + np.array([x, y, z]), faces=mesh.faces)


def lathe(profile: Profile, segments: int = 40) -> Mesh:
    """A solid of revolution about Z; the (radius, height) profile starts and ends on the axis, out, up, in."""
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    rings = np.array(profile[1:-1])
    circle = np.column_stack([np.cos(angles), np.sin(angles), np.ones(segments)])
    vertices = [(rings[:, None, [0, 0, 1]] * circle).reshape(-1, 3), [[0, 0, profile[0][1]], [0, 0, profile[-1][1]]]]
    first, last = len(rings) * segments, len(rings) * segments + 1
    end = (len(rings) - 1) * segments
    faces: list[list[int]] = []
    for a in range(segments):
        b = (a + 1) % segments
        faces.append([first, b, a])
        faces += [[r + a, r + b, r + segments + b, r + segments + a] for r in range(0, end, segments)]
        faces.append([end + a, end + b, last])
    return Mesh(vertices=np.concatenate(vertices), faces=faces)


def tube(path: np.ndarray, radius: float, segments: int = 12) -> Mesh:
    """A round bar along a path [num_points, 3], its ends closed."""
    tangents = np.gradient(path, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    spread = np.ptp(path, axis=0)
    helper = np.eye(3)[int(np.argmin(spread))]
    side = np.cross(tangents, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(tangents, side)
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    circle = np.cos(angles)[:, None] * side[:, None] + np.sin(angles)[:, None] * other[:, None]
    rings = path[:, None] + radius * circle
    faces = [
        [r + a, r + (a + 1) % segments, r + segments + (a + 1) % segments, r + segments + a]
        for r in range(0, (len(path) - 1) * segments, segments)
        for a in range(segments)
    ]
    end = (len(path) - 1) * segments
    caps = [list(range(segments))[::-1], [end + a for a in range(segments)]]
    return Mesh(vertices=rings.reshape(-1, 3), faces=faces + caps)


def box(size_x: float, size_y: float, size_z: float, chamfer: float = 0.003) -> Mesh:
    """A box with chamfered edges, standing on z = 0."""
    half = np.array([size_x, size_y, size_z]) / 2
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    vertices = np.array([s * (half - chamfer * (1 - np.eye(3)[axis])) for s in signs for axis in range(3)])
    faces = [[corner(s, axis) for axis in range(3)] for s in signs]
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for sign in (-1, 1):
            around = [_signs(axis, sign, u, a, v, b) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
            faces.append([corner(s, axis) for s in around])
        for a in (-1, 1):
            for b in (-1, 1):
                low, high = _signs(axis, -1, u, a, v, b), _signs(axis, 1, u, a, v, b)
                faces.append([corner(low, u), corner(high, u), corner(high, v), corner(low, v)])
    vertices = vertices + np.array([0, 0, half[2]])
    return Mesh(vertices=vertices, faces=[_outward(vertices, face, vertices.mean(0)) for face in faces])


def corner(signs: np.ndarray, axis: int) -> int:
    """Index of the vertex of a box's corner that lies on the face across `axis`."""
    return 3 * int((signs[0] + 1) * 2 + (signs[1] + 1) + (signs[2] + 1) // 2) + axis


def _signs(axis: int, sign: int, u: int, a: int, v: int, b: int) -> np.ndarray:
    out = np.zeros(3, int)
    out[axis], out[u], out[v] = sign, a, b
    return out


def _outward(vertices: np.ndarray, face: list[int], centre: np.ndarray) -> list[int]:
    a, b, c = vertices[face[:3]]
    return face if np.cross(b - a, c - a) @ (vertices[face].mean(0) - centre) > 0 else face[::-1]


def mug() -> Mesh:
    """A mug of 10 cm with its handle on +X."""
    turn = np.linspace(-np.pi / 2, np.pi / 2, 15)
    arc = np.column_stack([0.0385 + 0.030 * np.cos(turn), 0 * turn, 0.052 + 0.029 * np.sin(turn)])
    return join(lathe(MUG_PROFILE, 48), tube(arc, 0.0055))


def bowl() -> Mesh:
    return lathe(BOWL_PROFILE, 56)


def ball() -> Mesh:
    """A ball of BALL_RADIUS about its origin."""
    turn = np.linspace(-np.pi / 2, np.pi / 2, 17)
    profile = [(BALL_RADIUS * float(np.cos(t)), BALL_RADIUS * float(np.sin(t))) for t in turn]
    return lathe([(0.0, profile[0][1]), *profile[1:-1], (0.0, profile[-1][1])], 28)


def table(size_x: float, size_y: float, height: float) -> Mesh:
    x, y = size_x / 2 - 0.05, size_y / 2 - 0.05
    legs = [moved(box(0.05, 0.05, height - 0.029), sx * x, sy * y) for sx in (-1, 1) for sy in (-1, 1)]
    rails = [moved(box(size_x - 0.14, 0.02, 0.07), 0, sy * y, height - 0.10) for sy in (-1, 1)]
    return join(moved(box(size_x, size_y, 0.03), z=height - 0.03), *legs, *rails)


def shelf(heights: Sequence[float], width: float = 0.9, depth: float = 0.34) -> Mesh:
    """An open shelf: two sides, a back and a board whose upper face lies at each of the heights."""
    top = max(heights) + 0.42
    sides = [moved(box(0.025, depth, top), sx * (width / 2 - 0.0125)) for sx in (-1, 1)]
    boards = [moved(box(width - 0.048, depth - 0.012, 0.022), 0, -0.005, h - 0.022) for h in (*heights, top - 0.002)]
    back = moved(box(width - 0.048, 0.012, top - 0.02), 0, depth / 2 - 0.008, 0.01)
    return join(*sides, *boards, back)


def utility_cart(width: float = 0.44, length: float = 0.62) -> Mesh:
    """A cart with two rimmed trays, four posts, wheels and a handle at +Y."""
    parts: list[Mesh] = []
    for top in CART_TRAYS:
        parts.append(moved(box(width, length, 0.018), z=top - 0.018))
        parts += [moved(box(0.012, length, 0.045), sx * (width / 2 - 0.006), 0, top - 0.015) for sx in (-1, 1)]
        parts += [moved(box(width - 0.02, 0.012, 0.045), 0, sy * (length / 2 - 0.006), top - 0.015) for sy in (-1, 1)]
    x, y = width / 2 - 0.02, length / 2 - 0.02
    post = np.array([[0, 0, 0.06], [0, 0, 0.4], [0, 0, CART_TRAYS[1]]])
    parts += [tube(post + np.array([sx * x, sy * y, 0]), 0.011) for sx in (-1, 1) for sy in (-1, 1)]
    bar_y, bar_z, radius = CART_BAR
    start = [[-x, y, CART_TRAYS[1] - 0.02], [-x, y, 0.80], [-x, y + 0.05, 0.88]]
    bend = np.array([*start, [-x, bar_y - 0.03, 0.95], [-x + 0.02, bar_y, bar_z]])
    run = np.linspace([-x + 0.05, bar_y, bar_z], [x - 0.05, bar_y, bar_z], 8)
    parts.append(tube(np.concatenate([bend, run, bend[::-1] * [-1, 1, 1]]), radius))
    parts += [moved(wheel(), sx * x, sy * y, 0.045) for sx in (-1, 1) for sy in (-1, 1)]
    return join(*parts)


def wheel(radius: float = 0.045, width: float = 0.024) -> Mesh:
    """A wheel about the X axis, round its origin."""
    half, inner = width / 2, radius - 0.004
    rim = [(0.0, -half), (inner, -half), (radius, -half / 2), (radius, half / 2), (inner, half), (0.0, half)]
    upright = lathe(rim, 24)
    return Mesh(vertices=upright.vertices[:, [2, 0, 1]], faces=upright.faces)


def working_chair() -> Mesh:
    """A wooden chair facing -Y, seat at 0.45 m, back up to 0.86 m."""
    legs = [moved(box(0.035, 0.035, 0.435), sx * 0.19, -0.19) for sx in (-1, 1)]
    backs = [moved(box(0.035, 0.035, 0.86), sx * 0.19, 0.19) for sx in (-1, 1)]
    slats = [moved(box(0.35, 0.018, 0.06), 0, 0.19, z) for z in (0.60, 0.70, 0.79)]
    rails = [moved(box(0.018, 0.35, 0.025), sx * 0.19, 0, 0.20) for sx in (-1, 1)]
    return join(moved(box(0.43, 0.43, 0.025, 0.006), z=0.43), *legs, *backs, *slats, *rails)


def box_distance(size: Sequence[float], centre: Sequence[float]) -> Distance:
    """Signed distance to a box [m]."""
    half, middle = np.array(size) / 2, np.array(centre)

    def distance(points: np.ndarray) -> np.ndarray:
        q = np.abs(points - middle) - half
        return np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(-1), 0)

    return distance


def capsule_distance(start: Sequence[float], end: Sequence[float], radius: float) -> Distance:
    """Signed distance to a round bar [m]."""
    a, b = np.array(start), np.array(end)

    def distance(points: np.ndarray) -> np.ndarray:
        t = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        return np.linalg.norm(points - a - t[..., None] * (b - a), axis=-1) - radius

    return distance


def lathe_distance(profile: Profile) -> Distance:
    """Signed distance to a solid of revolution about Z [m]: to its profile, a polygon closed along the axis."""
    start = np.array(profile)
    end = np.roll(start, -1, axis=0)
    span = end - start

    def distance(points: np.ndarray) -> np.ndarray:
        p = np.stack([np.hypot(points[..., 0], points[..., 1]), points[..., 2]], axis=-1)[..., None, :]
        t = np.clip(((p - start) * span).sum(-1) / np.maximum((span**2).sum(-1), 1e-18), 0, 1)
        gap = np.linalg.norm(p - start - t[..., None] * span, axis=-1)[..., :-1].min(-1)
        above = (start[:, 1] > p[..., 1]) != (end[:, 1] > p[..., 1])
        slope = span[:, 0] / np.where(span[:, 1] == 0, 1e-18, span[:, 1])
        inside = (above & (p[..., 0] < start[:, 0] + slope * (p[..., 1] - start[:, 1]))).sum(-1) % 2 == 1
        return np.where(inside, -gap, gap)

    return distance
