"""The scanner finds a planted copy in each kind of place and in each form, and nothing else."""

import ctypes
import hashlib
import os
import re
import secrets
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from scanning import MEMFD_SECRET, Watcher, scan

FLAGS = set(re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text() + "\nflags:",
                      re.MULTILINE)[1].split())
ROOM = "-" * 400  # for a secret in an argument or a variable
UNUSED = "9999"  # the number of no system call
PLACES = {
    "stack": r"\[stack\]", "heap": r"\[heap\]", "freed": r"\[heap\]", "thread": "",
    "file": r"/tmp/plant-\w{6} \(deleted\)", "data": ".*/plant", "locked": "",
    "shared": r"/dev/zero \(deleted\)", "system-v": r"/SYSV\w+ \(deleted\)", "argv": r"\[stack\]",
    "environ": r"\[stack\]", "xmm": "(floating|vector) registers", "ymm": "vector registers", "zmm": "vector registers",
}
NEEDED = {"ymm": "avx", "zmm": "avx512f", "xmm": "sse2"}
FORMS = {"raw": "raw", "reversed": "reversed", "percent": "percent", "hex": "hex", "HEX": "HEX",
         "base640": "base64", "base641": "base64", "base642": "base64", "base64url0": "base64url",
         "base64url1": "base64url", "base64url2": "base64url"}


def a_secret():
    """Visible characters that look different in every form."""
    return b"".join(secrets.token_hex(3).encode() + b"?>~?>~/+%" for _ in range(4))


@contextmanager
def planted(build, place, form, secret, without=MEMFD_SECRET):
    """A process with one copy; its locked pages are ones that can be looked into."""
    process = subprocess.Popen(
        [build / "exposure/without", without, build / "exposure/plant", place, form, ROOM],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"ROOM": ROOM})
    try:
        process.stdin.write(secret + b"\n")
        process.stdin.flush()
        assert process.stdout.read(6) == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("place", PLACES)
def test_places(build, needles, place):
    """One whole copy, there and nowhere else."""
    need = NEEDED.get(place)
    if need and need not in FLAGS:
        pytest.skip(f"this processor has no {need}")
    secret = needles.add("planted", a_secret())
    with planted(build, place, "raw", secret) as process:
        [seen] = scan(build, needles, process.pid)
    assert seen["program"] == "plant" and seen["unread"] == [] and seen["hits"]
    assert {(hit["needle"], hit["form"]) for hit in seen["hits"]} == {("planted", "raw")}
    for hit in seen["hits"]:
        assert re.fullmatch(PLACES[place], hit["map"]), seen["hits"]
        assert (hit["locked"], hit["dumped"]) == ((True, False) if place == "locked" else
                                                  (False, True))
    # The lower halves stand in two views of the registers; zmm31 holds all of it.
    wanted = {"xmm": [16, 16], "ymm": [16]}.get(place, [len(secret)])
    assert [hit["length"] for hit in seen["hits"]] == wanted, seen["hits"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", ["heap", "locked"])
def test_forms(build, needles, form, place):
    """One copy in that form; a form that reads the same is counted once."""
    secret = needles.add("planted", a_secret())
    with planted(build, place, form, secret) as process:
        [seen] = scan(build, needles, process.pid)
    assert seen["counts"] == [{"needle": "planted", "form": FORMS[form], "count": 1}], seen
    assert seen["hits"][0]["length"] >= len(secret)


@pytest.mark.parametrize("size, found", [(6, False), (8, True), (9, True)])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("start", [0, 3, 20])
def test_fragments(build, needles, form, size, found, start):
    """Eight bytes of a secret are enough, wherever they stand in it; six are not.

    Seven are left out: in base64 they may by chance look like eight.
    """
    # Always the same bytes: by chance a percent-encoded fragment has too few different ones.
    secret = needles.add("planted", hashlib.sha512(b"planted").digest()[:40].replace(b"\n", b"x"))
    fragment = secret[start:start + size]
    with planted(build, "heap", form, fragment) as process:
        [seen] = scan(build, needles, process.pid)
    assert bool(seen["hits"]) is found, seen


UNALIGNED = """
import mmap, sys
page, given = mmap.mmap(-1, 4096), sys.stdin.buffer.read(8)
for place in range(8):
    for at, byte in enumerate(given):
        page[65 * place + at] = byte ^ 0x55
print(flush=True)
sys.stdin.read()
"""


def test_every_alignment(build, needles):
    """Eight bytes of a secret at each distance from a multiple of eight."""
    secret = needles.add("planted", hashlib.sha512(b"planted").digest()[:40])
    with subprocess.Popen([sys.executable, "-c", UNALIGNED], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        try:
            process.stdin.write(bytes(byte ^ 0x55 for byte in secret[16:24]))
            process.stdin.flush()
            assert process.stdout.readline() == b"\n"
            [seen] = scan(build, needles, process.pid)
        finally:
            process.kill()
    assert [hit["offset"] % 65 for hit in seen["hits"]] == [0] * 8, seen
    assert {hit["offset"] % 8 for hit in seen["hits"]} == set(range(8)), seen


def test_clean(build, needles):
    """A process that had it and has it no more; and the zeros that are everywhere."""
    secret = needles.add("planted", a_secret())
    needles.add("zeros", bytes(64))
    needles.add("three", b"abc" * 20)
    with planted(build, "nowhere", "raw", secret) as process:
        [seen] = scan(build, needles, process.pid)
    assert (seen["hits"], seen["counts"], seen["unread"]) == ([], [], [])
    assert seen["maps"] > 20 and seen["bytes"] > 1 << 20 and seen["threads"] == 1


def test_what_cannot_be_read(build, needles):
    """Memory that the kernel shows to nobody is named, not passed over in silence."""
    probe = ctypes.CDLL(None, use_errno=True).syscall(int(MEMFD_SECRET), os.O_CLOEXEC)
    if probe < 0:
        pytest.skip("this kernel has no secret memory")
    os.close(probe)
    secret = needles.add("planted", a_secret())
    with planted(build, "locked", "raw", secret, without=UNUSED) as process:
        [seen] = scan(build, needles, process.pid)
    # One map a secret, and one a page that an earlier secret has left.
    assert seen["hits"] == [] and set(seen["unread"]) == {"/secretmem (deleted)"}


def test_several_and_no_harm(build, needles):
    """One line a process; both run on, as if nothing had been."""
    secret = needles.add("planted", a_secret())
    with planted(build, "heap", "raw", secret) as one, planted(build, "thread", "raw",
                                                              secret) as two:
        seen = scan(build, needles, one.pid, two.pid)
        assert [(look["pid"], len(look["hits"]), look["threads"]) for look in seen] == [
            (one.pid, 1, 1), (two.pid, 1, 2)]
        for process in (one, two):
            process.stdin.close()
            assert process.wait(20) == 0
            process.stdin = None


def test_end(build, needles):
    """What is there when a process ends is seen, although it is gone at once afterwards."""
    secret = needles.add("planted", a_secret())
    with planted(build, "freed", "raw", secret) as process:
        watcher = Watcher(build, needles)
        watcher.attach(process.pid)
        watcher.look("waiting")
        process.stdin.close()
        looks = watcher.finish()
        assert process.wait(20) == 0
        process.stdin = None
    assert [look["moment"] for look in looks] == ["waiting", f"exit {process.pid}"]
    assert [len(look["hits"]) for look in looks] == [1, 1]


def test_what_is_started(build, needles):
    """A process that one of the watched starts is seen at its end, although nobody named it."""
    needles.add("planted", a_secret())
    code = "import subprocess, sys; input(); sys.exit(subprocess.run(['/bin/true']).returncode)"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        watcher = Watcher(build, needles)
        watcher.attach(process.pid)
        process.stdin.write(b"\n")
        process.stdin.close()
        looks = watcher.finish()
        assert process.wait(20) == 0
    ends = [(look["program"], look["moment"] == f"exit {look['pid']}") for look in looks]
    assert ("true", True) in ends and ends[-1][1] and len(ends) == 3, ends


@pytest.mark.parametrize("text, mode, words", [
    ("pin 31323334353637\n", 0o600, "fewer than 8 bytes"), ("pin 3132333435363738\n", 0o640, "others"),
    ("pin xx\n", 0o600, "hex"), ("pin 313\n", 0o600, "hex"), ("", 0o600, "not lines")])
def test_refused_needles(build, tmp_path, text, mode, words):
    """A needle file that would find nothing, or that others can read."""
    file = tmp_path / "needles"
    file.write_text(text)
    file.chmod(mode)
    done = subprocess.run([build / "exposure/scan", "--needles", file, str(os.getppid())],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2 and words in done.stderr


def test_without(build):
    """Calls that are taken away fail with ENOSYS, here and in children; others work."""
    code = ("import ctypes; l = ctypes.CDLL(None, use_errno=True); "
            "print(l.syscall(447, 0), ctypes.get_errno(), l.syscall(39) > 0)")
    done = subprocess.run([build / "exposure/without", MEMFD_SECRET, "/bin/sh", "-c",
                           f"/usr/bin/python3 -c '{code}'"], capture_output=True, text=True,
                          check=True)
    assert done.stdout == "-1 38 True\n"
