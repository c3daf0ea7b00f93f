"""`call`: while its answer is awaited the grant stands nowhere, and what comes back of it in locked pages only."""

import pytest

from cards import GRANT
from modules import SoftHsm
from stage import ANY_LOCKED, AWAITED, EC, EXCHANGE, Prepared, Stage, waits

ANSWER = AWAITED[0]


@pytest.fixture(scope="module")
def prepared(build, tmp_path_factory):
    """Made once."""
    made = Prepared(build, tmp_path_factory.mktemp("graph"), SoftHsm("ec:P-256", EC))
    yield made
    made.remove()


@pytest.fixture
def stage(prepared, build, needles, record_property):
    """A fresh one, whose server is asked once."""
    prepared.renew()
    made = Stage(prepared, build, needles, record_property)
    made.steps = [("call", 1)]
    made.before = {"call": len(made.graph.requests("call"))}
    return made


def test_while_the_answer_is_awaited(stage):
    """Known by their hashes alone."""
    stage.hold()
    scene = stage.start("call", GRANT, "GET", "me/echo?how=body")
    stage.at_each_answer(scene)
    stage.judge(scene, 0, waits(ANSWER))


@pytest.mark.parametrize("after", [14, 60, 120])
def test_half_an_answer(stage, after):
    """The token has begun to come back: what is in hand of it is locked."""
    stage.case = "half an answer"
    stage.graph.misbehave("call", "silent", 1, after=after)
    scene = stage.start("call", GRANT, "GET", "me/echo?how=body")
    stage.at_each_answer(scene)
    stage.judge(scene, 0, waits(ANSWER), {(EXCHANGE, ANSWER): ANY_LOCKED})


@pytest.mark.parametrize("how", ["escape", "base64", "percent", "hex", "chunks", "header"])
def test_echoes(stage, how):
    """In every disguise: nothing is left of it."""
    stage.case = f"echo, {how}"
    scene = stage.start("call", GRANT, "GET", f"me/echo?how={how}")
    stage.judge(scene, 0, waits())
