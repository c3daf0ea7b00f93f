"""Runs `doctor` and reads its findings; compiles the small programs that make trouble for it."""

import ctypes
import json
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Starts a program as if the kernel did not know some system calls.
WITHOUT = HERE.parent / "exposure" / "without.c"
# Starts a program as if the kernel had the second version of Landlock.
OLDER = HERE.parent / "exposure" / "older.c"
CHECKS = {"memory", "secretmem", "process", "privileges", "seccomp", "landlock", "tracing", "swap",
          "cores", "build", "programs", "config", "tls", "vault", "disk", "store", "trust", "log",
          "head", "anchor", "clock", "apps"}


class Examined:
    """What `doctor --json` found."""

    def __init__(self, result):
        self.result, self.code = result, result.code
        self.findings = json.loads(result.out)
        for finding in self.findings:
            assert set(finding) == {"check", "state", "text", "fix"}, finding
            assert finding["text"] and bool(finding["fix"]) == (finding["state"] != "ok"), finding

    def of(self, check):
        """The findings of one check."""
        return [finding for finding in self.findings if finding["check"] == check]

    @property
    def problems(self):
        """What counts for the exit code."""
        return [finding for finding in self.findings if finding["state"] == "problem"]

    def has(self, state, check, *pieces):
        """One finding of the check is in this state and holds all the pieces, in text or fix."""
        for finding in self.of(check):
            told = f"{finding['text']}\nfix: {finding['fix']}"
            if finding["state"] == state and all(str(piece) in told for piece in pieces):
                return finding
        raise AssertionError(f"no {state} of {check} with {pieces}: {self.result}")

    def fails(self, code, check, *pieces):
        """It ends with this code for this problem, and says so on standard error with its fix."""
        finding = self.has("problem", check, *pieces)
        assert self.code == code, self.result
        [error, hint] = re.findall(r"^(?:p11vault: error: doctor|hint): .+", self.result.err,
                                   re.MULTILINE)
        if len(self.problems) == 1:
            assert error == f"p11vault: error: doctor: {check}: {finding['text']}", self.result
            assert hint == f"hint: {finding['fix']}", self.result

    def is_well(self):
        """No problem at all."""
        assert self.code == 0 and not self.problems, self.result
        assert "p11vault: error: " not in self.result.err, self.result


def examine(vault, **how):
    """`doctor --json` on this vault."""
    return Examined(vault.run("doctor", "--json", **how))


def compiled(source, target, *options):
    """A C file as a program or, with -shared, as a library."""
    done = subprocess.run(["cc", "-D_GNU_SOURCE", "-o", target, source, *options],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def fake_card(directory):
    """The module of fakecard.c."""
    flags = subprocess.run(["pkg-config", "--cflags", "p11-kit-1"], capture_output=True, text=True,
                           check=True).stdout.split()
    return compiled(HERE / "fakecard.c", directory / "fakecard.so", "-shared", "-fPIC", *flags)


def landlock():
    """The kernel's version, 0: none."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, libc.syscall(444, 0, 0, 1))
