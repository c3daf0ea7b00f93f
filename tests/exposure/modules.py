"""Cards of several PKCS#11 modules, each with a vault that trusts it."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from cards import PKCS11_TOOL, SoftCard
from mounts import OWN_VIEW
from program import Program
from vaulttool import Vault
from waiting import wait_for_path, wait_until

SECONDS = 30
MODULES = Path("/usr/lib/x86_64-linux-gnu/pkcs11")


class WatchedVault(Vault):
    """A vault whose programs may be started through another one."""

    prefix = ()

    def start_bare(self, *arguments, stdin=None, pty=None, env=None):
        """As the base class, behind the prefix."""
        return Program([*self.prefix, self.programs / "p11vault", *arguments],
                       self.environment(**env or {}), self.processes, stdin, pty)


def _end(server):
    """All processes of a server, if it was started."""
    if server:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


class SoftHsm:
    """The one that `init --soft` sets up."""

    def __init__(self, key, name):
        self.key, self.name, self.card = key, name, None

    def enroll(self, vault):
        """A card in an empty vault."""
        vault.done("init", "--soft")
        vault.done("card", "enroll", "--key", self.key)
        self.card = SoftCard(vault)

    def settle(self):
        """After the app was added and before it is used."""

    def pids(self):
        """Its own processes, which hold what they hold."""
        return []

    def stop(self):
        """Its own processes."""


class Remoted(SoftHsm):
    """The same card behind p11-kit's server: everything goes through its client module."""

    def __init__(self):
        super().__init__("rsa:2048", "p11-kit remoting, RSA")
        self._server = None
        self._base = Path(tempfile.mkdtemp(prefix="p11r-"))

    def settle(self):
        vault, address = self.card.vault, self._base / "socket"
        configuration = self.card.directory / "softhsm2.conf"
        self._server = subprocess.Popen(
            ["/usr/bin/p11-kit", "server", "-f", "--provider", self.card.module, "-n", address,
             "pkcs11:token=vault"], stdout=subprocess.DEVNULL, start_new_session=True,
            env={**vault.environment(), "SOFTHSM2_CONF": str(configuration)})
        wait_for_path(address, self._server)
        self.card.change("path", MODULES / "p11-kit-client.so")
        self.card.change("env.SOFTHSM2_CONF", None)
        text = vault.config.read_text()
        vault.config.write_text(text.replace(
            "[module soft]\n", f"[module soft]\nenv.P11_KIT_SERVER_ADDRESS = unix:path={address}\n"))

    def pids(self):
        """The server, and the child that it has for the connection."""
        return [self._server.pid, *map(int, Path(
            f"/proc/{self._server.pid}/task/{self._server.pid}/children").read_text().split())]

    def stop(self):
        _end(self._server)
        shutil.rmtree(self._base)


class Opencryptoki:
    """Its software token, with a daemon, files and shared memory that only a private view shows."""

    name, key = "opencryptoki, RSA", "rsa:2048"
    module = MODULES / "libopencryptoki.so"

    _START = """
        set -e
        mount --bind "$1/etc" /etc/opencryptoki
        mount --bind "$1/var" /var/lib/opencryptoki
        mount --bind "$1/run" /run
        mkdir -p /run/lock/opencryptoki/swtok /run/opencryptoki
        chgrp -R pkcs11 /run/lock/opencryptoki /var/lib/opencryptoki
        chmod -R 770 /run/lock/opencryptoki /var/lib/opencryptoki
        exec /usr/sbin/pkcsslotd -f"""
    _FORMAT = """
        echo vault | pkcsconf -I -c 3 -S 87654321
        pkcsconf -P -c 3 -S 87654321 -n 76543210
        pkcsconf -u -c 3 -S 76543210 -n 48151623"""

    def __init__(self):
        self.pin = self._view = None
        self._base = Path(tempfile.mkdtemp(prefix="p11o-"))

    @property
    def card(self):
        """As a SoftCard: a PIN and pkcs11-tool."""
        return self

    def _serves(self):
        """Its socket is there a little before it listens; whoever connects is told of the slots."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(SECONDS)
            path = str(self._base / "run/pkcsslotd.socket")
            return client.connect_ex(path) == 0 and client.recv(65536) != b""

    def _inside(self, *command):
        done = subprocess.run([*self.prefix, *map(str, command)], capture_output=True, text=True,
                              check=False, timeout=SECONDS, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, (command[0], done.stdout, done.stderr)
        return done.stdout

    @property
    def prefix(self):
        """What takes a program into the private view."""
        return ["/usr/bin/nsenter", "-t", str(self._view.pid), "-m", "-i", "-r"]

    def enroll(self, vault):
        """A card in an empty vault, whose programs run in the private view from now on."""
        for place in ("etc", "run"):
            (self._base / place).mkdir()
        (self._base / "var/swtok/TOK_OBJ").mkdir(parents=True)
        (self._base / "etc/opencryptoki.conf").write_text(
            "version opencryptoki-3.1\nslot 3\n{\nstdll = libpkcs11_sw.so\n}\n")
        self._view = subprocess.Popen(
            [*OWN_VIEW, "--ipc", "/bin/sh", "-c", self._START, "sh", self._base],
            start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_path(self._base / "run/pkcsslotd.socket", self._view)
        wait_until(self._serves, "pkcsslotd does not answer")
        self._inside("/bin/sh", "-c", self._FORMAT)
        vault.prefix = self.prefix
        self.pin = vault.write("given/pin", "48151623")
        vault.configure(f"[module ock]\npath = {self.module}\npin-source = {self.pin}\n"
                        "writable = /\n")
        vault.done("init")
        vault.done("card", "enroll", "--key", self.key)

    def tool(self, *arguments):
        """pkcs11-tool, logged in to the card."""
        return self._inside(PKCS11_TOOL, "--module", self.module, "--token-label", "vault",
                            "--login", "--pin", self.pin.read_text(), *arguments)

    def settle(self):
        """Nothing to do."""

    def pids(self):
        """The daemon, which no PIN or key goes through."""
        return [self._view.pid]

    def stop(self):
        """The daemon; the private view goes with it."""
        _end(self._view)
        shutil.rmtree(self._base)
