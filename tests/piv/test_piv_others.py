"""Other programs at the card: what they can do while p11vault uses it, after it has ended, and after it was killed."""

import os
import signal
from pathlib import Path

import pytest

from pivcard import OPENSC_CONF
from program import ended

# The agreement of slot 9d with the curve's base point, without any PIN.
AGREE = ("0087119d477c45820085" "41" "04"
         "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
         "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5" "00")
REFUSES = "6982"


def room_of(front):
    """The process id of the card room."""
    children = Path(f"/proc/{front.pid}/task/{front.pid}/children").read_text().split()
    return next(int(pid) for pid in children
                if Path(f"/proc/{pid}/comm").read_text().startswith("p11vault-card"))


def works(status):
    """Whether the card did what it was asked."""
    return status[:2] in ("90", "61")


def test_after_the_end(ready_each):
    """It held a connection all the time, so that nothing powers the card off: it finds nobody logged in."""
    with ready_each.house.lurker() as send:
        assert send(AGREE) == REFUSES
        assert ready_each.exchange().code == 0
        assert send(AGREE) == REFUSES
    assert ready_each.card.facts["logged_in"] == 0


def test_what_the_configuration_is_for(ready):
    """Without conf/opensc.conf, OpenSC 0.23 leaves the card to whoever comes next: docs/threat-model.md says so."""
    text = ready.vault.config.read_text()
    ready.vault.config.write_text(text.replace(f"env.OPENSC_CONF = {OPENSC_CONF}\n", ""))
    with ready.house.lurker() as send:
        assert ready.exchange().code == 0
        assert works(send(AGREE))


def killed(scene, send, victim, resets=0):
    """What the card says to another program, once the front or the room was killed while the card is logged in."""
    started = scene.logged_in()
    room = room_of(started)
    assert scene.card.facts["logged_in"] == 1
    os.kill(started.pid if victim == "front" else room, signal.SIGKILL)
    assert ended(room, 20)
    scene.house.wait("reset", resets)
    answer = send(AGREE)
    scene.graph.tell("release")
    assert started.finish().code != 0
    return answer


@pytest.mark.parametrize("victim", ["front", "card room"])
def test_after_a_kill(ready, victim):
    """The room held the card for itself (`lock_login`): so pcscd resets it before anybody else has it."""
    with ready.house.lurker() as send:
        assert killed(ready, send, victim, resets=1) == REFUSES
    assert ready.card.facts["logged_in"] == 0


def test_what_ykcs11_leaves_behind_a_kill(whole_scene):
    """It holds the card only for each command, and pcscd 1.9.9 resets none that is not held: docs/yubikey.md says so."""
    scene = whole_scene.use("ready ykcs11")
    with scene.house.lurker() as send:
        assert works(killed(scene, send, "card room"))
    scene.check()


# What becomes of `disconnect_action = reset;`, and what doctor says then of the card and of the other setting.
LACKING = {
    "without": (lambda text: text.replace("disconnect_action", "other_action"), [True, False]),
    "comment": (lambda text: text.replace("disconnect_action", "# disconnect_action"), [True, False]),
    "another value": (lambda text: text.replace("= reset;", "= leave;"), [True, False]),
    "unlocked": (lambda text: text.replace("lock_login = true", "lock_login = false"), [False, True]),
    "empty": (lambda text: "", [True, True]),
}


@pytest.mark.parametrize("change, told", LACKING.values(), ids=LACKING)
def test_doctor_reads_it(ready, change, told):
    """What OpenSC is not told is a warning, with what follows and how to mend it."""
    file = ready.vault.write("given/opensc.conf", change(OPENSC_CONF.read_text()))
    text = ready.vault.config.read_text()
    ready.vault.config.write_text(text.replace(str(OPENSC_CONF), str(file)))
    said = ready.vault.done("doctor").out
    warnings = [f"warning  opensc     opensc: {file} does not say {setting}: " in said
                for setting in ("disconnect_action = reset", "lock_login = true")]
    assert warnings == told, said
    assert "fix: install p11vault's opensc.conf, which only root may write" in said
    assert "keeps other programs off the card" not in said


def test_doctor_misses_it(ready):
    """A file that is not there is one problem, said once."""
    text = ready.vault.config.read_text()
    ready.vault.config.write_text(text.replace(str(OPENSC_CONF), "/nonexistent/opensc.conf"))
    result = ready.vault.run("doctor")
    assert result.code == 14 and "OPENSC_CONF=/nonexistent/opensc.conf: no such file" in result.out, result
    assert "does not say" not in result.out, result
