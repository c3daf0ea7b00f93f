"""PINs that nobody types, PINs asked by a program, and what is remembered of a rejected one."""

import fcntl
import functools
import json
import signal
from pathlib import Path

import pytest

from cards import GRANT, WRONG_PIN, Facts, SoftCard, exchange_again, grant_untouched, refused
from faultydisk import Shim
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from waiting import wait_until

PROMPT = r"1 use\): $"


@pytest.fixture(name="card")
def _card(ready_vault):
    """The card of a vault that is ready for an exchange."""
    return SoftCard(ready_vault)


def marks(vault):
    """What is remembered of PINs that were not accepted."""
    notes = [json.loads(path.read_text()) for path in vault.trust.parent.glob("pin-tried.*")]
    return [note for note in notes if note["rejected"] or note["cutoff"]]


@pytest.fixture(name="exchange")
def _exchange(ready_vault, graph):
    """One that succeeds."""
    return functools.partial(exchange_again, ready_vault, graph)


# ---- what is remembered ----

def test_nothing_is_remembered_of_a_right_pin(ready_vault, exchange):
    """The note says that the card has accepted."""
    exchange()
    assert not marks(ready_vault)


def test_the_doctor_tells_of_a_rejected_pin(ready_vault, card, exchange):
    """Of that one, and of none that was accepted."""
    words = f"card {card.serial} has rejected the PIN of pin-source"
    exchange()
    assert words not in ready_vault.run("doctor").out
    card.pin.write_text(WRONG_PIN)
    refused(ready_vault.run("exchange", GRANT), 21)
    assert words in ready_vault.run("doctor").out


def test_a_person_vouches_for_what_went_wrong(ready_vault, card, exchange):
    """A login at the terminal leaves the note of a PIN that was accepted as it is."""
    exchange()
    [note] = ready_vault.trust.parent.glob("pin-tried.*")
    before = note.read_bytes()
    exchange("--ask-pin", pty=[(PROMPT, card.pin.read_text())])
    assert note.read_bytes() == before


def test_what_is_remembered(ready_vault, card):
    """The source and its state; not the PIN, and nothing that depends on it."""
    notes = []
    for pin in (WRONG_PIN, "1111222"):
        card.pin.write_text(pin)
        refused(ready_vault.run("exchange", GRANT), 21 if not notes else 22)
        notes.append(marks(ready_vault)[0])
    assert notes[0] == notes[1]
    assert set(notes[0]) == {"source", "inode", "seconds", "nanoseconds", "accepted", "rejected",
                             "vouched", "cutoff"}
    assert notes[0]["source"] == str(card.pin) and notes[0]["vouched"] is False


@pytest.mark.parametrize("person_first", [True, False])
def test_until_a_person_and_a_change(ready_vault, card, person_first, exchange):
    """Both are needed, in either order; the card is asked only then."""
    spy, right = card.spy(), card.pin.read_text()
    card.pin.write_text(WRONG_PIN)
    refused(ready_vault.run("exchange", GRANT), 21, "PIN is wrong")

    def person():
        exchange("--ask-pin", pty=[(PROMPT, right)])
    before = spy.logins
    if person_first:
        person()
        refused(ready_vault.run("exchange", GRANT), 22, "was rejected and has not been changed",
                f"write the right PIN to {card.pin}")
        assert spy.logins == before + 1
        card.pin.write_text(right)
    else:
        card.pin.write_text(right)
        refused(ready_vault.run("exchange", GRANT), 22, "the PIN from pin-source is not tried")
        assert spy.logins == before
        person()
    exchange()
    assert not marks(ready_vault) and spy.logins == before + 2


def test_a_wrong_pin_after_that_begins_again(ready_vault, card, exchange):
    """A change is no promise that the new one is right."""
    right = card.pin.read_text()
    card.pin.write_text(WRONG_PIN)
    refused(ready_vault.run("exchange", GRANT), 21)
    exchange("--ask-pin", pty=[(PROMPT, right)])
    card.pin.write_text(WRONG_PIN[::-1] + "1")
    refused(ready_vault.run("exchange", GRANT), 21)
    assert marks(ready_vault)[0]["vouched"] is False


def cut_off(vault, card, **changes):
    """As if a run had died while the card looked at the PIN."""
    mark = vault.trust.with_name(f"pin-tried.{card.serial.encode().hex()}")
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "cutoff": 1, **changes}))


def test_a_try_that_was_cut_off(ready_vault, card, exchange):
    """The PIN was right before and is the same: a restart at the wrong moment stops no timer."""
    exchange()
    cut_off(ready_vault, card)
    exchange()
    assert not marks(ready_vault)


@pytest.mark.parametrize("changes", [{"cutoff": 2}, {"accepted": False}, {"inode": 1}])
def test_a_try_that_was_cut_off_and_may_have_been_wrong(ready_vault, card, changes, exchange):
    """Twice in a row, or of a PIN the card had not accepted: a person logs in, which fills the counter again."""
    exchange()
    cut_off(ready_vault, card, **changes)
    logins = card.spy()
    with grant_untouched(ready_vault):
        refused(ready_vault.run("exchange", GRANT), 22, "was cut off", "with --ask-pin")
    assert logins.logins == 0
    exchange("--ask-pin", pty=[(PROMPT, card.pin.read_text())])
    exchange()
    assert not marks(ready_vault)


def test_two_logins_at_once(ready_vault):
    """One waits for what the card says of the other's PIN, and takes no offence at it."""
    for _ in range(3):
        runs = [ready_vault.start("audit", "checkpoint") for _ in range(3)]
        for run in runs:
            result = run.finish(60)
            if result.code == 20:  # SoftHSM shows no card while another process writes to its files
                result = ready_vault.run("audit", "checkpoint")
            assert result.code == 0, result


def waits_for_a_lock(pid):
    """Whether the process waits for one of flock(2)."""
    locks = [line.split() for line in Path("/proc/locks").read_text(encoding="ascii").splitlines()]
    return any(words[1:3] == ["->", "FLOCK"] and words[5] == str(pid) for words in locks)


def test_cancelled_while_another_tries(ready_vault, card, exchange):
    """Its own PIN was not tried then, and the note does not say so."""
    exchange()
    [mark] = ready_vault.trust.parent.glob("pin-tried.*")
    logins = card.spy()
    with open(mark, "rb") as lock, grant_untouched(ready_vault):
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = ready_vault.start("exchange", GRANT)
        wait_until(lambda: waits_for_a_lock(run.pid), "it waits for the other")
        run.send_signal(signal.SIGINT)
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert run.finish().code == -signal.SIGINT
    assert not marks(ready_vault) and logins.logins == 0


def test_a_note_that_cannot_be_read(ready_vault, card):
    """It stops as one of a PIN that was rejected does, and says of no PIN that it was wrong."""
    serial = card.serial.encode().hex()
    mark = ready_vault.trust.with_name(f"pin-tried.{serial}")
    mark.write_text("{")
    mark.chmod(0o600)
    with grant_untouched(ready_vault):
        refused(ready_vault.run("exchange", GRANT), 22, "cannot be read, so the PIN from pin-source",
                "hint: run the same command at a terminal with --ask-pin")


@pytest.fixture(name="fail")
def _fail(ready_vault):
    """A login for whose note the nth call fails, or ("5:on") all from it on."""
    shim = Shim(ready_vault)
    yield lambda plan: ready_vault.run("audit", "checkpoint", env=shim.environment(
        P11DISK_ONLY="/pin-tried.", P11DISK_PLAN=plan))
    shim.remove()


def test_a_note_that_is_hard_to_write(ready_vault, card, fail):
    """One error at any call passes; nothing is remembered of it."""
    for number in range(1, 6):
        assert fail(f"{number}:5").code == 0
        assert not marks(ready_vault)
    logins = card.spy()
    with grant_untouched(ready_vault):
        refused(fail("1:5:on"), 30, "note that a PIN is tried: Input/output error")
    assert logins.logins == 0
    ready_vault.done("audit", "checkpoint")


def test_a_pin_that_is_too_short_is_not_a_try(ready_vault, card):
    """Nothing was tried, so nothing is remembered."""
    card.pin.write_text("123")
    refused(ready_vault.run("exchange", GRANT), 21, "shorter than the card allows; no try was spent")
    assert not marks(ready_vault)


def test_a_pin_that_cannot_be_read_is_not_a_try(ready_vault, card, exchange):
    """Nor does it take back what nobody knows of the try before it."""
    exchange()
    for cut in (0, 1):
        cut_off(ready_vault, card, cutoff=cut)
        card.pin.chmod(0o644)
        with grant_untouched(ready_vault):
            refused(ready_vault.run("exchange", GRANT), 14, "PIN", f"chmod 600 {card.pin}")
        card.pin.chmod(0o600)
        assert [note["cutoff"] for note in marks(ready_vault)] == [1] * cut
    exchange()
    assert not marks(ready_vault)


# ---- systemd's credentials ----

def test_a_credential(ready_vault, card, exchange):
    """Its directory comes from the front's environment, its name from the configuration."""
    directory = ready_vault.base / "credentials"
    directory.mkdir(mode=0o700)
    (directory / "card-pin").write_text(card.pin.read_text())
    (directory / "card-pin").chmod(0o400)
    card.change("pin-source", "credential:card-pin")
    exchange(env={"CREDENTIALS_DIRECTORY": str(directory)})
    for value, words in ((None, "$CREDENTIALS_DIRECTORY is not set"), ("x", "no absolute path")):
        refused(ready_vault.run("exchange", GRANT, env={"CREDENTIALS_DIRECTORY": value}), 14,
                "there is no credential 'card-pin'", words, "LoadCredentialEncrypted=card-pin")


@pytest.mark.parametrize("name", ["credential:", "credential:../pin", "credential:a/b"])
def test_names_of_credentials(ready_vault, card, name):
    """A name is no path."""
    card.change("pin-source", name)
    refused(ready_vault.run("exchange", GRANT), 14, "cannot be the name of a credential")


# ---- pinentry ----

PINENTRY = """#!/usr/bin/python3
import sys
def say(line):
    sys.stdout.write(line + "\\n")
    sys.stdout.flush()
say("OK Pleased to meet you")
for line in sys.stdin:
    with open({log!r}, "a") as log:
        log.write(line)
    if line.startswith("GETPIN"):
        {answer}
    elif line.startswith("OPTION"):
        say("ERR 83886254 Unknown option <Pinentry>")
    else:
        say("OK")
"""


def pinentry(vault, card, answer):
    """A program that answers in this way; the file with what it was told."""
    log = card.directory / "log"  # the one place where the room's children may write
    program = vault.write("pinentry", PINENTRY.format(log=str(log), answer=answer), 0o700)
    card.change("pin-source", None)
    text = vault.config.read_text()
    vault.config.write_text(text.replace("[module soft]\n", f"[module soft]\npinentry = {program}\n"))
    return log


def test_pinentry(ready_vault, card, exchange):
    """It is told the card, the purpose and the count, and gets no terminal of ours; every byte may be encoded."""
    pin = card.pin.read_text()
    coded = "".join(f"%{ord(c):02X}" for c in pin[:3]) + pin[3:]
    log = pinentry(ready_vault, card, f"say('S PASSWORD_FROM_CACHE'); say('D {coded}'); say('OK')")
    exchange()
    assert f"SETDESC PIN for vault {card.serial} (exchange {GRANT}, 1 use): " in log.read_text()


@pytest.mark.parametrize("answer, code, words", [
    ("say('ERR 83886179 Operation cancelled <Pinentry>')", 10, "typing was cancelled"),
    ("say('OK')", 2, "nothing was typed"),
    ("say('D ' + '1' * 300); say('OK')", 2, "longer than 255 bytes"),
    ("say('D 1%G1'); say('OK')", 14, "malformed answer"),
    ("say('hello')", 14, "does not speak the protocol"),
    ("say('S' * 2000)", 14, "a line over 1000 bytes"),
    ("say('ERR 1 no')", 14, "it refuses"),
    ("sys.exit()", 14, "ended without an answer"),
    ("say('D 000000000000'); say('OK')", 21, "PIN is wrong"),
    ("say('D 1%012345'); say('OK')", 21, "holds a control character; no try was spent"),
])
def test_pinentry_that_gives_no_pin(ready_vault, card, answer, code, words):
    """One question, one answer, at most one try."""
    spy = card.spy()
    log = pinentry(ready_vault, card, answer)
    refused(ready_vault.run("exchange", GRANT), code, words)
    assert log.read_text().count("GETPIN") == 1
    assert spy.logins == (1 if words == "PIN is wrong" else 0)
    assert Facts(ready_vault).outcome["result"] == "failed"


def test_pinentry_of_anybody(ready_vault, card):
    """Whoever can write it would learn the PIN."""
    pinentry(ready_vault, card, "say('OK')")
    (ready_vault.base / "pinentry").chmod(0o777)
    refused(ready_vault.run("exchange", GRANT), 14, "pinentry", "can be written by others")
