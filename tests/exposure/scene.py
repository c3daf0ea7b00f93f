"""One run of p11vault under the scanner's eyes: looked at whenever it waits, and when a process ends."""

import os
import re
import select
import selectors
import signal
from pathlib import Path

from program import Program
from scanning import MEMFD_SECRET, Watcher
from waiting import wait_until

SECONDS = 30
AFTER = "another has ended"


def let_it_rest(pid):
    """The peer of what a process has sent may know it before the process has gone to sleep."""
    def rests():
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "SZ"
    wait_until(rests, "it does not come to rest", pause=0.001)


class Scene(Program):
    """The front is watched from its first instruction, and so is every room that it starts.

    `talk` is what happens at the terminal: what is waited for, what is typed then, and the moment
    under which all processes are looked at before it is typed; what is typed may be a function of
    the scene.  `learn` is called before a process that ends is looked at.
    """

    def __init__(self, vault, build, needles, *arguments, talk=None, learn=None, env=None):
        self._watcher = Watcher(build, needles, learn)
        dialogue = talk and [(prompt, (typed, moment)) for prompt, typed, moment in talk]
        super().__init__(
            [*vault.prefix, build / "exposure/without", "--stop", MEMFD_SECRET, build / "p11vault", "--config",
             vault.config, "--vault", vault.directory, *arguments], vault.environment(**env or {}),
            vault.processes, dialogue=dialogue)
        self._selector.register(self._watcher, selectors.EVENT_READ, "scanner")
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)
        self._watcher.attach(self.pid)
        os.kill(self.pid, signal.SIGCONT)

    def look(self, moment):
        """Look at every process now."""
        rooms = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in (self.pid, *rooms):
            let_it_rest(pid)
        self._watcher.attach(*rooms)
        self._watcher.look(moment)

    def newest(self, program):
        """The last look at it."""
        return next(look for look in map(Look, reversed(self._watcher.looks))
                    if look.program == program)

    def said(self, pattern):
        """What stands on standard error, waited for; the match."""
        while not (found := re.search(pattern, self._texts["err"])):
            ready, _, _ = select.select([self.process.stderr], [], [], SECONDS)
            assert ready, f"it does not say {pattern}"
            data = os.read(self.process.stderr.fileno(), 65536)
            assert data, f"it ends without {pattern}: {self._texts['err']}"
            self._texts["err"] += data
        return found

    def talk_through(self, left=0):
        """Go on until everything that was to be typed has been, but for the last few."""
        while len(self._dialogue) > left:
            ready = self._selector.select(SECONDS)
            assert ready, "nothing happens"
            for key, _ in ready:
                self._handle(key)

    def _handle(self, key):
        if key.data != "scanner":
            super()._handle(key)
        elif not self._watcher.listen():
            self._selector.unregister(self._watcher)

    def _converse(self):
        while self._dialogue:
            pattern, (typed, moment) = self._dialogue[0]
            found = pattern.search(self._texts["terminal"], self._seen)
            if not found:
                return
            self._seen = found.end()
            self._dialogue.pop(0)
            self.look(moment)
            text = typed(self) if callable(typed) else typed
            os.write(self._master, text.encode() + b"\n")

    def seen(self):
        """What was looked at; after finish()."""
        return [Look(data) for data in self._watcher.finish()]


def phase_of(moment):
    """Of the three that every job has."""
    return {"exit": "exit", AFTER: "after"}.get(moment, "during")


class Look:
    """What one process held at one moment."""

    def __init__(self, data):
        self.data, self.program = data, data["program"]
        self.bytes, self.unread = data["bytes"], data["unread"]
        self.moment = data["moment"]
        if self.moment.startswith("exit"):
            self.moment = "exit" if self.moment == f"exit {data['pid']}" else AFTER

    @property
    def places(self):
        """Needle, form, and whether it stands in a locked page."""
        return [(hit["needle"], hit["form"], hit["locked"] and not hit["dumped"])
                for hit in self.data["hits"]]

    def __repr__(self):
        hits = "".join(f"\n    {hit['needle']} as {hit['form']}, {hit['length']} bytes, in "
                       f"'{hit['map']}' at {hit['start']}+{hit['offset']}"
                       f"{' (locked)' if hit['locked'] else ''}" for hit in self.data["hits"])
        return f"{self.program}, {self.moment}: {len(self.places)} copies{hits}"
