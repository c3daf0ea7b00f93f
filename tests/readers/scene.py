"""One house of cards, one vault and one stand-in for all tests; each starts from the same state."""

from contextlib import ExitStack
from tempfile import TemporaryDirectory

from canary import Canaries
from killing import Snapshot
from program import Processes
from standin import Standin
from vaulttool import Vault

GRANT = "ads/user/alice"
LATER = 60  # seconds by which the stand-in's clock goes on between two exchanges


class Scene:
    """`card` is in the first reader; the PIN comes from a file unless a test asks for the prompt.

    What a kind of card has of its own: PIN, start_house(), new_card() and make_states(), which keeps states by name.
    """

    PIN = ""

    def __init__(self):
        self._started, self._made = Processes(), ExitStack()
        self._made.callback(self._check_processes)
        self.house = self.graph = self.vault = self.card = None
        self.canaries = Canaries()
        self.canaries.add("PIN", self.PIN)
        self._snapshots, self._images = {}, {}
        self._own = None  # the card that use() put in: no test has made it in its own way
        self.mark = self.requests = self.connections = 0  # of house and stand-in, at the test's start

    def start_house(self, processes):
        """The house for this kind of card."""
        raise NotImplementedError

    def new_card(self, **how):
        """A card of this kind, in a reader."""
        raise NotImplementedError

    def make_states(self):
        """Configure the vault, and keep() each state that tests start from."""
        raise NotImplementedError

    @property
    def pin_file(self):
        """The pin-source: outside the vault, beside the configuration."""
        return self.vault.base / "given/pin"

    def prepare(self, programs):
        """Make all states; remove() removes what was made, also when the rest cannot be."""
        self.house = self.start_house(self._started)
        self._made.callback(self.house.stop)
        directory = self._made.enter_context(TemporaryDirectory(prefix="p11g-"))
        self.graph = Standin(directory, self._started)
        self._made.callback(self.graph.stop)
        self.vault = Vault(programs, self._started)
        self._made.callback(self.vault.remove)
        self.vault.write("given/pin", self.PIN + "\n")
        self.make_states()

    def configure(self, name, module, **settings):
        """A section for a module that is to find this house."""
        settings = {"path": module, "pin-source": self.pin_file, "deadline": 30,
                    **{f"env.{key}": value for key, value in self.house.environment.items()},
                    **settings}
        self.vault.configure(f"[module {name}]\n" + "".join(
            f"{key} = {value}\n" for key, value in settings.items()))

    def keep(self, state):
        """Tests can start from what is now."""
        self._snapshots[state] = Snapshot(self.vault)
        self._made.callback(self._snapshots[state].remove)
        self._images[state] = self.card.image

    def restore(self, state):
        """The vault as it was then."""
        self._snapshots[state].restore()

    def put(self, **how):
        """The card anew, from an image or otherwise, in the first reader."""
        self.card = self.new_card(**how)

    def use(self, state):
        """Everything as it was in that state; what is started from now on is this test's."""
        self.restore(state)
        self.vault.processes = Processes()
        self.graph.tell("clear_misbehaviours")
        self.graph.clock(0)
        if self.card is not self._own or not self.card.again(self._images[state]):
            self.house.tell("clear")
            self.put(image=self._images[state])
            self._own = self.card
        self.mark = self.house.tell("mark")["mark"]
        self.requests = len(self.graph.requests("exchange"))
        self.connections = self.graph.tell("wait", event="connection", count=0)["count"]
        return self

    def make_ready(self):
        """App and grant in a vault whose cards a test has enrolled itself."""
        self.canaries.add("user token",
                          self.vault.make_ready(self.graph, self.canaries.app_secret))

    def exchange(self, *options, offset=LATER, **how):
        """One that can succeed: the clock of the provider has gone on, so the new expiry is later."""
        self.graph.tell("set_clock", offset=offset)
        return self.vault.run("exchange", GRANT, *options, **how)

    def cost(self, *options, only=(), **how):
        """An exchange that succeeds, and a log that verifies; returns how often the card did what, of `only`."""
        mark = self.house.tell("mark")["mark"]
        result = self.exchange(*options, **how)
        assert result.code == 0, result
        counts = self.house.counts(mark)
        self.vault.done("audit", "verify")
        return {name: counts[name] for name in {*only} & counts.keys()}

    def logged_in(self):
        """An exchange that waits, with the card room logged in, for a stand-in that is slow to connect."""
        self.graph.misbehave("connect", "silent")
        started = self.vault.start("exchange", GRANT)
        self.graph.wait("connection", self.connections + 1)
        return started

    def completed(self, started):
        """The stand-in goes on, and so does the exchange."""
        self.graph.tell("release")
        result = started.finish()
        assert result.code == 0, result
        self.vault.done("audit", "verify")

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
