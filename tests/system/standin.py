"""Starts and stops the Graph stand-in for a test and talks with it."""

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

__all__ = ["STANDIN", "Refused", "Standin"]
START_SECONDS = 60


class Standin:
    """One running stand-in.  It ends by itself when the pipe to its standard input closes."""

    def __init__(self, directory, processes):
        self.directory = Path(directory)
        self.process = subprocess.Popen(
            [sys.executable, str(STANDIN / "graph.py"), "--dir", str(directory), "--until-eof"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"})
        processes.add(self.process.pid)
        self.port = self._wait_until_it_listens()
        self._client = Client(directory)

    def _wait_until_it_listens(self):
        until, line = time.monotonic() + START_SECONDS, b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                ready = selector.select(max(0, until - time.monotonic()))
                data = os.read(self.process.stdout.fileno(), 256) if ready else b""
                assert data, "the stand-in did not start"
                line += data
        word, port = line.split()
        assert word == b"listening"
        return int(port)

    @property
    def origin(self):
        """Where it listens, as a client is configured with it."""
        return f"https://localhost:{self.port}"

    @property
    def ca(self):
        """The authority behind its good certificate."""
        return self.directory / "ca.pem"

    def tell(self, command, **fields):
        """A control command; see tests/standin/README.md."""
        return self._client.tell(command, **fields)

    def add_app(self, **facts):
        """Register an app: app_id, secret, family, mode, redirect_uris, …; returns it."""
        return self.tell("add_app", **facts)

    def set_app(self, app_id, **facts):
        """Change its registration."""
        return self.tell("set_app", app_id=app_id, **facts)

    def person(self, user_id, **facts):
        """Make or change a person, who sits at the browser from now on."""
        return self.tell("person", user_id=user_id, **facts)

    def add_business(self, **facts):
        """Make a business: admins, system_users, must_expire; returns it."""
        return self.tell("add_business", **facts)

    def add_token(self, app_id, user_id, **facts):
        """Issue a token; returns its text."""
        return self.tell("add_token", app_id=app_id, user_id=user_id, **facts)["token"]

    def set_token(self, text, **facts):
        """Change what is true of a token: issued_at and made_at are its age."""
        return self.tell("set_token", token=text, **facts)

    def token(self, text):
        """What is known of a token."""
        return self.tell("token_info", token=text)

    def issued(self, what=None):
        """The secrets that went out: those of one kind, or all."""
        found = self.tell("issued")["issued"]
        return [one["value"] for one in found if what in (None, one["what"])]

    def device_answer(self, answer="grant", **facts):
        """What the person says to the newest device."""
        return self.tell("device_answer", answer=answer, **facts)

    def rules(self, **changes):
        """Decide what Meta leaves open; returns all that hold."""
        return self.tell("rules", **changes)["rules"]

    def usage(self, **limits):
        """Usage headers from now on: app=True for Meta's sample, or the value."""
        self.tell("usage", **limits)

    def clock(self, offset):
        """Set its clock off by some seconds."""
        self.tell("set_clock", offset=offset)

    def misbehave(self, step, kind, which="all", **options):
        """Order wrong answers."""
        self.tell("set_misbehaviour", step=step, kind=kind, which=which, **options)

    def requests(self, step=None):
        """What it was asked so far."""
        return self.tell("requests", step=step)["requests"]

    def secrets_in_urls(self):
        """Requests so far that had a secret in their request line, as (step, names)."""
        return [(one["step"], one["query_secret_names"]) for one in self.requests()
                if one["query_secret_names"]]

    def wait(self, event, count=1, timeout=30):
        """Wait until an event has happened `count` times since the start."""
        answer = self.tell("wait", event=event, count=count, timeout=timeout)
        assert answer["reached"], f"{event}: {answer['count']} times, wanted {count}"

    def stop(self, number=None):
        """End it, by a signal or by closing its input; returns its exit code."""
        self._client.close()
        if number is not None:
            self.process.send_signal(number)
        self.process.stdin.close()
        if not ended(self.process.pid, 20):
            os.killpg(self.process.pid, signal.SIGKILL)
            raise AssertionError("the stand-in does not end")
        self.process.stdout.close()
        return self.process.wait()
