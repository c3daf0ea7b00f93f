"""A vault of a user who is not root, with limits of its own."""

import os
import shutil

import pytest

from program import Program
from vaulttool import Vault

MIB = 1 << 20
NOBODY = 65534
DROP = ("/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
PROGRAMS = ("p11vault", "p11vault-card", "p11vault-exchange")


class LimitedVault(Vault):
    """A vault of a user who is not root and may lock so much memory."""

    locked = 8 * MIB
    before = ()  # a command that starts the program

    def __init__(self, programs, processes):
        """With copies of the programs, which may lie where that user cannot go."""
        super().__init__(programs, processes)
        self.programs = self._directory("programs")
        for name in PROGRAMS:
            shutil.copy(programs / name, self.programs / name)

    def make_ready(self, graph, secret):
        """The server's authority may lie where that user cannot go, too."""
        self.configure(f"[tls]\nca = {self.write('conf/ca.pem', graph.ca.read_text())}\n")
        token = super().make_ready(graph, secret)
        text = self.config.read_text()
        self.config.write_text(text.replace(str(graph.ca), str(self.base / "conf/ca.pem")))
        return token

    def give_away(self):
        """Everything here belongs to that user."""
        if os.geteuid() == 0:
            for path in (self.base, *self.base.rglob("*")):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    def start_bare(self, *arguments, stdin=None, pty=None, env=None):
        """As that user, with that limit."""
        command = ["/usr/bin/prlimit", f"--memlock={self.locked}:{self.locked}"]
        self.give_away()
        if os.geteuid() == 0:
            command += DROP
        return Program([*command, *self.before, self.programs / "p11vault", *arguments],
                       self.environment(**env or {}), self.processes, stdin, pty)


@pytest.fixture(name="limited_soft")
def fixture_limited_soft(programs, processes):
    """A soft vault of that user."""
    vault = LimitedVault(programs, processes)
    try:
        vault.make_soft()
        yield vault
    finally:
        vault.remove()


@pytest.fixture(name="limited")
def fixture_limited(limited_soft, graph, canaries):
    """The same with the app `ads` and the grant `ads/user/alice`."""
    limited_soft.make_ready(graph, canaries.app_secret)
    return limited_soft
