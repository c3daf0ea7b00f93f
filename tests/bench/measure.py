"""Runs a command once: for its time, for its memory, or for what stands in its arguments."""

import os
import re
import shutil
import signal
import subprocess
import time

from program import ended

SECONDS = 60
STRACE = shutil.which("strace")
EXECVE = re.compile(r'execve\("([^"]*)", \[(.*?)\], \[(.*)\]\)\s+= 0$')
HEX = re.compile(r"\\x([0-9a-f]{2})")

# The peak that wait4 tells of a process is never below that of the process it was forked from, so
# that a child of Python seems as large as Python.  A shell is small; when it has ended, the command
# is ours to wait for.
BEHIND_A_SHELL = ["/bin/sh", "-c", 'umask 077; "$@" </dev/null >"$0" & echo $!']


class Failed(Exception):
    """A command that is measured did not do its work: then its time says nothing."""


class Meter:
    """Runs commands of one environment; their output goes to a file that only we can read."""

    def __init__(self, environment, output, processes):
        self._environment, self._output, self._processes = environment, output, processes

    def _start(self, command, out):
        process = subprocess.Popen([str(part) for part in command], env=self._environment,
                                   start_new_session=True, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.DEVNULL)
        self._processes.add(process.pid)
        return process

    @staticmethod
    def _wait(pid, command):
        if not ended(pid, SECONDS):
            os.kill(pid, signal.SIGKILL)
            raise Failed(f"{command[0]} has not ended after {SECONDS} s")
        _, status, usage = os.wait4(pid, 0)
        return os.waitstatus_to_exitcode(status), usage

    def _output_file(self):
        return os.open(self._output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def _check(self, command, code, expected, count):
        text = self._output.read_text(errors="replace")
        if code != 0 or len(re.findall(expected, text)) != count:
            raise Failed(f"{command[0]} {command[-1]}: exit code {code}, and its output is not "
                         "the one expected")

    def time(self, command, expected, count=1):
        """Wall time in ns, user and system time in s.  The output must show the work was done."""
        out = self._output_file()
        try:
            begin = time.monotonic_ns()
            process = self._start(command, out)
            process.returncode, usage = self._wait(process.pid, command)
            wall = time.monotonic_ns() - begin
        finally:
            os.close(out)
        self._check(command, process.returncode, expected, count)
        return wall, usage.ru_utime + usage.ru_stime

    def peak(self, command, expected, count=1):
        """The largest process of the command, in KiB."""
        shell = self._start([*BEHIND_A_SHELL, self._output, *command], subprocess.PIPE)
        with shell.stdout:
            pid = int(shell.stdout.readline())
        shell.wait(SECONDS)
        code, usage = self._wait(pid, command)
        self._check(command, code, expected, count)
        return usage.ru_maxrss

    def executed(self, command, directory, expected, count=1):
        """Every program that the command executes: name, arguments, environment."""
        directory.mkdir(mode=0o700)
        # One file a process (-ff), so that no call is split by another.
        self.time([STRACE, "-ff", "-qq", "-xx", "-v", "-s", "65536", "-e", "trace=execve",
                   "-e", "signal=none", "-o", directory / "trace", *command], expected, count)
        lines = [line for file in sorted(directory.iterdir())
                 for line in file.read_text(errors="replace").splitlines()]
        shutil.rmtree(directory)
        found = [EXECVE.match(line) for line in lines]
        return [[_plain(text) for text in match.groups()] for match in found if match]


def _plain(text):
    return HEX.sub(lambda match: chr(int(match.group(1), 16)), text)
