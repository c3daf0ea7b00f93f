"""One of the three programs killed at the Nth call of a kind, by strace's injection.

The signal arrives when the call is entered: what it was to send or to write is not sent or written.
So a kill at each sendto and at each recvmsg is a kill on both sides of every message.
"""

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
from pathlib import Path

from program import Processes, Program

STRACE = "/usr/bin/strace"
MESSAGES = ("sendto", "recvmsg")
WRITES = ("pwrite64", "fdatasync", "fsync", "rename")
ROOMS = {"card": "p11vault-card", "exchange": "p11vault-exchange"}
# Leak detection and strace both want to be the tracer.
QUIET = "detect_leaks=0"
DEADLINE = 30
GRACE = 10
CHANNELS = ("3", "4")


class Snapshot:
    """Everything of a vault as it is now, to be put back as often as needed."""

    def __init__(self, vault):
        self._base = vault.base
        self._stash = Path(tempfile.mkdtemp(prefix="p11s-"))
        shutil.copytree(self._base, self._stash / "base", symlinks=True)

    def restore(self):
        """The vault as it was, at the same path, because its configuration names it.

        A PIN's file that nobody changed stays the one it is: another would be one never accepted.
        """
        kept = [path for path in self._base.rglob("pin") if self._is_unchanged(path)]
        held = [path.rename(self._stash / f"pin{number}") for number, path in enumerate(kept)]
        shutil.rmtree(self._base)
        shutil.copytree(self._stash / "base", self._base, symlinks=True)
        for path, file in zip(kept, held):
            file.replace(path)

    def _is_unchanged(self, path):
        before = self._stash / "base" / path.relative_to(self._base)
        if path.is_symlink() or not path.is_file() or not before.is_file():
            return False
        now, then = path.stat(), before.stat()
        return ((now.st_mtime_ns, now.st_mode, now.st_size)
                == (then.st_mtime_ns, then.st_mode, then.st_size))

    def remove(self):
        """The stash, not the vault."""
        shutil.rmtree(self._stash)


# A room is behind the walls of its front, which let nobody in there trace: so it waits here for
# somebody outside to do it.
WAITING = f"""#!/usr/bin/python3 -B
import ctypes, os, socket, sys
ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1))
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as gate:
    gate.connect(GATE)
    if not gate.recv(1):
        sys.exit("nobody traces this room")
os.execve(REAL, [REAL, *sys.argv[1:]], {{**os.environ, "ASAN_OPTIONS": "{QUIET}"}})
"""


class Tracer:
    """Attaches strace to each room that comes to the gate, and lets it go on then."""

    def __init__(self, gate, strace):
        self._strace, self._runs = strace, []
        self._gate = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._gate.bind(str(gate))
        self._gate.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):  # how it is told that no more will come
            while True:
                room, _ = self._gate.accept()
                with room:
                    self._attach(room)

    def _attach(self, room):
        who = room.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        run = subprocess.Popen([*self._strace, "-p", str(struct.unpack("3i", who)[0])],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._runs.append(run)
        if select.select([run.stderr], [], [], DEADLINE)[0] and "attached" in run.stderr.readline():
            room.send(b"!")

    def close(self):
        """Once all rooms have ended."""
        self._gate.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._gate.close()
        for run in self._runs:
            try:
                run.communicate(timeout=GRACE)
            finally:
                run.kill()


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
        found = re.findall(r"^(\w+)\((\d*)", self._trace.read_text(errors="replace"), re.MULTILINE)
        if self.program != "front":  # behind its last message a room only takes leave of a server
            while found[-1][1] not in CHANNELS:
                found.pop()
        names = [name for name, _ in found]
        return {call: names.count(call) for call in calls}

    def kill(self, call, number, *arguments):
        """A run that ends in the middle; what the front said.  No process of it is left."""
        return self._run(["-o", self._trace, "-e", f"trace={call}",
                          "-e", f"inject={call}:signal=KILL:when={number}"], arguments)

    def _run(self, options, arguments):
        vault, strace = self.vault, [STRACE, *map(str, options)]
        command = ["--config", vault.config, "--vault", vault.directory, *arguments]
        started = Processes()
        if self.program == "front":
            command = [*strace, vault.programs / "p11vault", *command]
            tracer = contextlib.nullcontext()
        else:
            command = [self._directory / "p11vault", *command]
            tracer = contextlib.closing(self._wrap(strace))
        with tracer:
            run = Program(command, vault.environment(ASAN_OPTIONS=QUIET), started)
            result = run.finish(DEADLINE)
        left = started.left(GRACE)
        assert not left, f"processes left: {left}\n{result}"
        return result

    def _wrap(self, strace):
        """A room's environment is clean and its path is fixed, so a script takes its place."""
        name = ROOMS[self.program]
        script, real = self._directory / name, Path(self.vault.programs, name).resolve()
        gate = self._directory / "gate"
        script.unlink()
        gate.unlink(missing_ok=True)
        script.write_text(WAITING.replace("GATE", repr(str(gate))).replace("REAL", repr(str(real))))
        script.chmod(0o700)
        return Tracer(gate, strace)


def points(count, step, first=1):
    """Which calls to kill at: every `step`th, and always the first and the last one."""
    if os.environ.get("P11VAULT_CAMPAIGN") == "1":
        step = 1
    return sorted({*range(first, count + 1, step), *([count] if count else [])})


def was_killed(result):
    """Whether it was the front itself that the kill met."""
    return result.code == -signal.SIGKILL


def kills(vault, program, calls, step, arguments, prepare=lambda: None):
    """The same run on the vault as it is now, killed at one call after another; where, and what it said."""
    snapshot, victim = Snapshot(vault), Victim(vault, program)
    try:
        counts = victim.count(calls, *arguments)
        assert all(counts.values()), counts
        for call, count in counts.items():
            for number in points(count, step):
                snapshot.restore()
                prepare()
                result = victim.kill(call, number, *arguments)
                where = f"{program} at {call} {number} of {count}: {result}"
                # A run that waits less often for a room makes a call or two less at its end.
                is_over = result.code == 0 and count - number < 2
                assert program != "front" or was_killed(result) or is_over, where
                yield where, result
    finally:
        victim.remove()
        snapshot.remove()
