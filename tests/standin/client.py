#!/usr/bin/python3
"""The other end of the control interface, for tests and for shell scripts.

    client.py DIR COMMAND [name=value …] [--print FIELD]

A value that is JSON is taken as JSON, anything else as text.  Prints the whole answer, or one
field of it as plain text.
"""

import argparse
import json
import socket
import sys
from pathlib import Path


class Refused(Exception):
    """The stand-in did not take the command."""


class Client:
    """One control connection; safe for one thread."""

    def __init__(self, directory):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(Path(directory) / "control.sock"))
        self._stream = self._socket.makefile("rwb")

    def tell(self, command, **fields):
        """Send a command and return the answer without its "ok"; Refused when there is none."""
        self._stream.write(json.dumps({"command": command, **fields}).encode() + b"\n")
        self._stream.flush()
        line = self._stream.readline()
        answer = json.loads(line) if line else {"ok": False, "error": "the stand-in has gone"}
        if not answer.pop("ok"):
            raise Refused(answer["error"])
        return answer

    def close(self):
        """Give the connection back."""
        self._stream.close()
        self._socket.close()


def _pair(text):
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not name=value")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def main():
    """One command from the command line."""
    parser = argparse.ArgumentParser(description="tell the stand-in something")
    parser.add_argument("dir")
    parser.add_argument("command")
    parser.add_argument("fields", nargs="*", type=_pair)
    parser.add_argument("--print", dest="field", help="print this field only")
    arguments = parser.parse_args()
    client = Client(arguments.dir)
    try:
        answer = client.tell(arguments.command, **dict(arguments.fields))
    except Refused as error:
        sys.exit(f"client.py: {error}")
    finally:
        client.close()
    print(answer[arguments.field] if arguments.field else json.dumps(answer))


if __name__ == "__main__":
    main()
