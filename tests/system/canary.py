"""Secrets that a test watches, and the search for any piece of them where none may be."""

import base64
import re
import secrets
import stat
from pathlib import Path
from urllib.parse import quote_from_bytes

FRAGMENT = 8  # bytes of a secret that already count as a leak
NONE = {}
RUN = re.compile(rb"[!-~]{%d,}" % FRAGMENT)


def _base64_core(fragment, offset):
    """The base64 characters that depend on the fragment alone when it starts at this offset."""
    text = base64.b64encode(b"\0" * offset + fragment)
    first = (offset * 8 + 5) // 6
    return text[first:(offset + len(fragment)) * 8 // 6]


def encodings(fragment):
    """All the forms in which a fragment is searched: name and bytes."""
    yield "raw", fragment
    digits = fragment.hex().encode()
    yield "hex", digits
    yield "hex", digits.upper()
    needed = quote_from_bytes(fragment, safe="").encode()
    yield "percent", needed
    yield "percent", re.sub(rb"%..", lambda match: match.group().lower(), needed)
    for text in (digits, digits.upper()):
        yield "percent", b"".join(b"%" + text[n:n + 2] for n in range(0, len(text), 2))
    for offset in range(3):
        core = _base64_core(fragment, offset)
        yield "base64", core
        yield "base64", core.replace(b"+", b"-").replace(b"/", b"_")


class Canaries:
    """Random secrets of one test.  Reports where a piece was found, never the piece."""

    def __init__(self):
        self._forms, self._watched = {}, set()
        self.app_secret = self.add("app secret", secrets.token_hex(16))

    def add(self, name, value):
        """Watch one more value; returns it.  It keeps the name it was given first."""
        if value in self._watched:
            return value
        self._watched.add(value)
        data = value.encode()
        for start in range(len(data) - FRAGMENT + 1):
            for encoding, form in encodings(data[start:start + FRAGMENT]):
                forms = self._forms.setdefault(form[:FRAGMENT], {})  # none is shorter
                forms.setdefault(form, f"{name}, {encoding}")
        return value

    def add_issued(self, graph):
        """Watch every token and code that the stand-in has handed out so far."""
        for number, one in enumerate(graph.tell("issued")["issued"]):
            self.add(f"issued {one['what']} {number}", one["value"])

    def _search(self, data):
        """The first piece in each run of printable characters."""
        for run in RUN.finditer(data):
            hit = self._search_run(run.group())
            if hit:
                yield run.start() + hit[0], hit[1]

    def _search_run(self, text):
        for start in range(len(text) - FRAGMENT + 1):
            for form, name in self._forms.get(text[start:start + FRAGMENT], NONE).items():
                if text.startswith(form, start):
                    return start, name
        return None

    def leaks(self, paths=(), texts=()):
        """Every place in files, in directories with all below them, and in texts or bytes."""
        found = []
        for path in paths:
            for file in _files(Path(path)):
                found += [f"{file} at {where}: {name}"
                          for where, name in self._search(file.read_bytes())]
                found += [f"the name of {file}: {name}"
                          for _, name in self._search(str(file).encode())]
        for number, text in enumerate(texts):
            data = text.encode(errors="replace") if isinstance(text, str) else text
            found += [f"text {number} at {where}: {name}" for where, name in self._search(data)]
        return found


def _files(path):
    """Regular files at and below a path; a path that is not there is a mistake in the test."""
    path.lstat()
    for file in sorted([path, *path.rglob("*")]):
        if stat.S_ISREG(file.lstat().st_mode):
            yield file
