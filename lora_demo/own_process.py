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
    """Starts its process when it is first asked, and anew when that is lost."""

    def __init__(self) -> None:
        self.process: subprocess.Popen | None = None
        self._actor: Actor | None = None  # a stand-in for the one there
        self._lock = threading.Lock()

    def ask(self, method: str, *arguments: object) -> Answer | None:
        actor = None
        try:
            actor = self._connected()
            return getattr(actor, method)(*arguments)
        except (OSError, EOFError, ValueError) as error:  # it ended; ValueError: before its port
            with self._lock:
                if self._actor is actor:  # nobody else has noticed yet
                    self._end()
            raise LostError from error

    def end(self) -> None:
        with self._lock:
            self._end()

    def _connected(self) -> Actor:
        with self._lock:
            if self._actor is None:
                self._end()
                self._actor = self._start()
            return self._actor

    def _end(self) -> None:
        if self.process:
            self.process.kill()
            self.process.communicate()
        self.process = self._actor = None

    def _start(self) -> Actor:
        key = secrets.token_bytes(32)
        package = str(Path(__file__).parents[1])
        paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": paths},
            text=True,
        )
        print(key.hex(), file=self.process.stdin, flush=True)
        manager = _Manager((HERE, int(self.process.stdout.readline())), key)
        manager.connect()
        return manager.actor()


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
