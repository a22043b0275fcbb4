"""Selenium's way to Firefox without geckodriver, which Debian lacks: Firefox's own protocol.

https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html
"""

import json
from socket import socket
from typing import Any

COMMANDS = {
    "newSession": "NewSession",
    "get": "Navigate",
    "refresh": "Refresh",
    "setWindowRect": "SetWindowRect",
    "getWindowRect": "GetWindowRect",
    "w3cExecuteScript": "ExecuteScript",
    "findElements": "FindElements",
    "clickElement": "ElementClick",
    "sendKeysToElement": "ElementSendKeys",
}


class Marionette:
    """Takes Selenium's commands in the place of a connection to geckodriver."""

    def __init__(self, connection: socket) -> None:
        self.connection, self.answers = connection, connection.makefile("rb")
        self._receive()  # who it is

    def execute(self, command: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if command == "newSession":
            parameters = {}
        sent = json.dumps([0, 1, f"WebDriver:{COMMANDS[command]}", parameters]).encode()
        self.connection.sendall(b"%d:%s" % (len(sent), sent))
        _, _, error, value = self._receive()
        if error:
            return {"status": error["error"], "value": error["message"]}
        alone = isinstance(value, dict) and value.keys() == {"value"}
        return {"value": value["value"] if alone else value}

    def _receive(self) -> Any:
        """Read one message: `<length>:<json>`."""
        length = b""
        while (digit := self.answers.read(1)) != b":":
            length += digit
        return json.loads(self.answers.read(int(length)))
