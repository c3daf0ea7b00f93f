"""`make install` and what it made: modes, and rooms that refuse to be looked into from their start."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from limited import DROP, NOBODY, PROGRAMS
from program import Program
from rooms import PROGRAMS as ROOMS
from rooms import has_walls, parse, receive
from vaulttool import Vault

ROOT = Path(__file__).resolve().parents[2]
PTRACE_TRACEME, PTRACE_CONT = 0, 7
RETRY, CONFIG = 10, 14
CONTENT = (None, RETRY)  # what a room says and ends with when its front goes before any order
MANUALS = {f"share/man/man{path.suffix[1:]}/{path.name}"
           for path in (ROOT / "docs/man").glob("*.[1-8]")}
FILES = {"bin/p11vault": 0o711, "libexec/p11vault/p11vault-card": 0o711,
         "libexec/p11vault/p11vault-exchange": 0o711,
         "share/doc/p11vault/p11vault.conf": 0o644, "share/doc/p11vault/opensc.conf": 0o644,
         **dict.fromkeys(MANUALS, 0o644),
         **{f"lib/systemd/system/{path.name}": 0o644
            for path in (ROOT / "conf/systemd").iterdir()}}


class Staged:
    """One build for a prefix of its own, installed there."""

    def __init__(self, programs):
        # Where another user can go; and only that prefix, so that its rooms are installed ones.
        self.base = Path(tempfile.mkdtemp(prefix="p11i-"))
        self.base.chmod(0o755)
        self.prefix = self.base / "usr"
        # What does not name the prefix is what the build under test has made: the same commands take it.
        build, flags = self.base / "build", (programs / "flags").read_text()
        shutil.copytree(programs / "src", build / "src")
        for name in ("flags", "places"):
            shutil.copy2(programs / name, build)
        self._settings = [f"PREFIX={self.prefix}", f"SYSCONFDIR={self.base / 'etc'}", f"B={build}",
                          f"CC={flags.partition(' -std=')[0]}", f"WERROR={int('-Werror' in flags)}"]

    def make(self, *targets, before=()):
        """In a tree of its own: the build under test is left alone.  What it said."""
        done = self.try_make(*targets, before=before)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def try_make(self, *targets, before=()):
        """The same, however it ends."""
        return subprocess.run(
            [*before, "nice", "make", "-j2", "-C", ROOT, *self._settings, *targets], capture_output=True, text=True,
            check=False, env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"})

    @property
    def opensc_conf(self):
        """Where a module's section names it."""
        return self.base / "etc/p11vault/opensc.conf"

    def files(self):
        """Every file below the prefix and its mode."""
        return {str(path.relative_to(self.prefix)): stat.S_IMODE(path.stat().st_mode)
                for path in self.prefix.rglob("*") if not path.is_dir()}

    def room(self, who):
        """The program of a room."""
        return self.prefix / "libexec/p11vault" / ROOMS[who]


@pytest.fixture(scope="module", name="staged")
def fixture_staged(programs):
    """Made once."""
    if not has_walls(programs):
        pytest.skip("a build with sanitizers is not installed")
    staged = Staged(programs)
    try:
        # Who is not root can make a package only; here it is unpacked at once.
        staged.make("install", *([] if os.geteuid() == 0 else ["DESTDIR=/"]))
        yield staged
    finally:
        shutil.rmtree(staged.base)


@pytest.fixture(name="installed")
def fixture_installed(staged):
    """As it was installed, whatever the test before has done."""
    if os.geteuid() != 0:
        pytest.skip("what is installed must belong to another user than the one who runs it")
    for name, mode in FILES.items():
        (staged.prefix / name).chmod(mode)
    return staged


def test_what_is_installed(staged):
    """Exactly these files, with these modes; others can look through the directories."""
    assert staged.files() == FILES
    for path in staged.prefix.rglob("*"):
        assert not path.is_dir() or stat.S_IMODE(path.stat().st_mode) == 0o755, path


def test_destination(staged):
    """DESTDIR goes in front of everything, and uninstall takes away just what install brought."""
    place = staged.base / "destination"
    with_prefix = place / str(staged.prefix).lstrip("/")
    staged.make(f"DESTDIR={place}", "install")
    other = with_prefix / "bin/other"
    other.write_text("somebody else's")
    found = {str(path.relative_to(with_prefix)) for path in with_prefix.rglob("*")
             if not path.is_dir()}
    assert found == {*FILES, "bin/other"}
    assert (place / str(staged.opensc_conf).lstrip("/")).exists()
    staged.make(f"DESTDIR={place}", "uninstall")
    assert [path for path in place.rglob("*") if not path.is_dir()] == [other]
    assert not (with_prefix / "libexec/p11vault").exists()
    assert not (with_prefix / "share/doc/p11vault").exists()


def test_opensc_conf(staged):
    """It is where README's configuration names it; one that somebody has changed is left alone, also at the end."""
    ours, there = ROOT / "conf/opensc.conf", staged.opensc_conf
    settings = [] if os.geteuid() == 0 else ["DESTDIR=/"]
    assert there.read_bytes() == ours.read_bytes() and stat.S_IMODE(there.stat().st_mode) == 0o644
    assert "was kept" not in staged.make("install", *settings)
    there.write_text("# mine\n")
    assert f"note: {there} was kept; it differs from" in staged.make("install", *settings)
    staged.make("uninstall", *settings)
    assert there.read_text() == "# mine\n"
    there.unlink()
    staged.make("install", *settings)
    assert there.read_bytes() == ours.read_bytes()


def test_not_for_oneself(staged):
    """What an ordinary user installs for himself would refuse to work: that is said before anything is; a package may be made."""
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    build, place = staged.base / "build", staged.base / "package"
    place.mkdir()

    def give(user):
        for path in (place, build, *build.rglob("*")):
            os.chown(path, user, user)
    give(NOBODY)
    done = staged.try_make("install", before=DROP)
    assert done.returncode != 0, done
    assert done.stderr.splitlines()[0].endswith("so they would not run: sudo make install"), done
    staged.make(f"DESTDIR={place}", "install", before=DROP)
    assert (place / str(staged.prefix).lstrip("/") / "bin/p11vault").exists()
    give(0)


# ---- rooms ----

def start(program, traced=False, drop=True):
    """A room as its front starts it, as another user; what it says, and its exit code."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(theirs.fileno(), 3)
            if drop:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            if traced:
                ctypes.CDLL(None).ptrace(PTRACE_TRACEME, 0, None, None)
            os.execve(program, [program.name], {})
        finally:
            os._exit(127)
    theirs.close()
    try:
        with ours:
            if traced:
                follow(pid)
            said = answer(ours)
    except BaseException:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        raise
    return said, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def follow(pid):
    """A tracer that lets everything happen, until the room has told what it thinks of that."""
    while True:
        stopped, status = os.waitpid(pid, os.WUNTRACED)
        assert stopped == pid and os.WIFSTOPPED(status), status
        number = os.WSTOPSIG(status)
        ctypes.CDLL(None).ptrace(PTRACE_CONT, pid, None,
                                 ctypes.c_void_p(0 if number == signal.SIGTRAP else number))
        if number == signal.SIGTRAP:
            return


def answer(channel):
    """The first message, or None: a room that is content waits for orders."""
    channel.shutdown(socket.SHUT_WR)
    data = receive(channel)
    return parse(data) if data else None


@pytest.mark.parametrize("who", ["card", "exchange"])
def test_as_installed(installed, who):
    """Nobody but root can read it: it works, and ends when the front does."""
    assert start(installed.room(who)) == CONTENT


@pytest.mark.parametrize("who", ["card", "exchange"])
def test_readable(installed, who):
    """It was open to its user before its first line."""
    installed.room(who).chmod(0o755)
    said, code = start(installed.room(who))
    assert said[0] == "fail" and code == CONFIG
    assert said[1][0] == CONFIG and "its user can read the program" in said[1][1]
    assert "mode 0711: make install" in said[1][2]
    # Root can read every program, so that says nothing of root's rooms.
    assert start(installed.room(who), drop=False) == CONTENT


@pytest.mark.parametrize("drop", [True, False])
@pytest.mark.parametrize("who", ["card", "exchange"])
def test_traced(installed, who, drop):
    """Somebody looks in already; root's rooms refuse as well."""
    said, code = start(installed.room(who), traced=True, drop=drop)
    assert said[0] == "fail" and code == CONFIG
    assert said[1][0] == CONFIG and "this room is traced" in said[1][1]
    assert "without a debugger" in said[1][2]


@pytest.mark.parametrize("who", ["card", "exchange"])
def test_a_copy_is_a_build(installed, who, tmp_path):
    """Elsewhere it goes on: whoever made the copy can do with it what he likes."""
    copy = installed.base / f"copy-{tmp_path.name}"
    copy.mkdir(mode=0o755)
    shutil.copy(installed.room(who), copy)
    (copy / ROOMS[who]).chmod(0o755)
    assert start(copy / ROOMS[who]) == CONTENT
    assert start(copy / ROOMS[who], traced=True) == CONTENT


# ---- all three together ----

class InstalledVault(Vault):
    """The installed programs, run by another user than the one who installed them."""

    def start_bare(self, *arguments, stdin=None, pty=None, env=None):
        """As that user."""
        for path in (self.base, *self.base.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        return Program([*DROP, self.programs / "p11vault", *arguments],
                       self.environment(**env or {}), self.processes, stdin, pty)


@pytest.fixture(name="vault")
def fixture_vault(installed, processes):
    """An empty vault of that user."""
    made = InstalledVault(installed.prefix / "bin", processes)
    yield made
    made.remove()


def test_a_whole_vault(vault):
    """Init, enrolment and doctor: nobody has anything to say."""
    vault.make_soft()
    result = vault.run("doctor")
    assert result.code == 0, result
    assert [line.split()[2] for line in result.out.splitlines()
            if line.split()[:2] == ["ok", "programs"]] == [str(path) for path in
        (vault.programs / "p11vault", *(vault.programs.parent / "libexec/p11vault" / name
                                        for name in PROGRAMS[1:]))]


@pytest.mark.parametrize("how", ["mode", "owner"])
@pytest.mark.parametrize("who", ["card", "exchange"])
def test_nothing_is_begun_with_a_readable_room(vault, installed, who, how):
    """No half of a vault is left behind, nor a section in the configuration."""
    room = installed.room(who)
    if how == "mode":
        room.chmod(0o755)
    else:
        os.chown(room, NOBODY, NOBODY)
    result = vault.run("init", "--soft")
    os.chown(room, 0, 0)
    room.chmod(0o711)
    assert result.code == CONFIG and f"'{room}' can be read by you, so it would not run" in result.err, result
    assert "hint: install it again as root, mode 0711: sudo make install" in result.err
    assert not list(vault.directory.iterdir()) and vault.config.read_text() == ""
    vault.make_soft()


def test_a_readable_room_is_told(vault, installed):
    """By the front, with the hint, and by doctor."""
    vault.make_soft()
    installed.room("card").chmod(0o755)
    result = vault.run("card", "list")
    assert result.code == CONFIG, result
    assert "could look in: its user can read the program" in result.err
    assert "hint: install it again as root, mode 0711: make install" in result.err
    result = vault.run("doctor")
    assert result.code == CONFIG and "(mode 0755), so it refuses to work" in result.out, result
