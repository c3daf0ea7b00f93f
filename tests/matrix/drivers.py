"""The cards of the matrix: each is made anew in a directory of its own, with its own servers, and ended with them.

A driver says how p11vault is to be configured for its card; nothing else of the matrix knows one card from another.
"""

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from mounts import OWN_VIEW  # noqa: E402
from waiting import wait_for_path, wait_until  # noqa: E402

LIB = Path("/usr/lib/x86_64-linux-gnu")
SOFTHSM = Path("/usr/lib/softhsm/libsofthsm2.so")
PATIENCE = 30


def run(*command, stdin="", **environment):
    """One command that must succeed; what it says."""
    done = subprocess.run([str(word) for word in command], input=stdin, text=True, check=False,
                          capture_output=True, timeout=PATIENCE,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment})
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


class Card:
    """One card.  `pin` opens it; `profile` is what its section in the configuration needs."""

    pin, wrong, label = "12345678", "87654399", "vault"
    title = name = ""
    module = SOFTHSM
    namespace = ()  # words that start the whole run of this card
    kinds = ("ec:P-256", "ec:P-384", "rsa:2048", "rsa:3072", "rsa:4096")
    tries = 4  # wrong PINs after which it would be locked, if it locks

    def __init__(self):
        self.base = Path(tempfile.mkdtemp(prefix="p11c-"))
        self.servers = []

    def __enter__(self):
        try:
            self.make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for server in reversed(self.servers):
            server.send_signal(self.end_signal)
            try:
                server.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        shutil.rmtree(self.base, ignore_errors=True)

    end_signal = signal.SIGTERM

    def serve(self, *command, **environment):
        """A server that ends with the card; returns it."""
        self.servers.append(subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment}))
        return self.servers[-1]

    def make(self):
        """Servers and the card itself."""
        raise NotImplementedError

    def environment(self):
        """Variables that the module needs."""
        return {}

    def profile(self):
        """More lines of the section."""
        return {"writable": self.base}


class SoftHsm(Card):
    """Cards in files, over OpenSSL."""

    name, title = "softhsm", "SoftHSM 2.6.1"

    def make(self):
        tokens = self.base / "tokens"
        tokens.mkdir()
        (self.base / "softhsm2.conf").write_text(
            f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
            "slots.removable = false\nslots.mechanisms = ALL\nlibrary.reset_on_fork = false\n")
        run("softhsm2-util", "--init-token", "--free", "--label", self.label, "--so-pin",
            "87654321", "--pin", self.pin, **SoftHsm.environment(self))

    def environment(self):
        return {"SOFTHSM2_CONF": str(self.base / "softhsm2.conf")}


class Remoting(SoftHsm):
    """The same card in another process: everything goes through a socket, with its own list of mechanisms."""

    name, title = "p11-kit", "p11-kit 0.24.1 remoting to SoftHSM"
    module = LIB / "pkcs11/p11-kit-client.so"

    def make(self):
        super().make()
        server = self.serve(
            "p11-kit", "server", "--foreground", "--provider", SOFTHSM, "--name",
            self.base / "socket", f"pkcs11:token={self.label}", **SoftHsm.environment(self))
        wait_for(self.base / "socket", server)

    def environment(self):
        return {"P11_KIT_SERVER_ADDRESS": f"unix:path={self.base}/socket"}


class Nss(Card):
    """Mozilla's own implementation; a database in files."""

    name, title = "nss", "NSS softokn 3.87.1"
    module = LIB / "libsoftokn3.so"

    def make(self):
        pin = self.base / "pin"
        pin.write_text(self.pin + "\n")
        (self.base / "db").mkdir()
        run("certutil", "-N", "-d", f"sql:{self.base}/db", "-f", pin, **self.environment())
        pin.unlink()

    def environment(self):
        return {"NSS_MAX_MP_PBE_ITERATION_COUNT": "1"}

    def profile(self):
        return {**super().profile(),
                "init": f"configdir='sql:{self.base}/db' certPrefix='' keyPrefix='' "
                        "secmod='secmod.db' flags= dbTokenDescription=vault minPWLen=4"}


class Tpm(Card):
    """A TPM in software.  It locks after three wrong PINs in all, and gives no warning."""

    name, title = "tpm2", "tpm2-pkcs11 1.9.0 on swtpm 0.7.1"
    module = LIB / "pkcs11/libtpm2_pkcs11.so"

    def make(self):
        (self.base / "state").mkdir()
        (self.base / "store").mkdir()
        server = self.serve(
            "swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.base}/state", "--server",
            f"type=unixio,path={self.base}/s", "--ctrl", f"type=unixio,path={self.base}/s.ctrl",
            "--flags", "not-need-init,startup-clear")
        wait_for_path(self.base / "s", server, PATIENCE)  # it takes one connection, and then ends
        # A bare TPM has room for three objects at once: the resource manager shares it out, over a bus of its own.
        bus = self.serve("dbus-daemon", "--session", "--nofork", "--nopidfile", "--address",
                         f"unix:path={self.base}/bus")
        wait_for(self.base / "bus", bus)
        self.serve("tpm2-abrmd", "--session", "--allow-root", "--flush-all", "--tcti",
                   f"swtpm:path={self.base}/s", DBUS_SESSION_BUS_ADDRESS=self.bus,
                   TSS2_LOG="all+none")
        wait_until(lambda: call("tpm2_getcap", "properties-fixed", **self.environment()) == 0,
                   "the resource manager does not answer", PATIENCE)
        tool = ("pkcs11-tool", "--module", self.module)
        run(*tool, "--init-token", "--slot-index", "0", "--label", self.label, "--so-pin",
            "87654321", **self.environment())
        run(*tool, "--init-pin", "--token-label", self.label, "--login", "--login-type", "so",
            "--so-pin", "87654321", "--new-pin", self.pin, **self.environment())

    @property
    def bus(self):
        """Where the bus is."""
        return f"unix:path={self.base}/bus"

    def environment(self):
        return {"TPM2_PKCS11_TCTI": "tabrmd:bus_type=session",
                "TPM2TOOLS_TCTI": "tabrmd:bus_type=session",
                "DBUS_SESSION_BUS_ADDRESS": self.bus,
                "TPM2_PKCS11_STORE": f"{self.base}/store", "TPM2_PKCS11_LOG_LEVEL": "0",
                "TSS2_LOG": "all+none"}


class OpenCryptoki(Card):
    """IBM's soft token, whose PIN locks as a card's does.  Its places are fixed, so it has file systems of its own."""

    name, title = "opencryptoki", "opencryptoki 3.8.1 soft token"
    module = LIB / "pkcs11/libopencryptoki.so"
    namespace = (*OWN_VIEW, "--ipc")
    pin, wrong = "11112222", "99998888"  # four to eight characters
    end_signal = signal.SIGKILL  # it waits for its clients otherwise

    def make(self):
        etc = self.base / "etc"
        etc.mkdir()
        (etc / "opencryptoki.conf").write_text(
            "version opencryptoki-3.1\nslot 3\n{\nstdll = libpkcs11_sw.so\n}\n")
        run("mount", "--bind", etc, "/etc/opencryptoki")
        # One tree for all that is written, so that one `writable` names it.
        run("mount", "-t", "tmpfs", "tmpfs", "/var")
        for place in ("lib/opencryptoki/swtok/TOK_OBJ", "lock/opencryptoki/swtok",
                      "log/opencryptoki", "run", "tmp"):
            Path("/var", place).mkdir(parents=True)
        # In the foreground: of its two processes, the other is not in the file with its number.
        wait_for_path("/var/run/pkcsslotd.socket", self.serve("pkcsslotd", "-f"), PATIENCE)
        tool = ("pkcsconf", "-c", "3")
        run(*tool, "-I", "-S", "87654321", stdin=f"{self.label}\n")
        run(*tool, "-P", "-S", "87654321", "-n", "76543210")
        run(*tool, "-u", "-S", "76543210", "-n", self.pin)

    def profile(self):
        return {"writable": "/var"}


def call(*command, **environment):
    """One command that may fail; its exit code."""
    return subprocess.run(command, check=False, timeout=PATIENCE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL,
                          env={"PATH": "/usr/bin:/bin", **environment}).returncode


def wait_for(path, server):
    """Until a server listens on its socket, which is there a little earlier."""
    def listens():
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(path)) == 0
    wait_for_path(path, server, PATIENCE)
    wait_until(listens, f"nobody listens on {path}", PATIENCE)


CARDS = {card.name: card for card in (SoftHsm, OpenCryptoki, Nss, Tpm, Remoting)}
