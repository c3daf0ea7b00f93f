"""One house of cards, one vault and one stand-in for all tests; each starts from the same state."""

import re
from contextlib import ExitStack
from tempfile import TemporaryDirectory

from canary import Canaries
from card import MODULE, OTHER_SERIAL, PIN, SERIAL, House, RutokenCard
from killing import Snapshot
from program import Processes
from standin import Standin
from vaulttool import Vault

GRANT = "ads/user/alice"


class Scene:
    """`card` is in the first reader; the PIN comes from a file unless a test asks for the prompt."""

    def __init__(self):
        self._started, self._made = Processes(), ExitStack()
        self._made.callback(self._check_processes)
        self.house = self.graph = self.vault = self.card = None
        self.canaries = Canaries()
        self.canaries.add("PIN", PIN)
        self._snapshots, self._images = {}, {}
        self.mark = self.requests = self.connections = 0  # of house and stand-in, at the test's start

    @property
    def pin_file(self):
        """The pin-source: outside the vault, beside the configuration."""
        return self.vault.base / "given/pin"

    def prepare(self, programs):
        """Make all and both states; remove() removes what was made, also when the rest cannot be."""
        self.house = House(self._started)
        self._made.callback(self.house.stop)
        directory = self._made.enter_context(TemporaryDirectory(prefix="p11g-"))
        self.graph = Standin(directory, self._started)
        self._made.callback(self.graph.stop)
        self.vault = Vault(programs, self._started)
        self._made.callback(self.vault.remove)
        self._make_states()

    def _make_states(self):
        place = self.house.environment["PCSCLITE_CSOCK_NAME"]
        self.vault.write("given/pin", PIN + "\n")
        self.vault.configure(f"[module opensc]\npath = {MODULE}\npin-source = {self.pin_file}\n"
                             f"deadline = 30\nenv.PCSCLITE_CSOCK_NAME = {place}\n")
        self.vault.done("init")
        self.card = RutokenCard(self.house)
        self._keep("formatted")
        self.vault.done("card", "enroll")
        self.make_ready()
        self._keep("ready")

    def _keep(self, state):
        self._snapshots[state] = Snapshot(self.vault)
        self._made.callback(self._snapshots[state].remove)
        self._images[state] = self.card.image

    def put(self, **how):
        """The card anew, from an image or otherwise, in the first reader."""
        self.card = RutokenCard(self.house, **how)

    def use(self, state):
        """Everything as it was in that state; what is started from now on is this test's."""
        self._snapshots[state].restore()
        self.vault.processes = Processes()
        self.graph.tell("clear_misbehaviours")
        self.graph.clock(0)
        self.house.tell("clear")
        self.put(image=self._images[state])
        self.mark = self.house.tell("mark")["mark"]
        self.requests = len(self.graph.requests("exchange"))
        self.connections = self.graph.tell("wait", event="connection", count=0)["count"]
        return self

    def make_ready(self):
        """App and grant in a vault whose cards a test has enrolled itself."""
        self.canaries.add("user token",
                          self.vault.make_ready(self.graph, self.canaries.app_secret))

    def labels(self):
        """Of the private keys on the card, by OpenSC's own tool."""
        said = self.house.tool("/usr/bin/pkcs11-tool", "--module", MODULE, "--login", "--pin", PIN,
                               "--list-objects", "--type", "privkey")
        return re.findall(r"label: +(.*)", said)

    def second_card(self):
        """Another card, formatted, in the other reader."""
        card = RutokenCard(self.house, OTHER_SERIAL, image=self._images.get("second"), reader=1)
        self._images.setdefault("second", card.image)
        return card

    def check(self):
        """Nothing of the test is left."""
        left = self.vault.processes.left()
        assert not left, f"processes left: {left}"

    def _check_processes(self):
        left = self._started.left()
        assert not left, f"processes left: {left}"

    def remove(self):
        """Everything."""
        self._made.close()


__all__ = ["GRANT", "PIN", "SERIAL", "OTHER_SERIAL", "Scene"]
