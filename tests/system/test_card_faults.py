"""Cards and modules that fail under the whole program: deadlines, crashes, slow cards, and what a use costs.

What the card room alone does with every return value is tests/faults/campaign.py.
"""

import json
import os
import time

import pytest

from cards import GRANT, Facts, SoftCard, exchange_again, grant_untouched, refused
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from program import at_a_terminal, start_at_a_terminal
from waiting import wait_until


class Shim:
    """The module between p11vault and SoftHSM."""

    gate = None

    def __init__(self, vault):
        self.vault, self.card = vault, SoftCard(vault)
        self.counts = self.card.directory / "counts"
        self.card.change("path", vault.programs / "faults/shim.so")
        self.lines = {"env.P11FAULT_MODULE": self.card.module, "env.P11FAULT_COUNTS": self.counts}
        self.write()

    def write(self, **more):
        """Its profile."""
        lines = {**self.lines, **more}
        text = self.vault.config.read_text()
        head, _, tail = text.partition("[module soft]\n")
        tail = "".join(line for line in tail.splitlines(True) if "P11FAULT" not in line)
        added = "".join(f"{name} = {value}\n" for name, value in lines.items())
        self.vault.config.write_text(f"{head}[module soft]\n{added}{tail}")

    def plan(self, plan):
        """The one fault."""
        self.write(**{"env.P11FAULT_PLAN": plan})

    def hold(self, call):
        """This call waits, the first time, until it is let go."""
        self.gate = self.card.directory / "gate"
        os.mkfifo(self.gate, 0o600)
        self.write(**{"env.P11FAULT_PLAN": f"{call}:1:held", "env.P11FAULT_GATE": self.gate})

    def wait_until_held(self):
        """The call has come."""
        wait_until(lambda: self.counts.exists() and " held\n" in self.counts.read_text(),
                   "the card is not held")

    def let_go(self):
        """It goes on."""
        with self.gate.open("wb"):
            pass

    def calls(self, *names):
        """How often each was called, and the counts are forgotten."""
        lines = self.counts.read_text().split("\n") if self.counts.exists() else []
        self.counts.unlink(missing_ok=True)
        return [sum(line.startswith(name + " ") for line in lines) for name in names]


@pytest.fixture(name="shim")
def _shim(ready_vault):
    return Shim(ready_vault)


WORK = ("C_Login", "C_Sign", "C_DeriveKey", "C_Decrypt", "C_UnwrapKey", "C_GenerateKeyPair")


def test_what_an_exchange_costs_on_a_slow_card(ready_vault, shim):
    """300 ms for each of the card's operations: one login, one signature, one unwrap, and nothing more."""
    shim.write(**{"env.P11FAULT_DELAY_MS": 300})
    began = time.monotonic()
    ready_vault.done("exchange", GRANT)
    took = time.monotonic() - began
    assert shim.calls(*WORK) == [1, 1, 1, 0, 0, 0]
    assert took > 0.9


OVER = "\r\x1b[K"  # drawn over once nobody is waited for any more


def test_somebody_waits_for_a_slow_card(ready_vault, shim):
    """After a second without an answer a terminal shows it, and the work goes on."""
    shim.write(**{"env.P11FAULT_DELAY_MS": 1300})
    result = at_a_terminal(ready_vault, "err", "exchange", GRANT)
    assert result.code == 0
    assert result.err.count(f"waiting for the card{OVER}") == 2, result  # login; signature and unwrap
    assert result.err.count("waiting for") == result.err.count(OVER) == 2, result
    assert "touch" not in result.err, result


def test_somebody_waits_for_a_slow_provider(ready_vault, graph):
    """The same, by the address that is waited for."""
    graph.misbehave("exchange", "silent")
    program = start_at_a_terminal(ready_vault, "err", "exchange", GRANT)
    program.shows(f"waiting for {graph.origin}")
    graph.tell("release")
    result = program.finish()
    assert result.code == 0 and result.said == f"waiting for {graph.origin}{OVER}", result


def test_nobody_is_shown_who_is_waited_for(ready_vault, shim):
    """A log of a job and a program that reads JSON get no drawing."""
    shim.write(**{"env.P11FAULT_DELAY_MS": 1300})
    assert "waiting" not in ready_vault.done("exchange", GRANT).err
    result = at_a_terminal(ready_vault, "err", "inspect", GRANT, "--json")
    assert result.code == 0 and result.said == "", result


@pytest.mark.parametrize("call", ["C_Initialize", "C_GetSlotList", "C_OpenSession", "C_Login",
                                  "C_FindObjects", "C_Sign", "C_DeriveKey", "C_Logout",
                                  "C_Finalize"])
def test_a_module_that_hangs(ready_vault, graph, shim, call):
    """Its room is killed at the deadline; nothing was sent, and the next run works."""
    before = ready_vault.config.read_text()
    ready_vault.config.write_text(before.replace("[module soft]\n",
                                                 "[module soft]\ndeadline = 1\n"))
    shim.plan(f"{call}:1:hang")
    with grant_untouched(ready_vault):
        refused(ready_vault.run("exchange", GRANT), 23, "did not answer in time")
    assert shim.calls("C_Login")[0] <= 1
    ready_vault.config.write_text(before)
    after_a_fault(ready_vault, graph, shim)


@pytest.mark.parametrize("call", ["C_Initialize", "C_Login", "C_Sign", "C_DeriveKey"])
def test_a_module_that_dies(ready_vault, graph, shim, call):
    """How it ended is said, and nothing of it is left."""
    shim.plan(f"{call}:1:die")
    with grant_untouched(ready_vault):
        refused(ready_vault.run("exchange", GRANT), 23, "killed by signal 9")
    after_a_fault(ready_vault, graph, shim)


def after_a_fault(vault, graph, shim):
    """The next run works: the PIN was accepted before, so it is tried once more where the login broke off."""
    shim.plan("none:1:die")
    exchange_again(vault, graph)


@pytest.mark.parametrize("fault", ["die", "rv=0x30"])
def test_logins_that_break_off_twice(ready_vault, graph, shim, fault):
    """Each may have cost a try: the PIN is not tried a third time before a person has looked."""
    shim.plan(f"C_Login:1:{fault}")
    for _ in range(2):
        refused(ready_vault.run("exchange", GRANT), 23)
    shim.calls()
    refused(ready_vault.run("exchange", GRANT), 22, "was cut off", "--ask-pin")
    assert shim.calls("C_Login") == [0]
    shim.plan("none:1:die")
    exchange_again(ready_vault, graph, "--ask-pin",
                   pty=[(r"1 use\): $", shim.card.pin.read_text())])
    after_a_fault(ready_vault, graph, shim)


@pytest.mark.parametrize("call, fault, code, words", [
    ("C_Login", "rv=0xa4", 22, "PIN is locked"),
    ("C_Login", "late=0xa0", 21, "PIN is wrong"),
    ("C_Login", "rv=0x5", 23, "a wrong PIN is not ruled out"),
    ("C_Login", "vanish", 23, "CKR_DEVICE_REMOVED"),
    ("C_Sign", "vanish", 23, "put the card back and run the command again"),
    ("C_DeriveKey", "vanish", 23, "put the card back and run the command again"),
    ("C_SignInit", "moved", 23, "CKR_USER_NOT_LOGGED_IN"),
    ("C_DeriveKey", "moved", 23, "CKR_USER_NOT_LOGGED_IN"),
    ("C_OpenSession", "rv=0xb1", 23, "CKR_SESSION_COUNT"),
    ("C_GetAttributeValue", "stale", 14, "no signing key"),
    ("C_Sign", "garbage", 23, "the card's signature does not verify"),
    ("C_DeriveKey", "garbage", 23, "CKR_OBJECT_HANDLE_INVALID"),
])
def test_what_a_card_may_do(ready_vault, shim, call, fault, code, words):
    """Pulled out, logged out by another program, out of sessions, wrong: said in words, after one login at most."""
    shim.plan(f"{call}:0:{fault}" if fault == "stale" else f"{call}:1:{fault}")
    with grant_untouched(ready_vault):
        refused(ready_vault.run("exchange", GRANT), code, words)
    assert shim.calls("C_Login")[0] <= 1


def test_a_factory_pin(ready_vault, graph, shim):
    """Told once, to the person who has typed it; to nobody in a job's log, where it would be the PIN itself."""
    shim.plan("C_GetTokenInfo:0:flags=0x80000")  # CKF_USER_PIN_TO_BE_CHANGED
    unattended = exchange_again(ready_vault, graph)
    assert "PIN" not in unattended.err, unattended
    attended = exchange_again(ready_vault, graph, "--ask-pin",
                              pty=[(r"1 use\): $", shim.card.pin.read_text())])
    assert "PIN" not in attended.err, attended
    assert attended.terminal.count("has the PIN that it left the factory with") == 1, attended


def test_a_pin_pad(ready_vault, graph, shim):
    """The person is told at which reader and for what; the PIN comes by no other way."""
    shim.write(**{"env.P11FAULT_PLAN": "C_GetTokenInfo:0:flags=0x100",  # protected authentication path
                  "env.P11FAULT_PAD": shim.card.pin})
    result = exchange_again(ready_vault, graph, "--ask-pin", pty=[])
    assert f"{shim.card.serial} at its reader (exchange {GRANT}, 1 use)" in result.terminal, result
    assert "PIN for" not in result.terminal.replace("type the PIN for", "")
    assert result.terminal.count("type the PIN for") == 1


def test_a_pin_pad_without_a_terminal(ready_vault, graph, shim):
    """Its own light is enough."""
    shim.write(**{"env.P11FAULT_PLAN": "C_GetTokenInfo:0:flags=0x100",
                  "env.P11FAULT_PAD": shim.card.pin})
    assert "PIN" not in exchange_again(ready_vault, graph, "--ask-pin").err


def test_a_wrong_pin_at_the_pad(ready_vault, shim):
    """One try, and no second."""
    shim.write(**{"env.P11FAULT_PLAN": "C_GetTokenInfo:0:flags=0x100",
                  "env.P11FAULT_PAD": ready_vault.write("given/wrong", "00000000\n")})
    before = shim.calls("C_Login")
    refused(ready_vault.run("exchange", GRANT, "--ask-pin", pty=[]), 21, "PIN is wrong")
    assert shim.calls("C_Login")[0] == before[0] + 1


def test_a_card_that_refuses_late(ready_vault, shim):
    """It takes the order to decrypt and not the work: its own words are said, and not those of the next attempt."""
    shim.plan("C_DecryptInit:1:rv=0x0")
    refused(ready_vault.run("card", "enroll", "--key", "rsa:2048"), 23,
            "C_Decrypt failed: CKR_OPERATION_NOT_INITIALIZED", "card enroll --key ec:P-256")
    assert shim.calls("C_Login", "C_DecryptInit") == [1, 1]


def test_a_card_that_comes_back(ready_vault, shim):
    """The same card is found by its serial, whatever its slot's number is."""
    serial = shim.card.serial
    shim.card.add_second()
    assert json.loads(ready_vault.done("card", "list", "--json").out)
    ready_vault.done("exchange", GRANT)
    assert Facts(ready_vault).outcome["result"] == "done"
    assert serial == shim.card.serial


@pytest.mark.parametrize("value, words", [("0x31", "CKR_DEVICE_MEMORY"), ("0xe2", "WRITE_PROTECTED")])
def test_a_card_that_is_full(soft_vault, value, words):
    """No room for a key: nothing is trusted, and the vault stays usable."""
    shim = Shim(soft_vault)
    shim.plan(f"C_GenerateKeyPair:1:rv={value}")
    refused(soft_vault.run("card", "enroll", "--key", "rsa:2048"), 23, words)
    soft_vault.done("card", "enroll")
    soft_vault.done("audit", "verify")
