"""Machines that lack a wall: what is optional is said once, what is not ends the job before a key is out."""

import os
from pathlib import Path

import pytest

from cards import GRANT
from examining import OLDER, WITHOUT, Examined, compiled, landlock
from limited import fixture_limited, fixture_limited_soft  # noqa: F401
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from program import Program
from rooms import has_walls

MEMFD_SECRET, LANDLOCK, CLOSE_RANGE = "447", "444", "436"
# seccomp(2), and prctl(PR_SET_SECCOMP), by which the library would do without.
SECCOMP = {"x86_64": "317,157:22", "aarch64": "277,167:22"}
NOTE = "p11vault: note: "


@pytest.fixture(autouse=True)
def _walls(programs):
    """Only where there are some."""
    if not has_walls(programs):
        pytest.skip("a build with sanitizers need not have walls: this is about walls")


@pytest.fixture(name="seccomp")
def fixture_seccomp():
    """The calls of this machine."""
    if os.uname().machine not in SECCOMP:
        pytest.skip("the number of seccomp(2) is not known for this machine")
    return SECCOMP[os.uname().machine]


def run(vault, numbers, *arguments):
    """As if the kernel did not know these calls."""
    launcher = vault.base / "without"
    if not launcher.exists():
        compiled(WITHOUT, launcher)
    return Program([launcher, numbers, vault.programs / "p11vault", "--config", vault.config,
                    "--vault", vault.directory, *arguments], vault.environment(),
                   vault.processes).finish()


def notes(result):
    """What the front says of the machine."""
    return [line for line in result.err.splitlines() if line.startswith(NOTE)]


def test_nothing_to_say(ready_vault):
    """Where all walls stand, nothing is said."""
    if landlock() == 0 or "\nSeccomp:" not in Path("/proc/self/status").read_text():
        pytest.skip("this kernel lacks a wall itself")
    assert notes(ready_vault.run("status")) == []
    assert notes(ready_vault.run("exchange", GRANT)) == []


def test_no_landlock(ready_vault):
    """The filters stand alone; the front says it once, each room with -v."""
    result = run(ready_vault, LANDLOCK, "exchange", GRANT, "-v")
    assert result.code == 0, result
    assert notes(result) == [f"{NOTE}this kernel lacks Landlock: "
                             "p11vault doctor says what that means"]
    for program in ("p11vault", "p11vault-card", "p11vault-exchange"):
        assert f"{program}: this kernel has no Landlock" in result.err


def test_no_landlock_quietly(ready_vault):
    """Without -v it is that one line."""
    result = run(ready_vault, LANDLOCK, "exchange", GRANT)
    assert (result.code, len(result.err.splitlines())) == (0, 1), result


def run_older(vault, *arguments):
    """On Debian 12's kernel: its Landlock lets everybody empty files, and a filter takes its place there."""
    if landlock() < 2:
        pytest.skip("this kernel has no second version of Landlock itself")
    launcher = vault.base / "older"
    if not launcher.exists():
        compiled(OLDER, launcher, "-lseccomp")
    return Program([launcher, vault.programs / "p11vault", "--config", vault.config, "--vault",
                    vault.directory, *arguments], vault.environment(), vault.processes).finish()


def test_older_landlock(ready_vault):
    """All of it works: a card in files, the exchange, a backup; and nothing need be said."""
    result = run_older(ready_vault, "exchange", GRANT)
    assert (result.code, result.err) == (0, ""), result
    result = run_older(ready_vault, "backup", ready_vault.base / "copy")
    assert result.code == 0 and notes(result) == [], result
    Examined(run_older(ready_vault, "doctor", "--json")).has("ok", "landlock", "version 2")


def test_no_seccomp(ready_vault, graph, seccomp):
    """A room that cannot be locked gets no key, and nobody is asked anything."""
    before = len(graph.requests())
    result = run(ready_vault, seccomp, "exchange", GRANT)
    assert result.code == 14, result
    assert notes(result) == [f"{NOTE}this kernel lacks seccomp filters: "
                             "p11vault doctor says what that means"]
    assert "by a seccomp filter: " in result.err
    assert "hint: use a kernel with CONFIG_SECCOMP_FILTER" in result.err
    assert len(graph.requests()) == before
    # Reading needs no room.
    assert run(ready_vault, seccomp, "status").code == 0


def test_no_seccomp_typed(ready_vault, seccomp):
    """What was read before the lock is not sealed either."""
    token = ready_vault.write("given/other", "EAAB" + "x" * 60 + "\n")
    result = run(ready_vault, seccomp, "import", "ads/user/bob", "--token-file", token)
    assert result.code == 14 and "lock the process" in result.err, result


def test_neither(ready_vault, seccomp):
    """One note for both."""
    result = run(ready_vault, f"{LANDLOCK},{seccomp}", "exchange", GRANT)
    assert result.code == 14, result
    assert notes(result) == [f"{NOTE}this kernel lacks Landlock and seccomp filters: "
                             "p11vault doctor says what that means"]


def test_no_hidden_memory(ready_vault):
    """Locked memory is as good but for root: said with -v, and by doctor."""
    result = run(ready_vault, MEMFD_SECRET, "exchange", GRANT, "-v")
    assert result.code == 0 and notes(result) == [], result
    for room in ("p11vault-card", "p11vault-exchange"):
        assert f"{room}: this kernel has no memfd_secret" in result.err


def test_no_close_range(ready_vault):
    """Descriptors are closed one by one: nothing is missing."""
    result = run(ready_vault, CLOSE_RANGE, "exchange", GRANT)
    assert result.code == 0 and result.err == "", result


# ---- memory that cannot be locked ----

def test_unlocked_memory(limited, graph):
    """Refused, unless the configuration allows it; then it is said once."""
    if not has_walls(limited.programs):
        pytest.skip("a sanitizer's mlock() does nothing")
    limited.locked = 0
    before = len(graph.requests())
    result = limited.run("exchange", GRANT)
    assert result.code == 14 and "of memory for a secret" in result.err, result
    assert "hint: raise the limit: ulimit -l 8192" in result.err
    assert len(graph.requests()) == before
    limited.configure("[memory]\nunlocked = allow\n")
    result = limited.run("exchange", GRANT)
    assert result.code == 0, result
    assert notes(result) == [f"{NOTE}memory cannot be locked, and [memory] unlocked = allow: "
                             "secrets can be swapped out"]


def test_unlocked_memory_is_not_needed(limited):
    """Where it can be locked, nothing is said, and it is."""
    limited.configure("[memory]\nunlocked = allow\n")
    result = limited.run("exchange", GRANT)
    assert result.code == 0 and notes(result) == [], result
