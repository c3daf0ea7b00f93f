"""Drives the card room and the exchange room directly, in the front's place.

The table of messages is read from the sources, so that a message added there is tested here.
"""

import array
import contextlib
import fcntl
import os
import re
import select
import signal
import socket
import struct
import tempfile
from pathlib import Path
from typing import NamedTuple

SOURCES = Path(__file__).resolve().parents[2]
VERSION = 6
PACKET_MAX = 64 * 1024
DEADLINE = 20
NONE = 2 ** 64 - 1  # no record, no second key
PROGRAMS = {"card": "p11vault-card", "exchange": "p11vault-exchange"}
FAULT, CARD_FAILED, REFUSED = 1, 23, 30


KINDS = {"NUMBER": "u", "TEXT": "s", "BYTES": "b", "SECRET": "k", "FD": "f"}
# As the tests call what both rooms have, and what has a name that C has, too.
NAMES = {"card_end": "end", "exchange_end": "end", "card_fail": "fail", "exchange_fail": "fail",
         "signed_head": "signed", "logged_in": "loggedin"}


class Rule(NamedTuple):
    """One row of the table."""

    number: int
    constant: str
    name: str
    sender: str
    receiver: str
    when: frozenset
    fields: str
    told: str  # as errors name it


def _read_table():
    header = (SOURCES / "include/p11vault/ipc/messages.h").read_text(encoding="utf-8")
    header = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL).replace("\\\n", "")
    states = re.findall(r"\w+", re.search(r"enum state \{(.*?)\}", header, re.DOTALL).group(1))
    sets = {}
    for name, text in re.findall(r"#define (\w+) +(.*)", header):
        sets[name] = re.findall(r"IN\((\w+)\)", text)
        for first, last in re.findall(r"IN_ANY\((\w+), (\w+)\)", text):
            sets[name] = states[states.index(first):states.index(last) + 1]
    table = re.search(r"#define MESSAGE_TABLE\(ROW\)(.*)", header).group(1)
    rows = re.findall(r"ROW\((\w+),\s*(\w+),\s*([A-Z]+)_TO_([A-Z]+),\s*(.*?),\s*\w+"
                      r"((?:,\s*\(\w+,\s*\w+\))*)\)", table)
    rules = [Rule(number, f"MESSAGE_{constant}", NAMES.get(name, name), sender.lower(), receiver.lower(),
                  frozenset(re.findall(r"IN\((\w+)\)", when) or sets[when.strip()]),
                  "".join(KINDS[kind] for kind in re.findall(r"\((\w+),\s*\w+\)", fields)), name)
             for number, (constant, name, sender, receiver, when, fields) in enumerate(rows, 1)]
    assert len(rules) == table.count("ROW(")
    assert sum(len(rule.fields) for rule in rules) == len(re.findall(r"\((?:NUMBER|TEXT|BYTES|SECRET|FD),", table))
    return rules


TABLE = _read_table()


def rule(sender, receiver, name):
    """The row of a message."""
    return next(row for row in TABLE if row[2:5] == (name, sender, receiver))


def field(kind, value):
    """One field as it stands in a packet."""
    if kind == "u":
        return struct.pack(">Q", value)
    data = value.encode() + b"\0" if kind == "s" else bytes(value)
    return struct.pack(">I", len(data)) + data


def packet(row, *values):
    """A whole message."""
    kinds = row.fields.rstrip("f")
    assert len(kinds) == len(values), row
    return bytes([VERSION, row.number]) + b"".join(map(field, kinds, values))


def harmless(row):
    """A well-formed message of a kind, to be sent where it does not belong."""
    return packet(row, *({"u": 0, "s": "x", "b": b"x", "k": bytes(32)}[kind]
                         for kind in row.fields.rstrip("f")))


def parse(data):
    """Name and fields of a packet from a room."""
    assert data[0] == VERSION, data[:2]
    row, at, values = TABLE[data[1] - 1], 2, []
    for kind in row.fields:
        size = 8
        if kind != "u":
            size, at = struct.unpack_from(">I", data, at)[0], at + 4
        value = data[at:at + size]
        assert len(value) == size, row
        at += size
        values.append(struct.unpack(">Q", value)[0] if kind == "u" else
                      value[:-1].decode() if kind == "s" else value)
    assert at == len(data), row
    return row.name, values


class Room:
    """One room: the channel to it, and our end of the one-way channel for keys."""

    def __init__(self, programs, who, environment=None, **how):
        self.who = who
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel = ours
        self.keys, way = key_way(who)
        self._said = tempfile.TemporaryFile()
        self.pid = _spawn(programs / PROGRAMS[who], environment or {}, self._said.fileno(),
                          [theirs if how.get("channel", True) else None,
                           way if how.get("keys", True) else None], how.get("stdin"),
                          how.get("arguments", ()))
        theirs.close()
        way.close()
        self._pidfd, self.code = os.pidfd_open(self.pid), None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        if self.code is None:
            try:
                self.wait()
            finally:
                self._said.close()
        os.close(self._pidfd)
        self.keys.close()

    def close(self):
        """What a front does that is gone."""
        self.channel.close()

    # ---- talking ----

    def row(self, name):
        """The row of a message of ours."""
        return rule("front", self.who, name)

    def send(self, name, *values, descriptors=()):
        """A message; false when nobody is there to hear it."""
        return self.send_raw(packet(self.row(name), *values), descriptors)

    def send_raw(self, data, descriptors=()):
        """Any packet."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        try:
            self.channel.sendmsg([data], rights if descriptors else [])
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def receive(self):
        """Name and fields of what the room says next; None when it has ended."""
        data = receive(self.channel)
        return parse(data) if data else None

    def expect(self, name):
        """The fields of a message that must come now."""
        answer = self.receive()
        assert answer and answer[0] == name, f"{answer} where '{name}' belongs"
        return answer[1]

    # ---- ending ----

    def wait(self, seconds=DEADLINE):
        """Wait for the room to end; its exit code."""
        if not _readable(self._pidfd, seconds):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.code = "hung"
            raise AssertionError(f"the {self.who} room does not end")
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._said.seek(0)
        self.said = self._said.read().decode(errors="replace")
        self._said.close()
        for mark in ("Sanitizer:", "runtime error"):
            assert mark not in self.said, self.said
        return self.code

    def status(self, name):
        """One line of its /proc/PID/status."""
        return status(self.pid, name)

    def filters(self):
        """How many filters of system calls it has put up itself."""
        return self.status("Seccomp_filters") - status("self", "Seccomp_filters")

    def sockets(self):
        """Its descriptors that are sockets."""
        found = set()
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed while we look
                if os.readlink(link).startswith("socket:"):
                    found.add(int(link.name))
        return found

    def on_keys(self):
        """What an ended card room has sent to the exchange room, as names and fields."""
        assert self.code is not None
        self.keys.setblocking(False)
        found = []
        while True:
            try:
                data = self.keys.recv(2 * PACKET_MAX)
            except ConnectionResetError:
                continue  # said once, before what can still be read
            if not data:
                return found
            found.append(parse(data))

    def refuses(self, code, part, hint="", keys=()):
        """The room says `fail` with this code and text, ends with it, and has sent no key."""
        answer = self.receive()
        assert answer and answer[0] == "fail", f"{answer} where 'fail' belongs"
        said = answer[1]
        assert (said[0], part in said[1], hint in said[2]) == (code, True, True), said
        assert self.receive() is None
        assert self.wait() == code, self.said
        if self.who == "card":
            assert [name for name, _ in self.on_keys()] == list(keys)


def status(pid, name):
    """One line of /proc/PID/status, as a number."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.search(rf"^{name}:\s*(\d+)", text, re.MULTILINE).group(1))


def has_walls(programs):
    """Whether programs have all of them: those with sanitizers may do without, and a sanitizer locks no memory."""
    return b"__asan_init" not in (programs / PROGRAMS["card"]).read_bytes()


def key_way(who):
    """The one-way channel: our end and the room's."""
    sends, receives = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sends.shutdown(socket.SHUT_RD)
    receives.shutdown(socket.SHUT_WR)
    return (receives, sends) if who == "card" else (sends, receives)


def receive(channel, seconds=DEADLINE):
    """One packet; empty when the other end has gone."""
    while True:
        assert _readable(channel, seconds), "no answer in time"
        try:
            return channel.recv(2 * PACKET_MAX)
        except ConnectionResetError:
            continue


def _readable(descriptor, seconds):
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _spawn(program, environment, said, channels, stdin, arguments):
    """As the front does it: nothing open but input, messages, and the channels as 3 and 4."""
    high = [None if end is None else fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 64)
            for end in [stdin, said, *channels]]
    plan = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    plan += [(os.POSIX_SPAWN_DUP2, end, number) for end, number in zip(high, (0, 2, 3, 4))
             if end is not None]
    # The search for leaks wants to trace its own process, which the walls of a room forbid.
    given = os.environ.get("ASAN_OPTIONS", "")
    sanitizers = {"ASAN_OPTIONS": f"{given}:detect_leaks=0"}
    try:
        return os.posix_spawn(program, [program.name, *arguments], {**sanitizers, **environment},
                              file_actions=plan, setsid=True)
    finally:
        for end in high:
            if end is not None:
                os.close(end)
