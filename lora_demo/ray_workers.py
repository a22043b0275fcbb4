"""More than one machine: Ray actors as workers of the desk. No other room knows of Ray."""

from __future__ import annotations

import os
import pickle
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lora_demo.errors import LoraDemoError
from lora_demo.parcels import PATIENCE_SECONDS, Run, pack

TRIES = 2  # of a run whose actor was lost


class _Actor:
    """Runs by key. Ray starts it again where it was lost; its runs are lost then."""

    def __init__(self, threads: int):
        import torch

        torch.set_num_threads(threads)
        self._runs: dict[str, Run] = {}

    def begin(self, key: str, parcel: bytes) -> None:
        self._runs[key] = Run(parcel)

    def look(self, key: str) -> tuple[list[bytes], bool] | None:
        run = self._runs.get(key)
        return run.look() if run else None

    def end(self, key: str) -> None:
        run = self._runs.pop(key, None)
        if run:
            run.stop()


class RayWorker:
    """A worker of the desk that lets an actor do it."""

    pausable = False  # while nobody pulls, the actor goes on

    def __init__(self, actor: object):
        self.actor = actor

    def __call__(self, function: object, *arguments: object) -> Iterator:
        from ray.exceptions import RayActorError

        parcel = pack((function, arguments))
        for _ in range(TRIES):
            with suppress(RayActorError):
                yield from self._run(parcel)
                return
        raise LoraDemoError("The computer that worked on it was lost, twice. Try again.")

    def _run(self, parcel: bytes) -> Iterator:
        import ray
        from ray.exceptions import RayActorError

        key, over = self._begin(parcel), False
        try:
            while not over:
                answer = ray.get(self.actor.look.remote(key))
                if answer is None:
                    raise RayActorError(error_msg="It was started again, and knows no such run.")
                news, over = answer
                for step in map(pickle.loads, news):
                    if isinstance(step, Exception):
                        raise step
                    yield step
        finally:
            with suppress(RayActorError):
                ray.get(self.actor.end.remote(key))  # then it is free

    def _begin(self, parcel: bytes) -> str:
        import ray
        from ray.exceptions import RayActorError

        key, until = uuid.uuid4().hex, time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                ray.get(self.actor.begin.remote(key, parcel))
                return key
            except RayActorError:  # it is being started again
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)


def ray_workers(where: str, threads: int | None = None) -> list[RayWorker]:
    """`where` is a number: as many actors on this machine; or the `ray://host:port` of a cluster:
    one actor a machine.

    Raises `LoraDemoError` where Ray is missing or `where` is neither.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is to leave the machines
    try:
        import ray
    except ImportError as error:
        raise LoraDemoError("More workers need Ray: python -m pip install 'ray[client]'") from error
    if where.isdigit() and int(where):
        count, cores = int(where), os.cpu_count() or 1
        ray.init(num_cpus=max(count, cores), include_dashboard=False, log_to_driver=False)
        threads = threads or max(1, cores // count)
    elif where.startswith("ray://"):
        package = {"py_modules": [str(Path(__file__).parent)]}
        ray.init(where, runtime_env=package, log_to_driver=False)
        cores = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
        machines = [count for count in cores if count]  # a head may have none
        count, threads = len(machines), threads or int(min(machines))
    else:
        raise LoraDemoError(f"“{where}”: give a number of workers, or ray://host:port.")
    actor = ray.remote(num_cpus=1, max_restarts=-1, max_concurrency=4)(_Actor)
    spread = actor.options(scheduling_strategy="SPREAD")
    return [RayWorker(spread.remote(threads)) for _ in range(count)]
