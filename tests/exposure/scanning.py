"""The scanner as a test uses it: needles go in by a file, one line of JSON a process comes out."""

import json
import os
import subprocess


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
    """A scanner that stays with some processes to their ends."""

    def __init__(self, build, needles):
        self._process = subprocess.Popen(
            [build / "exposure/scan", "--needles", needles.path, "--stay"], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self.looks = []

    def _answer(self, moment=None):
        """Reads up to the answer; looks at ends may stand before it."""
        while True:
            found = []
            while (line := self._process.stdout.readline()) not in ("\n", ""):
                found.append(json.loads(line))
            self.looks += found
            if moment is None and not found:
                return
            if any(look["moment"] == moment for look in found):
                return
            assert line, "the scanner has ended"

    def attach(self, *pids):
        """Watch these, too."""
        self._process.stdin.write(f"attach {' '.join(map(str, pids))}\n")
        self._process.stdin.flush()
        self._answer()

    def look(self, moment):
        """Look at all of them now."""
        self._process.stdin.write(f"look {moment}\n")
        self._process.stdin.flush()
        self._answer(moment)

    def finish(self):
        """All that was seen, once all have ended."""
        rest = self._process.stdout.read()
        self._process.communicate()
        assert self._process.returncode == 0
        self.looks += [json.loads(line) for line in rest.split("\n") if line]
        return self.looks
