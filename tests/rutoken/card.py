"""Makes simulated Rutokens for tests, formatted by OpenSC's own tools, and talks with their house."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

from program import Processes  # noqa: E402
from served import Refused, Served  # noqa: E402

__all__ = ["MODULE", "OPENSC_CONF", "PIN", "SO_PIN", "House", "Rutoken", "RutokenCard", "Refused"]

MODULE = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"
OPENSC_CONF = HERE.parents[1] / "conf/opensc.conf"
PIN, SO_PIN = "73519264", "46281937"
DEFAULT_PIN = "12345678"
SERIAL, OTHER_SERIAL = "3a1b2c4d", "3f00a811"
TOOL_SECONDS = 60


def _command():
    """House and pcscd in their own name spaces; as another user than root in a user's one, too."""
    spaces = ["--mount", "--net", "--pid", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        spaces = ["--user", "--map-root-user", *spaces]
    return ["/usr/bin/unshare", *spaces, sys.executable, str(HERE / "house.py")]


class House(Served):
    """One running pcscd with two readers."""

    name = "house of the simulated cards"

    def __init__(self, processes):
        directory = Path(tempfile.mkdtemp(prefix="p11r-"))
        try:
            directory.chmod(0o755)
            super().__init__(_command(), directory, processes)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise

    @property
    def environment(self):
        """What a program needs to find this pcscd."""
        return {"PCSCLITE_CSOCK_NAME": str(self.directory / "run/pcscd.comm")}

    def counts(self, since=0):
        """How often each command was carried out since a mark."""
        found = {}
        for _, name, _ in self.tell("commands", since=since)["commands"]:
            found[name] = found.get(name, 0) + 1
        return found

    def tool(self, *command, settings=None, fails=False, typed=""):
        """One of OpenSC's tools on this pcscd; returns what it said."""
        environment = {"PATH": os.defpath, "HOME": str(self.directory), "LC_ALL": "C.UTF-8",
                       **self.environment, **(settings or {})}
        done = subprocess.run(command, env=environment, input=typed, capture_output=True,
                              text=True, timeout=TOOL_SECONDS, check=False)
        assert (done.returncode != 0) == fails, (command, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def reap(self):
        """Clear up behind it, too."""
        code = super().reap()
        shutil.rmtree(self.directory)
        return code


class RutokenCard:
    """One card in a house, formatted as OpenSC's documentation says.

    What a row of a test matrix asks of a card: `module`, `environment`, `pin`, `serial`.
    """

    module = MODULE

    def __init__(self, house, serial=SERIAL, pin=PIN, image=None, reader=0, **how):
        self.house, self.serial, self.pin, self.reader = house, serial, pin, reader
        house.tell("make", serial=serial, image=image, **how)
        self.insert()
        if image is None:
            self.format()

    @property
    def environment(self):
        """Variables for the module's section in the configuration."""
        return self.house.environment

    def format(self, label="Vault", pin_label="User PIN"):
        """Erase it and make PINs.  Modules show both labels, except where the PIN's is just PIN."""
        init = ("/usr/bin/pkcs15-init", "--reader", str(self.reader))
        self.house.tool(*init, "--erase-card")
        self.house.tool(*init, "--create-pkcs15", "--so-pin", SO_PIN, "--so-puk", "", "--label",
                        label)
        self.house.tool(*init, "--store-pin", "--label", pin_label, "--auth-id", "02", "--pin",
                        self.pin, "--puk", "", "--so-pin", SO_PIN, "--finalize")

    def generate(self, number, label, usage):
        """A key made by OpenSC's tool and not by us."""
        self.house.tool("/usr/bin/pkcs15-init", "--reader", str(self.reader), "--generate-key",
                        "rsa/2048", "--auth-id", "02", "--id", number, "--label", label, "--pin",
                        self.pin, "--key-usage", usage)

    def insert(self, reader=None):
        """Put it into the reader it was in, or into another."""
        self.reader = self.reader if reader is None else reader
        self.house.tell("insert", serial=self.serial, reader=self.reader)

    def remove(self):
        """Take it out."""
        self.house.tell("remove", reader=self.reader)

    @property
    def facts(self):
        """Tries left, who is logged in, memory in use: what only the card itself knows."""
        return self.house.tell("facts", serial=self.serial)

    @property
    def image(self):
        """Its whole content, to make the same card again."""
        return self.house.tell("image", serial=self.serial)["image"]


class Rutoken:
    """The same as a row of the matrix of cards: a house, one card and a directory, while it is entered."""

    name, title = "rutoken", "OpenSC 0.23.0 on a simulated Rutoken ECP"
    label, pin, wrong = "vault", PIN, "11223344"
    module, namespace = MODULE, ()
    kinds = ("rsa:2048", "rsa:3072", "ec:P-256")
    tries = 5  # of OpenSC's profile

    def __init__(self):
        self.base = Path(tempfile.mkdtemp(prefix="p11c-"))
        self.house = None

    def __enter__(self):
        self.house = House(Processes())
        try:
            RutokenCard(self.house).format(self.label, "PIN")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.house.stop()
        shutil.rmtree(self.base, ignore_errors=True)

    def environment(self):
        """Variables that the module needs."""
        return self.house.environment

    def profile(self):
        """More lines of its section: OpenSC itself writes nothing, what counts its calls does."""
        return {"writable": self.base}
