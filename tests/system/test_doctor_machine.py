"""`doctor` on machines that lack something: memory to lock, walls, room on the disk, the right time."""

import os

import pytest

from examining import WITHOUT, Examined, compiled, examine
from limited import MIB, fixture_limited_soft  # noqa: F401
from mounts import OWN_VIEW, why_not
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_soft_vault)
from program import Program
from rooms import has_walls

CLOCK = """
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *time)
{
    int (*real)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    if (clock == CLOCK_REALTIME)
        time->tv_sec = 1000000000;
    return result;
}
"""


def test_unprivileged(limited_soft):
    """All is well for a user with the usual limit of 8 MiB, and a problem with 1 MiB."""
    found = examine(limited_soft)
    found.is_well()
    found.has("ok", "memory", "8192 KiB can be locked")
    limited_soft.locked = MIB
    examine(limited_soft).fails(14, "memory", "only 1024 KiB can be locked", "ulimit -l 8192")
    limited_soft.configure("[memory]\nunlocked = allow\n")
    found = examine(limited_soft)
    found.is_well()
    found.has("warning", "memory", "[memory] unlocked = allow", "secrets can be swapped out")
    limited_soft.locked = 8 * MIB
    examine(limited_soft).has("warning", "memory", "unlocked = allow", "unlocked = refuse")


def test_unlocked(limited_soft):
    """What secrets get where nothing can be locked, and that it was allowed."""
    if not has_walls(limited_soft.programs):
        pytest.skip("a sanitizer's mlock() does nothing")
    limited_soft.locked = 0
    examine(limited_soft).fails(14, "secretmem", "of memory for a secret", "ulimit -l 8192")
    limited_soft.configure("[memory]\nunlocked = allow\n")
    found = examine(limited_soft)
    found.is_well()
    found.has("warning", "secretmem", "can be swapped out", "ulimit -l 8192")


def test_privileged(soft_vault):
    """Root passes the limit, which is why it is tried and not only read."""
    if os.geteuid() != 0:
        pytest.skip("not root")
    low = ("/usr/bin/prlimit", f"--memlock={MIB}:{MIB}")
    result = Program([*low, soft_vault.programs / "p11vault", "--config", soft_vault.config,
                      "--vault", soft_vault.directory, "doctor", "--json"],
                     soft_vault.environment(), soft_vault.processes).finish()
    Examined(result).has("ok", "memory", "1024 KiB by privilege")


# ---- walls ----

def without(vault, numbers):
    """`doctor` as if the kernel did not know these calls."""
    launcher = compiled(WITHOUT, vault.base / "without")
    return Examined(Program([launcher, numbers, vault.programs / "p11vault", "--config",
                             vault.config, "--vault", vault.directory, "doctor", "--json"],
                            vault.environment(), vault.processes).finish())


@pytest.mark.parametrize("number, check, words", [
    (447, "secretmem", ("no memfd_secret", "secretmem.enable=1")),
    (444, "landlock", ("by its seccomp filter alone", "Linux 5.13")),
])
def test_wall_absent(soft_vault, number, check, words):
    """An older kernel: said, and no problem."""
    found = without(soft_vault, str(number))
    found.has("warning", check, *words)
    found.is_well()


def test_no_filters(soft_vault):
    """Without seccomp the exchange room cannot be locked."""
    number = {"x86_64": "317", "aarch64": "277"}.get(os.uname().machine)
    if number is None:
        pytest.skip("the number of seccomp(2) is not known for this machine")
    found = without(soft_vault, number)
    found.has("problem", "seccomp", "refuses to work", "CONFIG_SECCOMP_FILTER")
    assert found.code == 14, found.result


def test_build(soft_vault):
    """A build with sanitizers says what it is."""
    found = examine(soft_vault)
    if not has_walls(soft_vault.programs):
        found.has("warning", "build", "for tests only, without walls", "SANITIZE")
        found.has("warning", "process", "can be traced and dumped", "SANITIZE")
    else:
        found.has("ok", "build")
        found.has("ok", "process")


# ---- disk and clock ----

def in_namespace(vault, script):
    """`doctor` in a mount namespace of its own, after a script has changed what it sees there."""
    (vault.base / "side").mkdir()
    environment = vault.environment(VAULT=str(vault.directory), SIDE=str(vault.base / "side"))
    return Examined(Program(
        [*OWN_VIEW, "/bin/sh", "-ec", f'{script}\nexec "$@"', "sh",
         vault.programs / "p11vault", "--config", vault.config, "--vault", vault.directory,
         "doctor", "--json"], environment, vault.processes).finish())


@pytest.fixture(name="namespaces")
def fixture_namespaces():
    """Skips where nobody may mount anything, and says why."""
    refusal = why_not()
    if refusal:
        pytest.skip(f"no mounts of one's own here: {refusal}")


SMALL = 'cp -a "$VAULT/." "$SIDE"; mount -t tmpfs -o size={}m,mode=0700 none "$VAULT"; ' \
        'cp -a "$SIDE/." "$VAULT"'
READ_ONLY = 'mount --bind "$VAULT" "$VAULT"; mount -o remount,bind,ro "$VAULT"'


@pytest.mark.usefixtures("namespaces")
def test_disk(soft_vault):
    """Little room is a warning."""
    found = in_namespace(soft_vault, SMALL.format(50))
    found.is_well()
    found.has("warning", "disk", "MiB are free", "make room")


@pytest.mark.usefixtures("namespaces")
def test_disk_out(soft_vault):
    """Hardly any is a problem of the log, before the log meets it."""
    in_namespace(soft_vault, SMALL.format(8)).fails(30, "disk", "only ", "MiB are free", "make room")


@pytest.mark.usefixtures("namespaces")
def test_read_only(soft_vault):
    """What can still be checked is: the log, for example."""
    found = in_namespace(soft_vault, READ_ONLY)
    found.fails(30, "store", "vault.db", "writable")
    found.has("ok", "log", "signed")


def test_clock(soft_vault):
    """A clock that lost its battery."""
    if not has_walls(soft_vault.programs):
        pytest.skip("a library that must come first cannot be put before the sanitizers'")
    source = soft_vault.write("clock.c", CLOCK)
    library = compiled(source, soft_vault.base / "clock.so", "-shared", "-fPIC", "-ldl")
    found = examine(soft_vault, env={"LD_PRELOAD": str(library)})
    found.fails(14, "clock", "it is set to 2001-09-09", "timedatectl")
