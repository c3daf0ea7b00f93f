"""PINs of a Rutoken: its counter, the lock, the officer's unblocking, and the factory's PIN."""

import re

import pytest

from card import DEFAULT_PIN, MODULE, OPENSC_CONF, PIN, SERIAL, SO_PIN
from cards import grant_untouched, refused
from scene import GRANT, LATER
from test_rutoken import LABEL, ONE_EXCHANGE, exchange, exchanged

TRIES = 5  # of OpenSC's profile; a Rutoken formatted by its maker has 10
PROMPT = rf"PIN for {re.escape(LABEL)} {SERIAL} \(exchange {GRANT}, 1 use\): $"
WRONG, NEW_PIN = "11223344", "90817263"
PKCS11_TOOL = ("/usr/bin/pkcs11-tool", "--module", MODULE)


def typed(scene, pin):
    """An exchange with this PIN typed."""
    return exchange(scene, "--ask-pin", pty=[(PROMPT, pin)])


def test_wrong_pin(ready):
    """One try and no more; the right one puts the counter back."""
    for left in (TRIES - 1, TRIES - 2):
        mark = ready.house.tell("mark")["mark"]
        with grant_untouched(ready.vault):
            result = typed(ready, WRONG)
            refused(result, 21, f"card '{LABEL} {SERIAL}': PIN is wrong")
        assert ready.house.counts(mark)["verify"] == 1
        assert ready.card.facts["user"] == left
        assert WRONG not in result.terminal + result.err
    assert typed(ready, PIN).code == 0
    assert ready.card.facts["user"] == TRIES


@pytest.mark.parametrize("pin", ["123", "1" * 33])
def test_pin_that_cannot_be_right(ready, pin):
    """Its length is looked at before a try is spent."""
    refused(typed(ready, pin), 21, "no try was spent")
    assert ready.card.facts["user"] == TRIES


def test_wrong_pin_from_a_file(ready):
    """One try; the hint names the file."""
    ready.pin_file.write_text(WRONG + "\n")
    with grant_untouched(ready.vault):
        refused(exchange(ready), 21, "PIN is wrong", f"correct {ready.pin_file}", "--ask-pin")
    assert ready.card.facts["user"] == TRIES - 1


def lock(scene):
    """Wrong PINs until the card is locked; what was said each time."""
    return [typed(scene, WRONG) for _ in range(TRIES)]


def test_the_last_tries(ready):
    """The last but one is told as such, because the card tells it; the last one locks."""
    said = lock(ready)
    assert [result.code for result in said] == [21] * (TRIES - 1) + [22]
    assert "PIN is wrong, one try is left" in said[-2].err
    refused(said[-1], 22, "PIN is locked", "SO PIN or PUK", "docs/runbook.md")
    assert ready.card.facts["user"] == 0


def test_locked_card(ready):
    """Exit code 22 with the way out, for the right PIN, too; the grant stays as it was."""
    lock(ready)
    with grant_untouched(ready.vault):
        refused(typed(ready, PIN), 22, f"card '{LABEL} {SERIAL}': PIN is locked",
                "unlock it with the card's own tool and its SO PIN or PUK")
    ready.vault.done("audit", "verify")


def test_enrolling_a_locked_card(formatted):
    """Nothing is made on it."""
    prompt = PROMPT.replace(f"exchange {GRANT}", "enrol")
    for _ in range(TRIES):
        formatted.vault.run("card", "enroll", "--ask-pin", pty=[(prompt, WRONG)])
    mark = formatted.house.tell("mark")["mark"]
    refused(formatted.vault.run("card", "enroll"), 22, "PIN is locked")
    assert "generate" not in formatted.house.counts(mark)


def unblock(scene, how, fails=False):
    """The officer gives the user a new PIN."""
    return scene.house.tool(*PKCS11_TOOL, "--login", "--login-type", "so", "--so-pin", SO_PIN,
                            "--init-pin", "--new-pin", NEW_PIN, settings=how, fails=fails)


def test_unblocking(ready):
    """By pkcs11-tool and conf/opensc.conf, as docs/rutoken.md says; then all is as before."""
    lock(ready)
    assert "CKR_FUNCTION_NOT_SUPPORTED" in unblock(ready, {}, fails=True)
    unblock(ready, {"OPENSC_CONF": str(OPENSC_CONF)})
    assert ready.card.facts["user"] == TRIES
    refused(typed(ready, PIN), 21, "PIN is wrong")
    use_new_pin(ready)


def use_new_pin(scene):
    """Once by a person, then by jobs."""
    assert typed(scene, NEW_PIN).code == 0
    scene.pin_file.write_text(NEW_PIN + "\n")
    assert exchanged(scene, offset=2 * LATER) == ONE_EXCHANGE


def test_changed_pin(ready):
    """Changed with OpenSC's tool: the old one is wrong, the new one works."""
    ready.house.tool(*PKCS11_TOOL, "--login", "--pin", PIN, "--change-pin", "--new-pin", NEW_PIN)
    refused(exchange(ready), 21, "PIN is wrong")
    use_new_pin(ready)


def test_factory_pin(ready):
    """Told to the person who types it, after it was right; not to a job's log, where it would leak."""
    ready.house.tool(*PKCS11_TOOL, "--login", "--pin", PIN, "--change-pin", "--new-pin",
                     DEFAULT_PIN)
    warning = f"warning: card '{LABEL} {SERIAL}' has the PIN that it left the factory with: "
    result = typed(ready, DEFAULT_PIN)
    assert result.code == 0 and warning in result.terminal and not result.err
    assert DEFAULT_PIN not in result.err + result.terminal
    ready.pin_file.write_text(DEFAULT_PIN + "\n")
    unattended = exchange(ready, offset=120, pty=[])
    assert unattended.code == 0 and not unattended.err + unattended.terminal


def test_own_pin_is_not_warned_about(ready):
    """Nor is a wrong one that happens to be the factory's."""
    assert "warning" not in typed(ready, PIN).terminal
    wrong = typed(ready, DEFAULT_PIN)
    refused(wrong, 21, "PIN is wrong")
    assert "warning" not in wrong.terminal
