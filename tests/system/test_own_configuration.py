"""What belongs to whoever runs the tests, or to their machine, is not so much as opened by them."""

import ctypes
import os
import pwd
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from rooms import has_walls

ROOT = Path(__file__).resolve().parents[2]
IN_NONBLOCK, IN_ACCESS, IN_MODIFY, IN_CREATE, IN_OPEN, IN_ISDIR = 0x800, 1, 2, 0x100, 0x20, 0x40000000
UNIT = ("config", "card", "store", "uri")
SYSTEM = ("test_front_walls.py", "test_card_enroll.py")
BROKEN = "[vault]\ncolour = blue\n"  # ends whatever reads it
# A view of the file system in which /etc is another directory.
VIEW = 'mount --make-rprivate / && mount --bind "$0" /etc && exec "$@"'


class Hostile:
    """Another /etc and another home, with all that could lead programs astray, and who opens any of that."""

    def __init__(self, base):
        self.etc, self.home = base / "etc", base / "home"
        subprocess.run(["/bin/cp", "-a", "/etc", self.etc], check=True)
        shutil.rmtree(self.etc / "p11vault", ignore_errors=True)
        self._move_home()
        files = {
            self.etc / "p11vault/p11vault.conf": BROKEN,
            self.etc / "p11vault/trust": "nobody's\n",
            self.etc / "p11vault/opensc.conf": "app default { }\n",
            self.home / ".config/p11vault/config": BROKEN,
            self.home / ".config/p11vault/trust": "nobody's\n",
            self.home / ".config/softhsm2/softhsm2.conf": f"directories.tokendir = {base}/no\n",
            self.home / ".config/pkcs11/pkcs11.conf": "user-config: only\n",
            self.home / ".config/pkcs11/modules/no.module": f"module: {base}/no.so\ncritical: yes\n",
            self.home / "vault/vault.db": "no store\n",
            self.home / "openssl.cnf": "openssl_conf = no\n[no]\nengines = no\n",
            self.home / "python/json.py": "raise SystemExit('the json of somebody else')\n",
        }
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self._kept = {path: path.read_text() for path in files}
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._watch = self._libc.inotify_init1(IN_NONBLOCK)
        self._names = {self._add(path): path for path in {one.parent for one in files}}

    def _move_home(self):
        """Also for those that ask the list of users where it is."""
        users, mine = self.etc / "passwd", pwd.getpwuid(os.geteuid()).pw_dir
        users.write_text(re.sub(rf"(?m)^(root:.*):{re.escape(mine)}:", rf"\1:{self.home}:", users.read_text()))

    def _add(self, directory):
        number = self._libc.inotify_add_watch(self._watch, os.fsencode(directory),
                                              IN_OPEN | IN_ACCESS | IN_MODIFY | IN_CREATE)
        assert number >= 0, directory
        return number

    @property
    def environment(self):
        """Every variable that says where something is."""
        return {"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / ".config"),
                "XDG_DATA_HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home),
                "P11VAULT_DIR": str(self.home / "vault"), "P11VAULT_MODULE_INIT": "no",
                "OPENSC_CONF": str(self.etc / "p11vault/opensc.conf"),
                "SOFTHSM2_CONF": str(self.home / ".config/softhsm2/softhsm2.conf"),
                "P11_KIT_SERVER_ADDRESS": f"unix:path={self.home}/no"}

    def run(self, *command, **more):
        """In that view and with those variables; it ends well, with nothing of this opened or changed."""
        done = subprocess.run(
            ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", VIEW, self.etc, *command], cwd=ROOT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, stdin=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", os.defpath), **self.environment, **more})
        opened = self.opened()
        assert not opened, f"opened: {opened}\n{done.stdout}"
        assert done.returncode == 0, done.stdout
        assert {path: path.read_text() for path in self._kept} == self._kept
        self.opened()  # by us

    def opened(self):
        """Files of these directories that anybody has opened since."""
        found = set()
        while True:
            try:
                data = os.read(self._watch, 65536)
            except BlockingIOError:
                return sorted(found)
            while data:
                number, mask, _, size = struct.unpack_from("iIII", data)
                name = data[16:16 + size].rstrip(b"\0").decode()
                if not mask & IN_ISDIR:
                    found.add(str(self._names[number] / name))
                data = data[16 + size:]

    def close(self):
        """No more is watched."""
        os.close(self._watch)


@pytest.fixture(name="hostile")
def fixture_hostile(tmp_path):
    """Nobody has opened anything yet."""
    if os.geteuid() != 0:
        pytest.skip("only root makes a view of its own of the file system")
    made = Hostile(tmp_path)
    made.opened()
    yield made
    made.close()


def test_demo(hostile, programs):
    """It has a directory of its own and takes nothing over from whoever calls it."""
    hostile.run("tests/standin/demo.sh", P11VAULT_BUILD=str(programs), PYTHONPATH=str(hostile.home / "python"),
                OPENSSL_CONF=str(hostile.home / "openssl.cnf"))


def test_unit_tests(hostile, programs):
    """Those that look for files, those with a module, and two of the rest."""
    for name in UNIT:
        hostile.run(programs / "unit" / f"test_{name}")


def test_system_tests(hostile, programs):
    """The same for those of the programs together, also where they name no configuration."""
    hostile.run("/usr/bin/python3", "-m", "pytest", "-q", *(f"tests/system/{name}" for name in SYSTEM),
                P11VAULT_BUILD=str(programs))


def test_no_program_of_a_build_knows_the_place(programs):
    """So no test can make it read there, whatever else it forgets; the installed one does know it."""
    place = b"/p11vault/p11vault.conf\0"
    built = (programs / "p11vault").read_bytes()
    assert built.count(place) == 1 and bytes(programs.resolve()) + b"/etc" + place in built
    if has_walls(programs):
        installed = (programs / "installed/p11vault").read_bytes()
        assert installed.count(place) == 1 and b"\0/etc" + place in installed
