"""The worker of an app on one machine: a process of its own, so that the page answers meanwhile."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
from multiprocessing.managers import BaseManager
from pathlib import Path

from lora_demo.actors import Actor, ActorWorker, Answer, LostError

HERE = "127.0.0.1"


class _Manager(BaseManager):
    """Lets one process call the methods of an object in another; both know a key."""


_Manager.register("actor")


class OwnProcess(ActorWorker):
    """Starts its process at once; a lost one is started anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._start()

    def ask(self, method: str, *arguments: object) -> Answer | None:
        process = self.process
        try:
            return getattr(self._connected(), method)(*arguments)
        except (OSError, EOFError, ValueError) as error:  # it ended; ValueError: before its port
            with self._lock:
                if self.process is process:  # nobody else has noticed yet
                    self.end()
                    self._start()
            raise LostError from error

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()

    def _start(self) -> None:
        self._key, self._actor = secrets.token_bytes(32), None
        package = str(Path(__file__).parents[1])
        paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": paths},
            text=True,
        )
        print(self._key.hex(), file=self.process.stdin, flush=True)

    def _connected(self) -> Actor:
        """A stand-in for the actor there."""
        with self._lock:
            if self._actor is None:
                manager = _Manager((HERE, int(self.process.stdout.readline())), self._key)
                manager.connect()
                self._actor = manager.actor()
            return self._actor


def _serve() -> None:
    """For the app that started this process, and as long as that lives."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the app, which ends this one
    sys.setswitchinterval(0.0005)  # s; a training hands the lock over thousands of times
    key, actor = bytes.fromhex(sys.stdin.readline()), Actor()
    _Manager.register("actor", lambda: actor)
    server = _Manager((HERE, 0), key).get_server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve()
