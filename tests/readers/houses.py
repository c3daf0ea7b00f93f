"""Starts houses of simulated cards for tests, puts cards into them, and runs their owners' tools on them."""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

from served import Refused, Served  # noqa: E402

__all__ = ["OPENSC", "OPENSC_CONF", "TOOL_SECONDS", "House", "Refused", "VirtualCard"]

OPENSC = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"
OPENSC_CONF = HERE.parents[1] / "conf/opensc.conf"
TOOL_SECONDS = 60


def _command(cards):
    """House and pcscd in their own name spaces; as another user than root in a user's one, too."""
    spaces = ["--net", "--pid", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        spaces = ["--user", "--map-root-user", *spaces]
    return ["/usr/bin/unshare", *spaces, sys.executable, str(HERE / "house.py"), "--cards",
            str(cards)]


class House(Served):
    """One running pcscd with two readers, for the cards of one Python file."""

    name = "house of the simulated cards"

    def __init__(self, cards, processes):
        directory = Path(tempfile.mkdtemp(prefix="p11r-"))
        try:
            directory.chmod(0o755)
            super().__init__(_command(cards), directory, processes)
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

    def tool_environment(self, settings=None):
        """The whole environment of a tool on this pcscd."""
        return {"PATH": os.defpath, "HOME": str(self.directory), "LC_ALL": "C.UTF-8",
                **self.environment, **(settings or {})}

    def tool(self, *command, settings=None, fails=False, typed=""):
        """One tool of the card's owner; returns what it said."""
        done = subprocess.run(command, env=self.tool_environment(settings), input=typed,
                              capture_output=True, text=True, timeout=TOOL_SECONDS, check=False)
        assert (done.returncode != 0) == fails, (command, done.stdout, done.stderr)
        return done.stdout + done.stderr

    @contextmanager
    def lurker(self, reader=0):
        """Another program that holds a connection with the card: a function from command to status word."""
        name = self.tell("readers")["names"][reader]
        with subprocess.Popen([sys.executable, "-B", HERE / "lurker.py", name],
                              env=self.tool_environment(), text=True, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == "here\n"

            def send(command):
                process.stdin.write(command + "\n")
                process.stdin.flush()
                return process.stdout.readline().strip()
            yield send
            process.stdin.close()

    def reap(self):
        """Clear up behind it, too."""
        code = super().reap()
        shutil.rmtree(self.directory)
        return code


class VirtualCard:
    """One card in a house."""

    def __init__(self, house, serial, reader=0, **how):
        self.house, self.serial, self.reader = house, serial, reader
        house.tell("make", serial=serial, **how)
        self.insert()

    @property
    def environment(self):
        """Variables for the module's section in the configuration."""
        return self.house.environment

    def again(self, image):
        """Whether it is as that image now, alone in the first reader: quicker than putting it in anew."""
        return self.reader == 0 and self.house.tell("again", serial=self.serial, image=image)["done"]

    def insert(self, reader=None):
        """Put it into the reader it was in, or into another."""
        self.reader = self.reader if reader is None else reader
        self.house.tell("insert", serial=self.serial, reader=self.reader)

    def remove(self):
        """Take it out."""
        self.house.tell("remove", reader=self.reader)

    @property
    def facts(self):
        """What only the card itself knows: tries left, who is logged in."""
        return self.house.tell("facts", serial=self.serial)

    @property
    def image(self):
        """Its whole content, to make the same card again."""
        return self.house.tell("image", serial=self.serial)["image"]
