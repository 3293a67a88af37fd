"""Kubric's PyBullet simulator, mended: its time step is set, round things stop rolling, bodies have plausible masses.

Kubric leaves Bullet at 1/240 s whatever the scene's step rate says, without rolling friction and with contacts that
are seen only once bodies overlap.
"""

from __future__ import annotations

import pybullet

from datagen.entry import silenced
from datagen.physics.materials import Material
from kubric_jobs.kubric_compat import CachedAssetSource, simulator
from kubric_jobs.things import Thing

SOLVER_ITERATIONS = 60
SPECULATIVE_M = 0.02  # contacts are seen this far ahead, so that fast bodies are stopped at the surface
RESTITUTION_SPEED = 0.15  # slower impacts do not bounce [m/s]


class CollisionSimulator(simulator.PyBullet):  # type: ignore[misc]
    """Kubric's simulator over a `kb.Scene`, with a floor at z = 0."""

    def __init__(self, scene: object, substep_s: float, floor: Material) -> None:
        self.things: dict[str, int] = {}
        with silenced():
            super().__init__(scene, scratch_dir=None)
        client = self._physics_client
        client.setPhysicsEngineParameter(
            fixedTimeStep=substep_s,
            numSubSteps=0,
            numSolverIterations=SOLVER_ITERATIONS,
            solverResidualThreshold=0.0,  # else one island's residual ends another's iterations
            minimumSolverIslandSize=1,  # each island is solved by itself, so absent bodies change no other's rounding
            contactBreakingThreshold=SPECULATIVE_M,
            restitutionVelocityThreshold=RESTITUTION_SPEED,
            enableConeFriction=1,
            deterministicOverlappingPairs=1,
        )
        shape = client.createCollisionShape(pybullet.GEOM_PLANE, planeNormal=[0, 0, 1])
        self.floor = int(client.createMultiBody(baseMass=0, baseCollisionShapeIndex=shape))
        self._set_contact(self.floor, floor)

    def place(self, source: CachedAssetSource, thing: Thing) -> None:
        """Add a thing to the scene, through Kubric."""
        material = thing.shape.material
        asset = source.create(
            thing.shape.asset_id,
            simulation_filename=str(thing.shape.solid.urdf),
            name=thing.name.replace(".", "_"),  # Kubric appends .001, .002, ... to names it has seen, and compares them
            position=thing.pose[:3],
            quaternion=thing.pose[3:],
            velocity=thing.linear,
            angular_velocity=thing.angular,
            scale=thing.scale,
            static=thing.static,
            mass=max(thing.mass, 1e-3),
            friction=material.friction,
            restitution=material.restitution,
        )
        with silenced():
            self.scene.add(asset)
        number = int(asset.linked_objects[self])
        self.things[thing.name] = number
        self._set_contact(number, material)
        if not thing.static:
            self._physics_client.changeDynamics(
                number,
                -1,
                mass=thing.mass,
                localInertiaDiagonal=thing.inertia.tolist(),
                linearDamping=0.0,
                angularDamping=0.0,
                contactProcessingThreshold=SPECULATIVE_M,  # Kubric's 0 lets fast bodies overlap first
                activationState=pybullet.ACTIVATION_STATE_DISABLE_SLEEPING,
            )

    def _set_contact(self, number: int, material: Material) -> None:
        self._physics_client.changeDynamics(
            number,
            -1,
            lateralFriction=material.friction,
            restitution=material.restitution,
            rollingFriction=material.rolling_friction,
            spinningFriction=material.rolling_friction,
            contactProcessingThreshold=SPECULATIVE_M,
        )

    def close(self) -> None:
        """End Bullet's world."""
        self._physics_client.disconnect()
        self._physics_client._client = -1
