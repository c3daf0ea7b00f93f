"""The control interface: one JSON object a line in, one out, over a Unix socket.

Every answer has "ok"; a refused command has "error" beside it.  What is told is an object whose COMMANDS are the names
of its methods that are commands; their parameters are the fields.
"""

import json

LINE_MAX = 4 * 1024 * 1024
WRONG = (ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError, OSError)


def answer_line(control, line):
    """One command from its line; whatever is wrong with it becomes an answer."""
    try:
        command = json.loads(line)
        name = command.pop("command")
        if name not in control.COMMANDS:
            raise ValueError(f"no command {name!r}")
        return {"ok": True, **getattr(control, name)(**command)}
    except WRONG as error:
        return {"ok": False, "error": f"{type(error).__name__}: {error}"}


def converse(connection, control):
    """The life of one control connection."""
    try:
        with connection, connection.makefile("rwb") as stream:
            while line := stream.readline(LINE_MAX):
                stream.write(json.dumps(answer_line(control, line)).encode() + b"\n")
                stream.flush()
    except OSError:
        pass  # the other side has gone, or all ends
