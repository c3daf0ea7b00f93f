"""`call`: while its answer is awaited the grant stands nowhere, and what comes back of it in locked pages only."""

import pytest

from cards import GRANT
from stage import ANY_LOCKED, AWAITED, EXCHANGE, waits

ANSWER = AWAITED[0]
FEW = 14  # bytes of an answer with too little of the token in them to be found


@pytest.fixture
def stage(stage):  # pylint: disable=redefined-outer-name
    """A fresh one, whose server is asked once."""
    stage.plan([("call", 1)])
    return stage


def test_while_the_answer_is_awaited(stage):
    """Known by their hashes alone."""
    stage.hold()
    scene = stage.start("call", GRANT, "GET", "me/echo?how=body")
    stage.at_each_answer(scene)
    stage.judge(scene, 0, waits(ANSWER))


def test_while_the_answer_to_a_batch_is_awaited(stage):
    """The same; and nothing is left of the token that stands in the body of an item."""
    stage.case = "batch"
    stage.plan([("batch", 1)])
    stage.hold()
    items = '[{"method":"GET","relative_url":"me"},{"method":"GET","relative_url":"me/echo"}]'
    scene = stage.start("call", GRANT, "--batch", stage.vault.write("given/batch", items))
    stage.at_each_answer(scene)
    stage.judge(scene, 0, waits(ANSWER))


@pytest.mark.parametrize("after", [FEW, 60, 120])
def test_half_an_answer(stage, after):
    """The token has begun to come back: what is in hand of it is locked."""
    stage.case = "half an answer"
    stage.graph.misbehave("call", "silent", 1, after=after)
    scene = stage.start("call", GRANT, "GET", "me/echo?how=body")
    stage.graph.wait("request:call", stage.before["call"] + 1)
    if after == FEW:
        scene.look(ANSWER)
    else:
        stage.look_until_found(scene, ANSWER)
    stage.graph.tell("release")
    stage.judge(scene, 0, waits(ANSWER), {(EXCHANGE, ANSWER): ANY_LOCKED})


@pytest.mark.parametrize("how", ["escape", "base64", "percent", "hex", "chunks", "header"])
def test_echoes(stage, how):
    """In every disguise: nothing is left of it."""
    stage.case = f"echo, {how}"
    scene = stage.start("call", GRANT, "GET", f"me/echo?how={how}")
    stage.judge(scene, 0, waits())
