"""What a test of the exposure prepares, does and expects; test files say when and with what."""

import re
import secrets
import time
from contextlib import ExitStack

from keys import Keys
from killing import Snapshot
from modules import WatchedVault
from program import Processes
from scene import AFTER, SECONDS, Scene, phase_of
from standin import Standin

EC = "SoftHSM, EC"  # the card of most tests
FRONT, CARD, EXCHANGE = "p11vault", "p11vault-card", "p11vault-exchange"
WAIT = "wait for answer"


def steps_of(grants=1):
    """The calls of an exchange of so many grants, one after the other: which of its kind each is."""
    return [step for done in range(grants)
            for step in (("debug_token", 2 * done + 1), ("exchange", done + 1),
                         ("debug_token", 2 * done + 2))]


def awaited(count):
    """The moments of the first so many answers."""
    return [f"{WAIT} {number + 1}" for number in range(count)]


AWAITED = awaited(3)
APP_KEY = [("app-key", "raw", True)]
ANY_LOCKED = object()  # several, but all in locked pages
SHORT = "[exchange]\ndeadline = 4\n"  # the looks must fit in, also on a loaded machine


def a_secret():
    """Visible characters, also such as must be escaped in a form."""
    return "".join(secrets.token_hex(4) + sign for sign in "+/=?&>~%")


class Prepared:
    """A vault, with a card of some kind, and a server for all tests, and everything secret in them."""

    def __init__(self, module):
        self.module, self.secret = module, a_secret()
        self.graph = self.vault = self.card = self.pin = self.keys = self._snapshot = None
        self._made = ExitStack()
        self._made.callback(module.stop)

    def prepare(self, programs, directory):
        """Make it all; what was made is removed by remove(), also when the rest cannot be."""
        self.graph = Standin(directory, Processes())
        self._made.callback(self.graph.stop)
        self.vault = WatchedVault(programs, Processes())
        self._made.callback(self.vault.remove)
        self.module.enroll(self.vault)
        self.vault.make_ready(self.graph, self.secret)
        self.card = self.module.card
        self.pin = self.card.pin.read_text()
        self.keys = Keys(self.vault, self.card)
        self.module.settle()
        self._snapshot = Snapshot(self.vault)
        self._made.callback(self._snapshot.remove)

    def renew(self):
        """As it was."""
        self._snapshot.restore()
        self.vault.processes = Processes()
        self.graph.tell("clear_misbehaviours")

    def remove(self):
        """Everything."""
        self._made.close()


class Stage:
    """What a test does, and what it expects to be seen.

    `steps` are the calls that the server sees: steps_of() for a batch.  `case` says in the table what is special about it.  With `list_residue` what the module keeps in
    the card room stands in a table of its own, too.
    """

    def __init__(self, prepared, build, needles, record):
        self.vault, self.graph, self.keys = prepared.vault, prepared.graph, prepared.keys
        self.build, self.needles, self._record = build, needles, record
        self.card, self.pin, self.app_secret = prepared.card, prepared.pin, prepared.secret
        self.module, self.case, self._job = prepared.module, "", ""
        self.list_residue = False
        self.plan(steps_of())
        self._issued_before = len(self.graph.tell("issued")["issued"])
        needles.add("app-secret", prepared.secret)
        needles.add("input-token", self.vault.token)
        needles.add("PIN", self.pin)
        for name, value in {**self.keys.needles, **self.keys.of_records()}.items():
            needles.add(name, value)

    def plan(self, steps):
        """These calls, and not those of an exchange."""
        self.steps = steps
        self.before = {step: len(self.graph.requests(step)) for step, _ in steps}

    def start(self, *arguments, talk=None, learn=None, env=None):
        """p11vault, watched."""
        options = [word for word in arguments if str(word).startswith("--")]
        words = [word for word in arguments[:2] if re.fullmatch("[a-z][a-z-]*", word)]
        case = ": ".join(filter(None, [" ".join([*words, *options]), self.case]))
        self._job = case if self.module.name == EC else f"{self.module.name}: {case}"
        return Scene(self.vault, self.build, self.needles, *arguments, talk=talk, learn=learn,
                     env=env)

    def hold(self, count=None):
        """The server keeps each of the first answers, or of all, until it is told to send it."""
        for step, which in self.steps[:count]:
            self.graph.misbehave(step, "silent", which)

    def learn(self):
        """What was issued by now is secret, too."""
        issued = self.graph.tell("issued")["issued"][self._issued_before:]
        for number, one in enumerate(issued):
            # An app token begins with the app's id, an id token as every JOSE object does.
            secret = re.split(r"[|.]", one["value"])[-1]
            self.needles.add(f"{one['what'].replace(' ', '-')}:{number}", secret)
        for name, value in self.keys.of_records().items():
            self.needles.add(name, value)

    def at_each_answer(self, scene, count=None, first=0):
        """Look while the room waits for each of the first answers, and let it come."""
        moments = awaited(len(self.steps))
        for (step, which), moment in list(zip(self.steps, moments))[first:count]:
            self.graph.wait(f"request:{step}", self.before[step] + which)
            self.learn()
            scene.look(moment)
            self.graph.tell("release")

    def look_until_found(self, scene, moment):
        """Look until what has come of an answer is found in the exchange room, which may not have read it yet."""
        until = time.monotonic() + SECONDS
        scene.look(moment)
        while not scene.newest(EXCHANGE).places:
            assert time.monotonic() < until, f"nothing is found: {moment}"
            scene.look(moment)

    def judge(self, scene, code, rows, allowed=None):
        """Every look of the run; `rows` are the moments that must be among them."""
        self.learn()
        result = scene.finish()
        looks = scene.seen()
        assert result.code == code, result
        for look in looks:
            self._record("look", [self._job, look.program, look.moment, len(look.places),
                                  look.bytes])
        if self.list_residue:
            self._list_residue(looks)
        wrong = [look for look in looks if not is_right(look, allowed or {}) or look.unread]
        assert not wrong, "\n".join(map(repr, wrong))
        moments = {(look.program, look.moment) for look in looks}
        assert set(rows) <= moments, f"never seen: {sorted(set(rows) - moments)}"
        left = self.vault.processes.left()
        assert not left, left

    def note_residue(self, whose, moment, hits):
        """One line of the table of what modules keep."""
        self._record("residue", [whose, moment, sorted(
            f"{hit['needle']}, {hit['length']} bytes, {place_of(hit)}" for hit in hits)])

    def _list_residue(self, looks):
        """What stands in the card room beside the app key."""
        for look in looks:
            if look.program == CARD:
                loaded = look.moment == "wait for the handshake"
                self.note_residue(self.module.name, "logged in" if loaded else
                                  {"during": "finalised"}.get(phase_of(look.moment), "exit"),
                                  [hit for hit in look.data["hits"] if hit["needle"] != "app-key"])


def place_of(hit):
    """The kind of map that something was found in."""
    return {"[heap]": "heap", "[stack]": "stack"}.get(hit["map"]) or (
        "registers" if "registers" in hit["map"] else "data" if ".so" in hit["map"] else "mapped")


def is_right(look, allowed):
    """The card room has the app key in one locked page until the outcome; nothing else is anywhere."""
    wanted = allowed.get((look.program, look.moment))
    if look.moment == AFTER:  # whichever wait it was in when the other one ended
        return look.places in ([], APP_KEY if look.program == CARD else wanted)
    if wanted is ANY_LOCKED:
        return all(place[2] for place in look.places)
    if wanted is not None:
        return sorted(look.places) == wanted
    if look.program == CARD and look.moment.startswith(WAIT):
        return look.places == APP_KEY
    return look.places == []


def waits(*moments, rooms=(CARD, EXCHANGE)):
    """Each of the programs at each of the moments, and at its end."""
    return [(program, moment) for program in (FRONT, *rooms) for moment in (*moments, "exit")]
