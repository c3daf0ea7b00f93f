"""The scanner as a test uses it: needles go in by a file, one line of JSON a process comes out."""

import json
import os
import subprocess

MEMFD_SECRET = "447"  # nobody can look into its pages, so here the programs do without


class Needles:
    """A file of secrets to look for; may be added to at any time."""

    def __init__(self, path):
        self.path = path
        self._values = {}
        self._write()

    def add(self, name, value):
        """Watch one more; returns it."""
        data = value.encode() if isinstance(value, str) else value
        if self._values.get(name) != data:
            self._values[name] = data
            self._write()
        return value

    def _write(self):
        new = self.path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as out:
            out.writelines(f"{name} {data.hex()}\n" for name, data in self._values.items())
        new.rename(self.path)


def scan(build, needles, *pids):
    """One look at some processes."""
    done = subprocess.run([build / "exposure/scan", "--needles", needles.path, *map(str, pids)],
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.split("\n") if line]


class Watcher:
    """A scanner that stays with some processes to their ends.

    With `learn` each end waits for that function, which may add to the needles.
    """

    def __init__(self, build, needles, learn=None):
        self._process = subprocess.Popen(
            [build / "exposure/scan", "--needles", needles.path, "--ask" if learn else "--stay"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self._learn, self._pending = learn, b""
        self.looks = []

    def fileno(self):
        """Can be read from when the scanner says something that it was not asked for."""
        return self._process.stdout.fileno()

    def _say(self, text):
        self._process.stdin.write(text.encode() + b"\n")
        self._process.stdin.flush()

    def _block(self):
        """Lines up to an empty one; None when the scanner has ended."""
        while not (self._pending.startswith(b"\n") or b"\n\n" in self._pending):
            data = os.read(self.fileno(), 65536)
            if not data:
                assert not self._pending
                return None
            self._pending += data
        text, _, self._pending = self._pending.partition(
            b"\n" if self._pending.startswith(b"\n") else b"\n\n")
        return [json.loads(line) for line in text.splitlines()]

    def listen(self):
        """Take what it says by itself; false when it has ended."""
        while (block := self._block()) is not None:
            if "ending" in block[0]:
                self._learn()
                self._say("go")
            else:
                self.looks += block
            if not self._pending:
                return True
        return False

    def _answer(self, moment=None):
        """Read up to the answer; looks at ends may stand before it."""
        while (block := self._block()) is not None:
            assert not block or "ending" not in block[0]
            self.looks += block
            if not block or block[0]["moment"] == moment:
                return
        raise AssertionError("the scanner has ended")

    def attach(self, *pids):
        """Watch these, too."""
        self._say(f"attach {' '.join(map(str, pids))}")
        self._answer()

    def look(self, moment):
        """Look at all of them now."""
        self._say(f"look {moment}")
        self._answer(moment)

    def finish(self):
        """All that was seen, once all have ended."""
        while self.listen():
            pass
        self._process.communicate()
        assert self._process.returncode == 0
        return self.looks
