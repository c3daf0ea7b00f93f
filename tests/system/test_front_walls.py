"""The front's own walls, as a room feels them that builds none itself: a script in the card room's place."""

import json
import os

import pytest

from examining import landlock
from fakeroom import CARD, FakeRoom
from program import Program
from rooms import has_walls

# What is tried, and what comes of it: 0 or the error's number.  The front hears of it by `fail`.
TRY = CARD + """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
PLACES, CALLS = {places!r}, {calls!r}

def outcome(action):
    try:
        action()
    except OSError as error:
        return error.errno
    return 0

def write(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))

def call(number, *arguments):
    if libc.syscall(number, *map(ctypes.c_ulong, arguments)) < 0:
        raise OSError(ctypes.get_errno(), "")

found = {{"open": sorted(map(int, os.listdir("/proc/self/fd")))}}
for place in PLACES:
    found[place] = outcome(lambda: write(place))
for name, call_of in CALLS.items():
    found[name] = outcome(lambda: call(*call_of))
found["front"] = outcome(lambda: os.kill(os.getppid(), 0))
found["starter"] = outcome(lambda: os.kill({starter}, 0))
found["child"] = outcome(lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {{}}), 0))
front.recv(131072)
say("fail", 14, json.dumps(found), "")
"""
EPERM, EACCES, EAFNOSUPPORT, ENOSYS = 1, 13, 97, 38
CALLS = {"x86_64": {"ptrace": (101, 16, 1), "process_vm_readv": (310, 1, 0, 0, 0, 0, 0),
                    "bpf": (321, 0, 0, 0), "keyctl": (250, 0, 0), "io_uring_setup": (425, 1, 0),
                    "userfaultfd": (323, 0), "mount": (165, 0, 0, 0, 0, 0), "unshare": (272, 0),
                    "perf_event_open": (298, 0, 0, 0, 0, 0), "kexec_load": (246, 0, 0, 0, 0),
                    "pidfd_getfd": (438, 0, 0, 0), "chroot": (161, 0),
                    "init_module": (175, 0, 0, 0), "open_by_handle_at": (304, 0, 0, 0)}}


@pytest.fixture(autouse=True)
def _walls(programs):
    """Only where there are some."""
    if not has_walls(programs):
        pytest.skip("a build with sanitizers need not have walls: this is about walls")


def tell(vault, places, *before):
    """What a room of this vault could do; `before` starts the front."""
    script = TRY.format(places=list(map(str, places)), calls=CALLS.get(os.uname().machine, {}),
                        starter=os.getpid())
    with FakeRoom(vault.programs, "card", script) as fake:
        result = Program([*before, fake / "p11vault", "--config", vault.config, "--vault",
                          vault.directory, "card", "list"], vault.environment(),
                         vault.processes).finish()
    assert result.code == 14, result
    line = next(line for line in result.err.splitlines() if "p11vault: error: " in line)
    return json.loads(line[line.index("{"):])


@pytest.fixture(name="places")
def fixture_places(soft_vault, tmp_path):
    """Where a file may be made, and where not, with what is to come of it."""
    soft_vault.configure(f"[module other]\npath = /x.so\nwritable = {soft_vault.runtime}\n")
    elsewhere = EACCES if landlock() else 0
    return {soft_vault.directory / "new": 0, soft_vault.directory / "soft" / "new": 0,
            soft_vault.runtime / "new": 0, "/dev/null": 0, soft_vault.base / "new": elsewhere,
            soft_vault.home / "new": elsewhere, soft_vault.config: elsewhere,
            soft_vault.config.parent / "new": elsewhere, tmp_path / "new": elsewhere}


def test_what_rooms_inherit(soft_vault, places):
    """Files are made where the vault and its modules have theirs, no call reaches others, and rooms can start."""
    found = tell(soft_vault, places)
    assert {place: found[str(place)] for place in places} == places
    for name in CALLS.get(os.uname().machine, {}):
        assert found[name] == EPERM, (name, found)
    assert found["child"] == 0
    assert found["starter"] == (EPERM if landlock() >= 6 else 0)


def test_descriptors_of_the_starter(soft_vault):
    """What whoever starts p11vault had open does not reach its rooms."""
    found = tell(soft_vault, [], "/bin/sh", "-c", 'exec 7</etc/passwd 9>/dev/null; exec "$@"', "sh")
    # 3 is the room's channel and 4 the listing itself.
    assert found["open"] == [0, 1, 2, 3, 4], found


def test_directories_that_are_missing(vault):
    """Those of the vault and the trust file are made by the verb that needs them."""
    vault.configure(f"[vault]\ntrust = {vault.base}/deep/er/trust\n")
    vault.directory = vault.base / "far" / "away"
    vault.make_soft()
    assert (vault.base / "deep/er/trust").exists()
    assert vault.run("audit", "verify").code == 0


def test_the_usual_places(vault):
    """Without --config and --vault: below the home directory, where nothing is yet."""
    for arguments in (("init", "--soft"), ("card", "enroll"), ("doctor",)):
        result = vault.start_bare(*arguments, env={"P11VAULT_DIR": str(vault.home / "a/b/vault")}
                                  ).finish()
        assert result.code == 0, result
    assert (vault.xdg_config / "p11vault" / "trust").exists()
