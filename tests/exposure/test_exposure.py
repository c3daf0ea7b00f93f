"""Copies of secrets in memory and registers, at every moment that can be held."""

import fcntl
import re
import secrets
from pathlib import Path

import pytest

from cards import GRANT, WRONG_PIN
from keys import Keys, has_app
from modules import SoftHsm
from stage import ANY_LOCKED, APP_KEY, AWAITED, CARD, EC, EXCHANGE, SHORT, a_secret, waits
from waiting import wait_until
from watching import clients_have_read


@pytest.fixture(scope="module", params=[("ec:P-256", EC), ("rsa:2048", "SoftHSM, RSA")],
                ids=["ec", "rsa"])
def module(request):
    """Each kind of card."""
    return SoftHsm(*request.param)


def test_exchange(stage):
    """The whole main job."""
    stage.hold()
    scene = stage.start("exchange", GRANT)
    stage.at_each_answer(scene)
    stage.judge(scene, 0, waits(*AWAITED))


def test_exchange_typed_pin(stage):
    """The PIN comes from a person."""
    stage.case = "PIN typed"
    stage.card.change("pin-source", None)
    stage.hold()
    scene = stage.start("exchange", GRANT, talk=[(r"\): $", stage.pin, "wait for the PIN")])
    scene.talk_through()
    stage.at_each_answer(scene)
    stage.judge(scene, 0, [*waits("wait for the PIN", rooms=(CARD,)), *waits(*AWAITED)])


def test_announced_pin(stage):
    """The PIN of a file is read when the front has noted that it will be tried, not while it waits for that."""
    moment = "wait for the note of a PIN"
    stage.case = "PIN announced"
    with next(stage.vault.trust.parent.glob("pin-tried.*")).open("rb") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)  # what another login to the card would hold
        scene = stage.start("exchange", GRANT)
        wait_until(lambda: re.search(rf"-> FLOCK .* {scene.pid} ", Path("/proc/locks").read_text()),
                   "the front does not wait for the lock")
        scene.look(moment)
    stage.judge(scene, 0, waits(moment, rooms=(CARD,)))


def test_wrong_pin(stage):
    """A wrong one may be nearly right."""
    stage.case = "wrong PIN"
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
    """The secret is typed when it can be sealed, and waits for nobody; the new app key is gone by then."""
    stage.card.change("pin-source", None)
    secret = stage.needles.add("typed", a_secret())
    learned = {}

    def learn():
        if not learned and has_app(stage.vault, "more"):
            keys = Keys(stage.vault, stage.card, "more")
            learned.update({**keys.needles, **keys.of_records()})
            for name, value in learned.items():
                stage.needles.add(f"more:{name}", value)

    scene = stage.start("app", "add", "more", "--id", "1", "--origin", stage.graph.origin,
                        talk=[(r"\): $", stage.pin, "wait for the PIN"),
                              ("app secret: $", secret, "wait for a secret")], learn=learn)
    stage.judge(scene, 0, waits("wait for the PIN", "wait for a secret"))
    assert len(learned) == len(stage.keys.needles) + 2


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
    stage.case = f"answer: {kind}"
    stage.graph.misbehave("exchange", kind, 1, **options)
    stage.hold(held)
    scene = stage.start("exchange", GRANT)
    stage.at_each_answer(scene, held)
    stage.judge(scene, code, waits(*AWAITED[:held]))


@pytest.mark.parametrize("which", [1, 2])
def test_error_at_an_inspection(stage, which):
    """The token inspected first is the input, the one inspected last the one that was issued."""
    stage.case = f"error at inspection {which}"
    stage.graph.misbehave("debug_token", "echo", which)
    stage.hold()
    scene = stage.start("exchange", GRANT)
    stage.at_each_answer(scene, 2 * which - 1)
    stage.judge(scene, 15, waits(*AWAITED[:2 * which - 1]))


def test_half_an_answer(stage):
    """While the rest is awaited, what has come stands in locked pages only."""
    stage.case = "half an answer"
    stage.hold(1)
    stage.graph.misbehave("exchange", "silent", 1, after=120)
    scene = stage.start("exchange", GRANT)
    stage.at_each_answer(scene, 1)
    stage.graph.wait("request:exchange", stage.before["exchange"] + 1)
    stage.learn()
    moment = "wait for the rest of an answer"
    stage.look_until_found(scene, moment)
    stage.graph.tell("release")
    stage.judge(scene, 0, waits(moment),
                {(EXCHANGE, moment): ANY_LOCKED, (CARD, moment): APP_KEY})


@pytest.mark.parametrize("what, options", [("interim answers", {"interim": 3}),
                                           ("half a head", {"head": 60})])
def test_beginnings(stage, what, options):
    """A server that begins an answer and goes no further has nothing stand anywhere."""
    stage.case = what
    stage.hold(1)
    stage.graph.misbehave("exchange", "silent", 1, **options)
    begun = stage.graph.tell("wait", event="begun", count=0)["count"]
    scene = stage.start("exchange", GRANT)
    stage.at_each_answer(scene, 1)
    stage.graph.wait("begun", begun + 1)
    wait_until(lambda: clients_have_read(stage.graph.port), "the beginning is not read")
    stage.learn()
    moment = f"wait for answer 2, {what}"
    scene.look(moment)
    stage.graph.tell("release")
    stage.judge(scene, 0, waits(moment))


def test_connecting(stage):
    """Nothing has been opened yet, but the card is logged in."""
    stage.case = "connecting"
    stage.graph.misbehave("connect", "silent")
    count = stage.graph.tell("wait", event="connection", count=0)["count"]
    scene = stage.start("exchange", GRANT)
    stage.graph.wait("connection", count + 1)
    scene.look("wait for the handshake")
    stage.graph.tell("release")
    stage.judge(scene, 0, waits("wait for the handshake"))


def test_timeout(stage):
    """The answer never comes."""
    stage.case = "timeout"
    stage.vault.configure(SHORT)
    stage.hold()
    scene = stage.start("exchange", GRANT)
    stage.at_each_answer(scene, 1)
    stage.graph.wait("request:exchange", stage.before["exchange"] + 1)
    scene.look(AWAITED[1])
    stage.judge(scene, 10, waits(*AWAITED[:2]))
