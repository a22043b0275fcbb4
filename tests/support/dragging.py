"""Drag files onto a window as a file manager does: X11's drag and drop protocol, XDND version 5."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from Xlib import X, Xatom
from Xlib.display import Display
from Xlib.protocol.event import ClientMessage, SelectionNotify, SelectionRequest
from Xlib.xobject.drawable import Window

VERSION = 5
ANSWER_SECONDS = 10
HOVERS = 3  # a hand does not stop at the first spot; pages light up meanwhile


def drag(
    display_name: str, paths: Sequence[Path], place: tuple[int, int], drop: bool = True
) -> None:
    """Carry files and folders from outside to a place on the screen, and let go of them there."""
    display = Display(display_name)
    try:
        hand = Hand(display, paths, place)
        hand.enter()
        for _ in range(HOVERS):
            taken = hand.hover()
        if drop:
            assert taken, f"nothing at {place} takes files"
            hand.drop()
        else:
            hand.leave()
    finally:
        display.close()


class Hand:
    """The side of the drag that has the files; https://freedesktop.org/wiki/Specifications/XDND."""

    def __init__(self, display: Display, paths: Sequence[Path], place: tuple[int, int]) -> None:
        self.display, self.place = display, place
        self.files = "".join(f"{path.resolve().as_uri()}\r\n" for path in paths).encode()
        self.window = display.screen().root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
        self.window.set_selection_owner(self.atom("XdndSelection"), X.CurrentTime)
        self.target = self.window_below()

    def atom(self, name: str) -> int:
        return self.display.intern_atom(name)

    def window_below(self) -> Window:
        """The window at the place that takes drags."""
        window = root = self.display.screen().root
        while window.get_full_property(self.atom("XdndAware"), X.AnyPropertyType) is None:
            child = root.translate_coords(root, *self.place).child if window == root else None
            assert child, f"no window at {self.place} takes drags"
            window = child
        return window

    def send(self, name: str, *values: int) -> None:
        data = (32, [self.window.id, *values, *[0] * (4 - len(values))])
        message = ClientMessage(window=self.target, client_type=self.atom(name), data=data)
        self.target.send_event(message)
        self.display.flush()

    def enter(self) -> None:
        self.send("XdndEnter", VERSION << 24, self.atom("text/uri-list"))

    def hover(self) -> bool:
        x, y = self.place
        copy = self.atom("XdndActionCopy")
        self.send("XdndPosition", 0, x << 16 | y, X.CurrentTime, copy)
        return bool(self.answer("XdndStatus")[1] & 1)

    def drop(self) -> None:
        self.send("XdndDrop", 0, X.CurrentTime)
        self.answer("XdndFinished")

    def answer(self, name: str) -> Sequence[int]:
        """Wait for the target's message; hand it the files when it asks for them meanwhile."""
        end = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < end:
            while self.display.pending_events():
                event = self.display.next_event()
                if isinstance(event, SelectionRequest):
                    self.hand_over(event)
                elif isinstance(event, ClientMessage) and event.client_type == self.atom(name):
                    return event.data[1]
            time.sleep(0.01)
        raise AssertionError(f"no {name} from the window at {self.place}")

    def hand_over(self, asked: SelectionRequest) -> None:
        if asked.target == self.atom("TARGETS"):
            known = [asked.target, self.atom("text/uri-list")]
            asked.requestor.change_property(asked.property, Xatom.ATOM, 32, known)
        else:
            asked.requestor.change_property(asked.property, asked.target, 8, self.files)
        given = {"requestor": asked.requestor, "selection": asked.selection}
        done = SelectionNotify(
            time=asked.time, target=asked.target, property=asked.property, **given
        )
        asked.requestor.send_event(done)
        self.display.flush()
