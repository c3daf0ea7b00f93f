"""Runs one program of ours: its own session, a clean environment, a deadline, maybe a terminal.

Everything waits in one selector: output, input, the terminal and the process itself (a pidfd), so
that nothing sleeps and a program that hangs is ended with all its children.
"""

import ctypes
import errno
import fcntl
import os
import pty
import re
import select
import selectors
import signal
import subprocess
import termios
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 5


def adopt_orphans():
    """Let processes that lose their parent become ours, so that none can hide by forking."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _stat(pid):
    """State, parent and session of a process, or None when it has gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[1]), int(fields[3])


def _all():
    """Every process there is, with these facts."""
    for entry in filter(str.isdigit, os.listdir("/proc")):
        facts = _stat(int(entry))
        if facts:
            yield int(entry), facts


def ended(pid, timeout):
    """Wait for a process that need not be our child; true when it has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(timeout * 1000))
    finally:
        os.close(descriptor)


class Processes:
    """The sessions that a test has started, and whether anything of them is left."""

    def __init__(self):
        self._sessions = set()
        self._before = {pid for pid, (_, parent, _) in _all() if parent == os.getpid()}

    def add(self, session):
        """Remember a session by its leader's id."""
        self._sessions.add(session)

    def _ours(self):
        """Living processes of our sessions, and orphans that came to us from anywhere."""
        found, me = set(), os.getpid()
        for pid, (state, parent, session) in _all():
            is_child = parent == me and pid not in self._before
            if state != "Z" and (is_child or session in self._sessions):
                found.add(pid)
            elif is_child and session in self._sessions and pid not in self._sessions:
                os.waitpid(pid, 0)  # an orphan that ended properly; nobody else will reap it
        return found

    def left(self, grace=GRACE_SECONDS):
        """What is still there after a last chance to end; ends it, so that it harms no other."""
        until, there = time.monotonic() + grace, self._ours()
        for pid in there:
            ended(pid, max(0, until - time.monotonic()))
        names = []
        for pid in self._ours() if there else ():
            try:
                names.append(f"{pid} {Path(f'/proc/{pid}/comm').read_text().strip()}")
                os.kill(pid, signal.SIGKILL)
            except (OSError, ProcessLookupError):
                continue
        return names


class Result:
    """Exit code, output and messages; unpacks as these three.  `terminal` is what a person saw."""

    def __init__(self, code, out, err, terminal=""):
        self.code, self.out, self.err, self.terminal = code, out, err, terminal

    def __iter__(self):
        return iter((self.code, self.out, self.err))

    @property
    def said(self):
        """The messages without the notes of sanitizer builds."""
        return "".join(line for line in self.err.splitlines(keepends=True)
                       if not line.startswith("sanitizer build"))

    def __repr__(self):
        return (f"exit code {self.code}\n-- stdout --\n{self.out}\n-- stderr --\n{self.err}"
                f"\n-- terminal --\n{self.terminal}")


class Hung(AssertionError):
    """A program missed its deadline."""


class Program:
    """A started program.

    `stdin` is text or bytes for a pipe; None means no input, or the terminal when there is one.
    `dialogue` gives it a controlling terminal and lists what happens there: pairs of a regular
    expression to wait for and what is typed then (text: with Enter, bytes: as they are, a function:
    what it returns when it comes to that).  `shown` names the output, "out" or "err", that goes to
    a terminal of its own.
    """

    def __init__(self, command, environment, processes, stdin=None, dialogue=None, shown=None):
        self.command = [str(part) for part in command]
        self._dialogue = [(re.compile(p.encode()), a) for p, a in dialogue or []]
        # Our own handle on the slave stays open until the program ends: with nobody there the
        # master reports a hang-up, although the program may open its terminal again.
        self._master, slave = pty.openpty() if dialogue is not None else (None, None)
        self._slave = slave
        self._seen = 0
        self._texts = {}
        self._input = stdin.encode() if isinstance(stdin, str) else stdin or b""
        takes = slave if stdin is None and slave is not None else subprocess.PIPE

        def take_terminal():
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        self._screen, screen = pty.openpty() if shown else (None, None)
        self.process = subprocess.Popen(
            self.command, env=environment, start_new_session=True, stdin=takes,
            stdout=screen if shown == "out" else subprocess.PIPE,
            stderr=screen if shown == "err" else subprocess.PIPE,
            preexec_fn=take_terminal if slave is not None else None)
        if shown:
            os.close(screen)
        processes.add(self.process.pid)
        self._selector = selectors.DefaultSelector()
        self._watch()

    @property
    def pid(self):
        """Process id, also the id of its session."""
        return self.process.pid

    def _watch(self):
        screen = self._screen
        for name, stream in (("out", self.process.stdout or screen),
                             ("err", self.process.stderr or screen), ("terminal", self._master)):
            self._texts[name] = b""
            if stream is not None:
                self._selector.register(stream, selectors.EVENT_READ, name)
        self._pidfd = os.pidfd_open(self.process.pid)
        self._selector.register(self._pidfd, selectors.EVENT_READ, "exit")
        if self.process.stdin:
            os.set_blocking(self.process.stdin.fileno(), False)
            self._selector.register(self.process.stdin, selectors.EVENT_WRITE, "in")

    def send_signal(self, number):
        """To the program itself, not to its children."""
        self.process.send_signal(number)

    def finish(self, timeout=60):
        """Talk with the program until it has ended and closed its outputs."""
        until = time.monotonic() + timeout
        while {"out", "err", "exit"} & {key.data for key in self._selector.get_map().values()}:
            ready = self._selector.select(max(0, until - time.monotonic()))
            if not ready:
                self._give_up(timeout)
            for key, _ in ready:
                self._handle(key)
        if self._master is not None:
            self._drain_terminal()
        self.process.wait()
        self._close()
        result = Result(self.process.returncode, *self._decoded())
        assert not self._dialogue, (
            f"never asked for {[p.pattern for p, _ in self._dialogue]}: {self.command}\n{result}")
        return result

    def shows(self, pattern, name="err", timeout=30):
        """Talk with the program until this stands in one of its outputs."""
        until = time.monotonic() + timeout
        while not re.search(pattern.encode(), self._texts[name]):
            ready = self._selector.select(max(0, until - time.monotonic()))
            if not ready:
                self._give_up(timeout)
            for key, _ in ready:
                self._handle(key)

    def _decoded(self):
        return [self._texts[name].decode(errors="replace") for name in ("out", "err", "terminal")]

    def _handle(self, key):
        if key.fd not in self._selector.get_map():
            return  # closed by what was handled just before
        if key.data == "exit":
            self._selector.unregister(self._pidfd)
            self._stop_input()
        elif key.data == "in":
            self._write()
        else:
            self._read(key)

    def _read(self, key):
        try:
            data = os.read(key.fd, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # how a terminal says that its other end is closed
                raise
            data = b""
        self._texts[key.data] += data
        if not data:
            self._selector.unregister(key.fileobj)
        elif key.data == "terminal":
            self._converse()

    def _converse(self):
        while self._dialogue:
            pattern, typed = self._dialogue[0]
            found = pattern.search(self._texts["terminal"], self._seen)
            if not found:
                return
            self._seen = found.end()
            self._dialogue.pop(0)
            typed = typed() if callable(typed) else typed
            os.write(self._master, typed.encode() + b"\n" if isinstance(typed, str) else typed)

    def _drain_terminal(self):
        os.set_blocking(self._master, False)
        try:
            self._texts["terminal"] += os.read(self._master, 65536)
        except OSError:
            pass  # nothing more was written

    def _write(self):
        try:
            sent = os.write(self.process.stdin.fileno(), self._input[:65536])
            self._input = self._input[sent:]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._input = b""
        if not self._input:
            self._stop_input()

    def _stop_input(self):
        if self.process.stdin and not self.process.stdin.closed:
            if self.process.stdin in self._selector.get_map():
                self._selector.unregister(self.process.stdin)
            self.process.stdin.close()

    def _give_up(self, timeout):
        state = "left a process that holds its output" if self.process.poll() is not None else (
            f"hung for {timeout} s")
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._close()
        raise Hung(f"{state}: {self.command}\n{Result(None, *self._decoded())}")

    def _close(self):
        self._stop_input()
        self._selector.close()
        os.close(self._pidfd)
        if self._master is not None:
            os.close(self._slave)
            os.close(self._master)
        if self._screen is not None:
            os.close(self._screen)
        for stream in filter(None, (self.process.stdout, self.process.stderr)):
            stream.close()


def start_at_a_terminal(vault, output, *arguments, **environment):
    """A run on a vault of which a terminal shows the output "out" or "err", not waited for."""
    return Program([vault.programs / "p11vault", "--config", vault.config, "--vault",
                    vault.directory, *arguments], vault.environment(**environment),
                   vault.processes, shown=output)


def at_a_terminal(vault, output, *arguments, **environment):
    """The whole of such a run."""
    return start_at_a_terminal(vault, output, *arguments, **environment).finish()
