"""Copies of secrets in memory and registers, at every moment that can be held."""

import secrets

import pytest

from cards import GRANT, WRONG_PIN, SoftCard
from keys import Keys, has_app
from killing import Snapshot
from program import Processes
from scene import Scene
from standin import Standin
from vaulttool import Vault

FRONT, CARD, EXCHANGE = "p11vault", "p11vault-card", "p11vault-exchange"
STEPS = [("debug_token", 1), ("exchange", 1), ("debug_token", 2)]
AWAITED = [f"wait for answer {number}" for number in (1, 2, 3)]
APP_KEY = [("app-key", "raw", True)]
ANY_LOCKED = object()
SHORT = "[exchange]\ndeadline = 1\n"


def a_secret():
    """Visible characters, also such as must be escaped in a form."""
    return "".join(secrets.token_hex(4) + sign for sign in "+/=?&>~%")


class Prepared:
    """A vault and a server for all tests, and everything secret in them."""

    def __init__(self, programs, directory):
        self.graph = Standin(directory, Processes())
        self.vault = Vault(programs, Processes())
        self.secret = a_secret()
        self.vault.make_soft()
        self.vault.make_ready(self.graph, self.secret)
        self.keys = Keys(self.vault)
        self._snapshot = Snapshot(self.vault)

    def renew(self):
        """As it was."""
        self._snapshot.restore()
        self.vault.processes = Processes()
        self.graph.tell("clear_misbehaviours")

    def remove(self):
        """Everything."""
        self._snapshot.remove()
        self.vault.remove()
        self.graph.stop()


@pytest.fixture(scope="module")
def prepared(build, tmp_path_factory):
    """Made once."""
    made = Prepared(build, tmp_path_factory.mktemp("graph"))
    yield made
    made.remove()


class Stage:
    """What a test does, and what it expects to be seen."""

    def __init__(self, prepared, build, needles, record):
        self.vault, self.graph, self.keys = prepared.vault, prepared.graph, prepared.keys
        self.build, self.needles, self._record = build, needles, record
        self.card = SoftCard(self.vault)
        self.pin = self.card.pin.read_text()
        self.before = {step: len(self.graph.requests(step)) for step, _ in STEPS}
        needles.add("app-secret", prepared.secret)
        needles.add("input-token", self.vault.token)
        needles.add("PIN", self.pin)
        for name, value in {**self.keys.needles, **self.keys.of_records()}.items():
            needles.add(name, value)

    def start(self, *arguments, talk=None, learn=None):
        """p11vault, watched."""
        return Scene(self.vault, self.build, self.needles, *arguments, talk=talk, learn=learn)

    def hold(self, count=3):
        """The server keeps each of the first answers until it is told to send it."""
        for step, which in STEPS[:count]:
            self.graph.misbehave(step, "silent", which)

    def learn(self):
        """What was issued by now is secret, too."""
        for token in self.graph.tell("tokens", made_by="exchange")["tokens"]:
            self.needles.add(f"answer-token:{token['token'][-4:].encode().hex()}", token["token"])
        for name, value in self.keys.of_records().items():
            self.needles.add(name, value)

    def at_each_answer(self, scene, count=3):
        """Look while the room waits for each of the first answers, and let it come."""
        for (step, which), moment in list(zip(STEPS, AWAITED))[:count]:
            self.graph.wait(f"request:{step}", self.before[step] + which)
            self.learn()
            scene.look(moment)
            self.graph.tell("release")

    def judge(self, scene, code, rows, allowed=None):
        """Every look of the run; `rows` are the moments that must be among them."""
        self.learn()
        result = scene.finish()
        looks = scene.seen()
        assert result.code == code, result
        for look in looks:
            self._record("look", [look.program, look.moment, len(look.places), look.bytes])
        wrong = [look for look in looks if not is_right(look, allowed or {}) or look.unread]
        assert not wrong, "\n".join(map(repr, wrong))
        moments = {(look.program, look.moment) for look in looks}
        assert set(rows) <= moments, f"never seen: {sorted(set(rows) - moments)}"
        left = self.vault.processes.left()
        assert not left, left


def is_right(look, allowed):
    """The card room has the app key in one locked page until the outcome; nothing else is anywhere."""
    wanted = allowed.get((look.program, look.moment))
    if wanted is ANY_LOCKED:
        return all(place[2] for place in look.places)
    if wanted is not None:
        return look.places == wanted
    if look.program == CARD and look.moment in AWAITED:
        return look.places == APP_KEY
    if look.program == CARD and look.moment == "another's exit":
        return look.places in ([], APP_KEY)
    return look.places == []


@pytest.fixture
def stage(prepared, build, needles, record_property):
    """A fresh one."""
    prepared.renew()
    return Stage(prepared, build, needles, record_property)


def waits(*moments, rooms=(CARD, EXCHANGE)):
    """Each of the programs at each of the moments, and at its end."""
    return [(program, moment) for program in (FRONT, *rooms) for moment in (*moments, "exit")]


def test_exchange(stage):
    """The whole main job."""
    stage.hold()
    scene = stage.start("exchange", GRANT)
    stage.at_each_answer(scene)
    stage.judge(scene, 0, waits(*AWAITED))


def test_exchange_typed_pin(stage):
    """The PIN comes from a person."""
    stage.card.change("pin-source", None)
    stage.hold()
    scene = stage.start("exchange", GRANT, talk=[(r"\): $", stage.pin, "wait for the PIN")])
    scene.talk_through()
    stage.at_each_answer(scene)
    stage.judge(scene, 0, [*waits("wait for the PIN", rooms=(CARD,)), *waits(*AWAITED)])


def test_wrong_pin(stage):
    """A wrong one may be nearly right."""
    stage.card.change("pin-source", None)
    wrong = stage.needles.add("wrong-PIN", WRONG_PIN[:-8] + secrets.token_hex(4))
    scene = stage.start("exchange", GRANT, talk=[(r"\): $", wrong, "wait for the PIN")])
    stage.judge(scene, 21, waits("wait for the PIN", rooms=(CARD,)))


@pytest.mark.parametrize("verb", ["import", "app set-secret"])
def test_typed_secret(stage, verb):
    """Read and sealed by a room that never was connected."""
    secret = stage.needles.add("typed", a_secret())
    name = {"import": "ads/user/bob", "app set-secret": "ads"}[verb]
    scene = stage.start(*verb.split(), name,
                        talk=[(r"(token|secret): $", secret, "wait for a secret")])
    stage.judge(scene, 0, waits("wait for a secret", rooms=(EXCHANGE,)))


def test_app_add(stage):
    """The typed secret waits in its one locked page for the PIN; the new app key is gone."""
    stage.card.change("pin-source", None)
    secret = stage.needles.add("typed", a_secret())
    learned = {}

    def learn():
        if not learned and has_app(stage.vault, "more"):
            keys = Keys(stage.vault, "more")
            learned.update({**keys.needles, **keys.of_records()})
            for name, value in learned.items():
                stage.needles.add(f"more:{name}", value)

    scene = stage.start("app", "add", "more", "--id", "1", "--origin", stage.graph.origin,
                        talk=[("app secret: $", secret, "wait for a secret"),
                              (r"\): $", stage.pin, "wait for the PIN")], learn=learn)
    typed = {(EXCHANGE, "wait for the PIN"): [("typed", "raw", True)]}
    stage.judge(scene, 0, waits("wait for the PIN"), typed)
    assert len(learned) == 6


def test_enroll(stage):
    """A card is proved: what was unwrapped for that is gone, and so is the PIN."""
    stage.card.change("pin-source", None)
    scene = stage.start("card", "enroll", talk=[(r"\): $", stage.pin, "wait for the PIN")])
    stage.judge(scene, 0, waits("wait for the PIN", rooms=(CARD,)))


CASES = {
    "chunked": (("chunked", {}), 0, 3), "close": (("close", {}), 0, 3),
    "until close": (("until_close", {}), 0, 3),
    "error": (("http_error", {"code": 190}), 12, 2), "echo": (("echo", {}), 15, 2),
    "garbage": (("garbage", {}), 15, 2), "cut": (("cut", {"after": 120}), 10, 1),
    "cut by TLS": (("cut", {"after": 120, "how": "notify"}), 10, 1),
}


@pytest.mark.parametrize("order, code, held", CASES.values(), ids=CASES)
def test_answers(stage, order, code, held):
    """Answers that come in pieces, are none, repeat what was sent, or end in the middle."""
    kind, options = order
    stage.graph.misbehave("exchange", kind, 1, **options)
    stage.hold(held)
    scene = stage.start("exchange", GRANT)
    stage.at_each_answer(scene, held)
    stage.judge(scene, code, waits(*AWAITED[:held]))


@pytest.mark.parametrize("which", [1, 2])
def test_error_at_an_inspection(stage, which):
    """The token inspected first is the input, the one inspected last the one that was issued."""
    stage.graph.misbehave("debug_token", "echo", which)
    stage.hold()
    scene = stage.start("exchange", GRANT)
    stage.at_each_answer(scene, 2 * which - 1)
    stage.judge(scene, 15, waits(*AWAITED[:2 * which - 1]))


def test_half_an_answer(stage):
    """While the rest is awaited, what has come stands in locked pages only."""
    stage.hold(1)
    stage.graph.misbehave("exchange", "silent", 1, after=120)
    scene = stage.start("exchange", GRANT)
    stage.at_each_answer(scene, 1)
    stage.graph.wait("request:exchange", stage.before["exchange"] + 1)
    stage.learn()
    moment, found = "wait for the rest of an answer", []
    while not found:
        scene.look(moment)
        found = scene.newest(EXCHANGE).places
    stage.graph.tell("release")
    stage.judge(scene, 0, waits(moment),
                {(EXCHANGE, moment): ANY_LOCKED, (CARD, moment): APP_KEY})


def test_connecting(stage):
    """Nothing has been opened yet, but the card is logged in."""
    stage.graph.misbehave("connect", "silent")
    count = stage.graph.tell("wait", event="connection", count=0)["count"]
    scene = stage.start("exchange", GRANT)
    stage.graph.wait("connection", count + 1)
    scene.look("wait for the handshake")
    stage.graph.tell("release")
    stage.judge(scene, 0, waits("wait for the handshake"))


def test_timeout(stage):
    """The answer never comes."""
    stage.vault.configure(SHORT)
    stage.hold()
    scene = stage.start("exchange", GRANT)
    stage.at_each_answer(scene, 1)
    stage.graph.wait("request:exchange", stage.before["exchange"] + 1)
    scene.look(AWAITED[1])
    stage.judge(scene, 10, waits(*AWAITED[:2]))


READERS = [("status",), ("audit", "show"), ("audit", "verify"), ("app", "show", "ads"),
           ("card", "list"), ("app", "list"), ("audit", "key")]


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
def test_readers(stage, arguments):
    """Verbs that open nothing."""
    stage.judge(stage.start(*arguments), 0, [(FRONT, "exit")])
