"""One of the three programs killed at the Nth call of a kind, by strace's injection.

The signal arrives when the call is entered: what it was to send or to write is not sent or written.
So a kill at each sendmsg and at each recvmsg is a kill on both sides of every message.
"""

import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

from program import Processes, Program

STRACE = "/usr/bin/strace"
MESSAGES = ("sendmsg", "recvmsg")
WRITES = ("pwrite64", "fdatasync", "fsync", "rename")
ROOMS = {"card": "p11vault-card", "exchange": "p11vault-exchange"}
# Leak detection and strace both want to be the tracer.
QUIET = "detect_leaks=0"
DEADLINE = 30
GRACE = 10


class Snapshot:
    """Everything of a vault as it is now, to be put back as often as needed."""

    def __init__(self, vault):
        self._base = vault.base
        self._stash = Path(tempfile.mkdtemp(prefix="p11s-"))
        shutil.copytree(self._base, self._stash / "base", symlinks=True)

    def restore(self):
        """The vault as it was, at the same path, because its configuration names it."""
        shutil.rmtree(self._base)
        shutil.copytree(self._stash / "base", self._base, symlinks=True)

    def remove(self):
        """The stash, not the vault."""
        shutil.rmtree(self._stash)


class Victim:
    """One program of ours, "front", "card" or "exchange", that runs under strace."""

    def __init__(self, vault, program):
        self.vault, self.program = vault, program
        self._directory = Path(tempfile.mkdtemp(prefix="p11k-"))
        self._trace = self._directory / "trace"
        if program != "front":
            shutil.copy2(vault.programs / "p11vault", self._directory)
            for room in ROOMS.values():
                (self._directory / room).symlink_to(Path(vault.programs, room).resolve())

    def remove(self):
        """The private copies."""
        shutil.rmtree(self._directory)

    def count(self, calls, *arguments, code=0):
        """How many of each of these calls an undisturbed run makes."""
        result = self._run(["-o", self._trace, "-e", f"trace={','.join(calls)}"], arguments)
        assert result.code == code, result
        names = re.findall(r"^(\w+)\(", self._trace.read_text(errors="replace"), re.MULTILINE)
        return {call: names.count(call) for call in calls}

    def kill(self, call, number, *arguments):
        """A run that ends in the middle; what the front said.  No process of it is left."""
        return self._run(["-o", "/dev/null", "-e", f"trace={call}",
                          "-e", f"inject={call}:signal=KILL:when={number}"], arguments)

    def _run(self, options, arguments):
        vault, strace = self.vault, [STRACE, *map(str, options)]
        command = ["--config", vault.config, "--vault", vault.directory, *arguments]
        if self.program == "front":
            command = [*strace, vault.programs / "p11vault", *command]
        else:
            self._wrap(strace)
            command = [self._directory / "p11vault", *command]
        started = Processes()
        run = Program(command, vault.environment(ASAN_OPTIONS=QUIET), started)
        result = run.finish(DEADLINE)
        left = started.left(GRACE)
        assert not left, f"processes left: {left}\n{result}"
        return result

    def _wrap(self, strace):
        """A room's environment is clean and its path is fixed, so a script takes its place."""
        name = ROOMS[self.program]
        script, real = self._directory / name, Path(self.vault.programs, name).resolve()
        script.unlink()
        script.write_text(f"#!/bin/sh\nexport ASAN_OPTIONS={QUIET}\n"
                          f"exec {' '.join(strace)} {real} \"$@\"\n")
        script.chmod(0o700)


def points(count, step, first=1):
    """Which calls to kill at: every `step`th, and always the first and the last one."""
    if os.environ.get("P11VAULT_CAMPAIGN") == "1":
        step = 1
    return sorted({*range(first, count + 1, step), *([count] if count else [])})


def was_killed(result):
    """Whether it was the front itself that the kill met."""
    return result.code == -signal.SIGKILL
