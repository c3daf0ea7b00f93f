"""How long anything stood in clear is said in the outcome of every use, however it came out."""

import re

import pytest

from cards import GRANT, WRONG_PIN, Facts, SoftCard
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault)

INSPECT, EXCHANGE, CONFIRM = ("debug_token", 1), ("exchange", 1), ("debug_token", 2)

# What the server does, the exit code, and whether an answer, or a part of one, was read.
CASES = {
    "done": (None, None, {}, 0, True),
    "error answer": (EXCHANGE, "http_error", {"code": 190}, 12, True),
    "no JSON": (EXCHANGE, "garbage", {}, 15, True),
    "refused result": (CONFIRM, "http_error", {"code": 190}, 14, True),
    "cut in the middle": (INSPECT, "cut", {"after": 120}, 10, True),
    "cut later": (EXCHANGE, "cut", {"after": 120}, 10, True),
    "no answer": (INSPECT, "silent", {}, 10, False),
    "half an answer": (INSPECT, "silent", {"after": 120}, 10, True),
}


@pytest.mark.parametrize("step, kind, options, code, is_read", CASES.values(), ids=CASES)
def test_outcomes(ready_vault, graph, step, kind, options, code, is_read):
    """The parts are there and add up; `audit show` says the whole."""
    if kind == "silent":
        ready_vault.configure("[exchange]\ndeadline = 1\n")
    if step:
        graph.misbehave(step[0], kind, step[1], **options)
    result = ready_vault.run("exchange", GRANT)
    graph.tell("release")
    assert result.code == code, result
    outcome = Facts(ready_vault).outcome
    assert outcome["result"] == ("failed" if code else "done")
    assert outcome["request_us"] > 0
    assert (outcome["answer_us"] > 0) is is_read
    assert outcome["plaintext_us"] == outcome["request_us"] + outcome["answer_us"]
    shown = ready_vault.done("audit", "show").out.splitlines()[-1]
    assert f", {outcome['plaintext_us']} µs in clear" in shown, shown


def test_nothing_was_opened(ready_vault):
    """Refused by the card: none is a figure, too."""
    card = SoftCard(ready_vault)
    card.pin.write_text(WRONG_PIN)
    result = ready_vault.run("exchange", GRANT)
    assert result.code == 21, result
    outcome = Facts(ready_vault).outcome
    assert [outcome[name] for name in ("plaintext_us", "request_us", "answer_us")] == [0, 0, 0]
    shown = ready_vault.done("audit", "show").out
    assert re.search(r"outcome .*failed.*, 0 µs in clear: ", shown), shown
