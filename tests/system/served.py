"""A server of the tests in a process of its own: started, told things over its control socket, ended."""

import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

from program import ended

STANDIN = Path(__file__).resolve().parents[1] / "standin"
sys.path.insert(1, str(STANDIN))

from client import Client, Refused  # noqa: E402  (lives beside the stand-in)

__all__ = ["STANDIN", "Refused", "Served"]
START_SECONDS = 60
END_SECONDS = 20


class Served:
    """It says one line when it is ready, and ends by itself when the pipe to its standard input closes."""

    name = "server"

    def __init__(self, command, directory, processes):
        self.directory = Path(directory)
        self.process = subprocess.Popen(
            [*command, "--dir", str(directory), "--until-eof"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, start_new_session=True,
            env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1"})
        processes.add(self.process.pid)
        try:
            self.said = self._wait_until_ready()
            self._client = Client(directory)
        except BaseException:
            self.kill()
            raise

    def _wait_until_ready(self):
        until, line = time.monotonic() + START_SECONDS, b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                ready = selector.select(max(0, until - time.monotonic()))
                data = os.read(self.process.stdout.fileno(), 256) if ready else b""
                assert data, f"the {self.name} did not start"
                line += data
        return line.decode().split()

    def tell(self, command, **fields):
        """A control command; see the README.md beside the server."""
        return self._client.tell(command, **fields)

    def wait(self, event, count=1, timeout=30):
        """Wait until an event has happened `count` times since the start."""
        answer = self.tell("wait", event=event, count=count, timeout=timeout)
        assert answer["reached"], f"{event}: {answer['count']} times, wanted {count}"

    def kill(self):
        """End it at once, with all that it has started in its session."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.stdin.close()
        self.reap()

    def reap(self):
        """Take its exit code; waits for it."""
        self.process.stdout.close()
        return self.process.wait()

    def stop(self, number=None):
        """End it, by a signal or by closing its input; returns its exit code."""
        self._client.close()
        if number is not None:
            self.process.send_signal(number)
        self.process.stdin.close()
        if not ended(self.process.pid, END_SECONDS):
            self.kill()
            raise AssertionError(f"the {self.name} does not end")
        return self.reap()
