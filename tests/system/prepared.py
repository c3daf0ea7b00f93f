"""One vault and one stand-in for all tests of a module; each test starts from the same snapshot.

A module that imports these fixtures gets them in place of those of conftest.py, which make
everything anew.
"""

from contextlib import ExitStack
from tempfile import TemporaryDirectory

import pytest

from canary import Canaries
from killing import Snapshot
from program import Processes
from standin import Standin
from vaulttool import Vault


class Prepared:
    """A vault with a soft card, once before and once after an app and a grant came into it."""

    def __init__(self):
        self.graph = self.vault = None
        self.canaries = Canaries()
        self._snapshots, self._made = {}, ExitStack()

    def prepare(self, programs):
        """Make it and both snapshots; remove() removes what was made, also when the rest cannot be."""
        directory = self._made.enter_context(TemporaryDirectory(prefix="p11g-"))
        self.graph = Standin(directory, Processes())
        self._made.callback(self._stop_graph)
        self.vault = Vault(programs, Processes())
        self._made.callback(self.vault.remove)
        self.vault.make_soft()
        self._keep("soft")
        token = self.vault.make_ready(self.graph, self.canaries.app_secret)
        self.canaries.add("user token", token)
        self._keep("ready")

    def _stop_graph(self):
        if self.graph.process.poll() is None:
            self.graph.stop()

    def _keep(self, state):
        self._snapshots[state] = Snapshot(self.vault)
        self._made.callback(self._snapshots[state].remove)

    def use(self, state):
        """The vault as it was in that state; what is started from now on is this test's."""
        self._snapshots[state].restore()
        self.vault.processes = Processes()
        self.graph.tell("clear_misbehaviours")
        self.graph.tell("set_clock", offset=0)
        return self.vault

    def check(self):
        """Nothing of the test is left."""
        left = self.vault.processes.left()
        assert not left, f"processes left: {left}"

    def remove(self):
        """Everything."""
        self._made.close()


@pytest.fixture(name="prepared", scope="module")
def fixture_prepared(programs):
    """Made once a module and worker."""
    made = Prepared()
    try:
        made.prepare(programs)
        yield made
    finally:
        made.remove()


@pytest.fixture(name="graph")
def fixture_graph(prepared):
    """The module's stand-in, which behaves well again."""
    prepared.graph.tell("clear_misbehaviours")
    return prepared.graph


@pytest.fixture(name="canaries")
def fixture_canaries(prepared):
    """The module's secrets."""
    return prepared.canaries


@pytest.fixture(name="soft_vault")
def fixture_soft_vault(prepared):
    """A vault with an enrolled SoftHSM card."""
    yield prepared.use("soft")
    prepared.check()


@pytest.fixture(name="ready_vault")
def fixture_ready_vault(prepared):
    """A soft vault with the app `ads` and the grant `ads/user/alice`."""
    yield prepared.use("ready")
    prepared.check()
