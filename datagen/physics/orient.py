"""Turn the faces of a mesh outwards: CoACD takes an inside-out solid for its own void."""

from __future__ import annotations

import numpy as np
import scipy


def outward_faces(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The same triangles int32 [F, 3], each piece wound consistently and outwards.

    A piece within the box of another stays inwards if it was so: it is a cavity.
    """
    piece, flip = _consistent(faces)
    wound = np.where(flip[:, None], faces[:, ::-1], faces)
    volume = np.bincount(piece, _signed_volumes(vertices, wound), minlength=piece.max() + 1)
    inwards = (volume < 0) & ~_cavities(vertices, wound, piece)
    wound = np.where(inwards[piece][:, None], wound[:, ::-1], wound)
    return np.ascontiguousarray(wound, dtype=np.int32)


def _consistent(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of each face's connected piece [F], and which faces [F] to flip so that neighbours agree.

    Two nodes stand for each face, as it is and flipped; neighbours that agree link like to like, others crosswise.
    """
    count = len(faces)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    owner = np.tile(np.arange(count), 3)
    forward = edges[:, 0] < edges[:, 1]
    keys = np.sort(edges, axis=1).astype(np.int64) @ np.array([edges.max() + 1, 1])
    order = np.argsort(keys, kind="stable")
    same = keys[order][1:] == keys[order][:-1]
    first, second = order[:-1][same], order[1:][same]
    crossed = (forward[first] == forward[second]).astype(np.int64)
    a, b = owner[first], owner[second]
    rows = np.concatenate([a, a + count])
    columns = np.concatenate([b + crossed * count, b + (1 - crossed) * count])
    graph = scipy.sparse.coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(2 * count, 2 * count))
    _, label = scipy.sparse.csgraph.connected_components(graph, directed=False)
    kept, flipped = label[:count], label[count:]
    _, piece = np.unique(np.minimum(kept, flipped), return_inverse=True)
    return piece, _majority(piece, kept > flipped)


def _majority(piece: np.ndarray, flip: np.ndarray) -> np.ndarray:
    """Of the two ways to wind each piece consistently, the one that flips fewer faces."""
    share = np.bincount(piece, flip) / np.bincount(piece)
    return np.asarray(flip ^ (share > 0.5)[piece])


def _signed_volumes(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Signed volume [F] between each face and the middle of the mesh."""
    corners = vertices[faces] - vertices.mean(axis=0)
    return np.asarray(np.linalg.det(corners) / 6)


def _cavities(vertices: np.ndarray, faces: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """Whether each piece lies within the box of another, bool [P]."""
    count = int(piece.max()) + 1
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    owner = np.repeat(piece, 3)
    np.minimum.at(low, owner, vertices[faces.ravel()])
    np.maximum.at(high, owner, vertices[faces.ravel()])
    return np.array([((low < low[one]) & (high > high[one])).all(axis=1).any() for one in range(count)])
