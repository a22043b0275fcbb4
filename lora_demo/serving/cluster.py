"""Ray actors as workers of the queue, on one machine or many. Only this module knows Ray."""

from __future__ import annotations

import os
import pickle
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from lora_demo.errors import LoraDemoError
from lora_demo.serving.actor import Actor, Answer
from lora_demo.serving.transport import pack

TRIES = 2  # of a run whose actor was lost
PATIENCE_SECONDS = 60  # with an actor that is being started again, and with a step


class LostError(Exception):
    """The actor is gone with its runs, and a new one has taken its place."""


class RayWorker:
    """Runs functions on one actor. Ray restarts a lost actor, on another machine if need be."""

    def __init__(self, actor: Any):
        self.actor = actor  # Ray's handle of an `Actor`

    def __call__(self, function: Callable[..., Iterator], *arguments: object) -> Generator:
        """Yield the steps, from the first again if the actor was lost, but only once."""
        payload = pack((function, arguments))
        for _ in range(TRIES):
            with suppress(LostError):
                yield from self._run(payload)
                return
        raise LoraDemoError("The computer that worked on it was lost, twice. Try again.")

    def _run(self, payload: bytes) -> Iterator:
        key, over = uuid.uuid4().hex, False
        try:
            answer = self._ask("start", key, payload)
            while not over:
                if answer is None:
                    raise LostError("Another actor has taken its place, and knows no such run.")
                news, over = answer
                for step in map(pickle.loads, news):
                    if isinstance(step, Exception):
                        raise step
                    yield step
                answer = None if over else self._ask("poll", key)
        finally:
            if not over:
                with suppress(LostError):
                    self._ask("cancel", key)  # then it is free

    def _ask(self, method: str, *arguments: object) -> Answer | None:
        """Call a method of the actor."""
        import ray
        from ray.exceptions import GetTimeoutError, RayActorError

        try:
            return ray.get(getattr(self.actor, method).remote(*arguments), timeout=PATIENCE_SECONDS)
        except GetTimeoutError as error:
            ray.kill(self.actor, no_restart=False)
            raise LostError from error
        except RayActorError as error:
            self._wait_until_back()
            raise LostError from error

    def _wait_until_back(self) -> None:
        import ray
        from ray.exceptions import GetTimeoutError, RayActorError

        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            try:
                ray.get(self.actor.poll.remote("no run"), timeout=PATIENCE_SECONDS)
                return
            except (RayActorError, GetTimeoutError):
                time.sleep(0.5)


def start_ray_workers(where: str, threads: int | None = None) -> list[RayWorker]:
    """Start actors: so many on this machine if `where` is a number; or one on each machine of a
    cluster if it is `ray://host:port`.

    Raises `LoraDemoError` if Ray is missing, or if `where` is neither.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the machines
    try:
        import ray
    except ImportError as error:
        raise LoraDemoError("More workers need Ray: python -m pip install 'ray[client]'") from error
    if where.isdigit() and int(where):
        count, cores = int(where), os.cpu_count() or 1
        ray.init(num_cpus=max(count, cores), include_dashboard=False, log_to_driver=False)
        threads = threads or max(1, cores // count)
    elif where.startswith("ray://"):
        package = {"py_modules": [str(Path(__file__).parents[1])]}
        ray.init(where, runtime_env=package, log_to_driver=False)
        cores = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
        machines = [count for count in cores if count]  # a head may have none
        count, threads = len(machines), threads or int(min(machines))
    else:
        raise LoraDemoError(f"“{where}”: give a number of workers, or ray://host:port.")
    options = {"num_cpus": 1, "max_restarts": -1, "max_concurrency": 4}
    spread = ray.remote(Actor).options(**options, scheduling_strategy="SPREAD")
    return [RayWorker(spread.remote(threads)) for _ in range(count)]
