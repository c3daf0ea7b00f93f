"""Looks at the programs of one run through /proc, while they wait for a person or a server."""

import os
import re
from pathlib import Path

from program import Program

PROGRAMS = {"p11vault": "front", "p11vault-card": "card", "p11vault-exchange": "exchange"}
STANDARD = {0, 1, 2}


def clients_have_read(port):
    """Whatever a server on this port has sent: nothing of it waits in the kernel."""
    there = f"0100007F:{port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return all(int(line[4].partition(":")[2], 16) == 0 for line in lines if line[2] == there)


class Seen:
    """One process at one moment."""

    def __init__(self, pid):
        self._proc = Path(f"/proc/{pid}")
        self.pid = pid
        # The directory itself always shows the user; what is in it shows who may look.
        self.owner = (self._proc / "environ").stat().st_uid
        self.arguments = (self._proc / "cmdline").read_bytes()
        self.environment = (self._proc / "environ").read_bytes()
        self.status = dict(re.findall(r"^(\w+):\s*(.*)$", (self._proc / "status").read_text(),
                                      re.MULTILINE))
        self.limits = (self._proc / "limits").read_text()
        self.descriptors = {int(name.name): os.readlink(name)
                            for name in (self._proc / "fd").iterdir()}
        self._sockets = dict(self._read_sockets())

    @property
    def room(self):
        """front, card or exchange."""
        return PROGRAMS[os.path.basename(self.arguments.split(b"\0")[0].decode())]

    @property
    def texts(self):
        """Everything that others may see of it."""
        return [self.arguments, self.environment, *map(str.encode, self.descriptors.values())]

    def beyond_standard(self):
        """What is open besides input, output and messages: kind -> number."""
        kinds = {}
        for number, target in self.descriptors.items():
            if number not in STANDARD:
                kind = self._sockets.get(target, target)
                kinds[kind] = kinds.get(kind, 0) + 1
        return kinds

    def _read_sockets(self):
        """What the sockets are of which a descriptor shows only the number."""
        for line in (self._proc / "net" / "unix").read_text().splitlines()[1:]:
            yield f"socket:[{line.split()[6]}]", "unix"
        for table in ("tcp", "tcp6"):
            for line in (self._proc / "net" / table).read_text().splitlines()[1:]:
                port = int(line.split()[2].rpartition(":")[2], 16)
                yield f"socket:[{line.split()[9]}]", f"tcp to {port}"


def look(session):
    """Every process of a session, by room."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{entry}/stat").read_text(errors="replace")
        except OSError:
            continue
        fields = stat.rpartition(")")[2].split()
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(Seen(int(entry)))
    rooms = {seen.room: seen for seen in found}
    assert len(rooms) == len(found), [seen.arguments for seen in found]
    return rooms


class Watched(Program):
    """A program at a terminal that is looked at before each answer is typed."""

    def __init__(self, vault, arguments, dialogue):
        self.seen = []
        super().__init__([vault.programs / "p11vault", "--config", vault.config, "--vault",
                          vault.directory, *arguments], vault.environment(), vault.processes,
                         dialogue=dialogue)

    def _converse(self):
        if self._dialogue and self._dialogue[0][0].search(self._texts["terminal"], self._seen):
            self.seen.append(look(self.pid))
        super()._converse()
