"""Which bodies at rest must not stay where they are, found while a world runs."""

from __future__ import annotations

import numpy as np

from datagen.physics.bodies import FLOOR
from datagen.physics.recorder import Recorder
from datagen.physics.scene import Scene, rough_mass
from datagen.physics.settle import Settling
from datagen.physics.standing import moved

PUSHED_M_S = 0.15  # a blow that could give an object this speed slides it by millimetres


class Watch:
    """Ends a run at the first frame in which a static body is pushed, or what it rests on has begun to move.

    What would come after that frame is wrong anyway: a body that should have given way has not.
    """

    def __init__(self, scene: Scene, dynamic: set[str]) -> None:
        self.scene, self.dynamic = scene, dynamic
        self.reasons: dict[str, str] = {}  # by body
        self.rests_on: dict[str, Settling | None] = {}  # what came of setting a body free; None: it stands by itself

    def __call__(self, recorder: Recorder) -> bool:
        """Look at the frame that was just recorded; whether anything was found."""
        partners: dict[str, set[str]] = {}
        for first, second in recorder.met:
            for name, other in ((first, second), (second, first)):
                if other in self.dynamic and name not in self.dynamic and name != FLOOR:
                    partners.setdefault(name, set()).add(other)
        for name in sorted(partners):
            reason = self._why(name, partners[name], recorder)
            if reason is not None:
                self.reasons[name] = reason
        return bool(self.reasons)

    def _why(self, name: str, partners: set[str], recorder: Recorder) -> str | None:
        """What dynamic bodies do to a static one, in words; None for nothing."""
        settling = self._without_partners(name)
        if settling is not None and settling.beyond(self.scene.spec.physics):
            return f"rests on {' and '.join(sorted(partners))}, which moves; without it, {moved(settling)}"
        blow, by = _hardest_push(name, partners, recorder)
        body = self.scene.body(name)
        if blow / rough_mass(body) > PUSHED_M_S and blow / self.scene.solid(body).mass > PUSHED_M_S:
            return f"pushed by {by} with {blow:.2f} N s"
        return None

    def _without_partners(self, name: str) -> Settling | None:
        """What comes of setting a body free without everything dynamic; None when it stands on the floor."""
        if name not in self.rests_on:
            body = self.scene.body(name)
            self.rests_on[name] = None if self.scene.stands(body) else self.scene.free(body, self.dynamic)
        return self.rests_on[name]


def _hardest_push(name: str, partners: set[str], recorder: Recorder) -> tuple[float, str]:
    """Greatest horizontal impulse [N s] on a body in the last frame, and by what."""
    best, by = 0.0, ""
    for pair, impulse in recorder.frames[-1].items():
        other = pair[0] if pair[1] == name else pair[1]
        if name in pair and other in partners:
            best, by = max((best, by), (float(np.hypot(impulse[1], impulse[2])), other))
    return best, by
