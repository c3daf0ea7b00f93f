"""What a room that was taken over cannot make the front do, and what the front leaves behind."""

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import termios
from pathlib import Path

import pytest

from cards import Facts
from fakeroom import CARD, EXCHANGE, FakeRoom
from prepared import *  # noqa: F401,F403  pylint: disable=wildcard-import,unused-wildcard-import
from program import Program, ended

GRANT = "ads/user/alice"
FAULT, USAGE, CONFIG, STOP, REFUSED = 1, 2, 14, 15, 30
ADD = ("app", "add", "bds", "--provider", "meta", "--id", "1234567890", "--origin",
       "https://graph.facebook.com", "--secret-file")


def with_programs(vault, directory, *arguments, **how):
    """One run with other programs than the vault's."""
    own, vault.programs = vault.programs, directory
    try:
        return vault.run(*arguments, **how)
    finally:
        vault.programs = own


def rows(vault, sql):
    """What the store says."""
    store = sqlite3.connect(vault.directory / "vault.db")
    try:
        return store.execute(sql).fetchall()
    finally:
        store.close()


def records(vault):
    """Every version, but for what an inspection has learned."""
    return rows(vault, "SELECT name, version, state, digest, jwe FROM record ORDER BY 1, 2")


def outcome(vault):
    """The newest one."""
    return json.loads(rows(vault, "SELECT text FROM entry WHERE type = 'outcome' "
                                  "ORDER BY idx DESC LIMIT 1")[0][0])


# ---- a hostile exchange room ----

def exchange_room(change):
    """The script of an exchange room that does one thing of its own."""
    return f"{EXCHANGE}\n{change}\nfollow()\n"


HOSTILE = {
    "another-version": ("def exchange(step, slot): issue(slot, version=1)",
                        "sealed another record"),
    "a-version-without-end": ("def exchange(step, slot): issue(slot, version=2**63 - 1)",
                              "sealed another record"),
    "another-app-key": ("""
def exchange(step, slot):
    global app_key
    app_key = jwk(new_key().public_key())
    issue(slot)""", "sealed to another app key"),
    "issued-while-inspecting": ("def inspect(step, slot): issue([2, '{}'])",
                                "issued what nobody asked for"),
    "an-http-status-below-zero": ("def inspect(step, slot): tell(0, step[2], http=2**31)",
                                  "an outcome that cannot be"),
    "a-time-without-end": ("def inspect(step, slot): tell(0, step[2], us=2**64 - 1)",
                           "an outcome that cannot be"),
    "a-trace-that-steers-terminals": (
        "def inspect(step, slot): tell(0, step[2], trace='\\x1b[2J')", "an outcome that cannot be"),
}


@pytest.mark.parametrize("change, words", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_exchange_room(ready_vault, change, words):
    """It destroys no version that is there, and its outcome stands in the log all the same."""
    before = records(ready_vault)
    with FakeRoom(ready_vault.programs, "exchange", exchange_room(change)) as directory:
        result = with_programs(ready_vault, directory, "exchange", GRANT)
    assert (result.code, words in result.err) == (FAULT, True), result
    assert records(ready_vault) == before
    assert outcome(ready_vault)["result"] == "failed" and words in outcome(ready_vault)["message"]
    ready_vault.done("audit", "verify")
    ready_vault.done("exchange", GRANT)


@pytest.mark.parametrize("verb", [("exchange", GRANT), ("issue", "ads/app/own")],
                         ids=["exchange", "issue"])
def test_nothing_was_issued(ready_vault, verb):
    """The room says that it went well, and has nothing to show."""
    before = records(ready_vault)
    nothing = "def inspect(step, slot): tell(step[1], client_of(step))\nexchange = inspect"
    with FakeRoom(ready_vault.programs, "exchange", exchange_room(nothing)) as directory:
        result = with_programs(ready_vault, directory, *verb)
    assert (result.code, "the provider issued nothing" in result.err) == (STOP, True), result
    assert records(ready_vault) == before and outcome(ready_vault)["result"] == "failed"


REFUSED_ROW = """
import sqlite3
honest = inspect
def inspect(step, slot):
    if slot:
        store = sqlite3.connect(%r)
        # The store lets no trigger run; an index whose value cannot be worked out refuses the row, too.
        store.execute("CREATE INDEX IF NOT EXISTS refuses ON record (abs(CASE WHEN version = 2 AND "
                      "state = 'current' THEN -9223372036854775808 ELSE 1 END))")
        store.close()
        facts["expires"] += 86400
    honest(step, slot)
"""


def test_a_grant_that_cannot_be_replaced(ready_vault):
    """The store fails after the old one was put aside: with the change that is taken back, and nothing
    that is written afterwards brings half of it into the store."""
    before = records(ready_vault)
    script = exchange_room(REFUSED_ROW % str(ready_vault.directory / "vault.db"))
    with FakeRoom(ready_vault.programs, "exchange", script) as directory:
        result = with_programs(ready_vault, directory, "exchange", GRANT)
    assert (result.code, "replace 'ads/user/alice'" in result.err) == (FAULT, True), result
    rows(ready_vault, "DROP INDEX refuses")
    assert [row for row in records(ready_vault) if row in before] == before
    assert [row[1:3] for row in records(ready_vault) if row[0] == GRANT] == \
        [(1, "current"), (2, "pending")]
    ready_vault.done("audit", "verify")


RENAMING = """
hear_room("shut")
slot = None
while True:
    name, values = hear()
    if name == "slot":
        slot = values
    elif name == "reseal":
        say("want", *values)
        hear(keys)
        app_key = jwk(new_key().public_key())
        issue(slot)
        say("resealed", 5)
"""


def test_a_renamed_grant_under_another_key(ready_vault):
    """What nobody could open takes the place of nothing."""
    before = records(ready_vault)
    with FakeRoom(ready_vault.programs, "exchange", EXCHANGE + RENAMING) as directory:
        result = with_programs(ready_vault, directory, "grant", "rename", GRANT, "ads/user/eve")
    assert (result.code, "sealed to another app key" in result.err) == (FAULT, True), result
    assert records(ready_vault) == before
    ready_vault.done("audit", "verify")


def test_an_exchange_room_that_only_wants(ready_vault):
    """The step's deadline ends it, however busy it is."""
    ready_vault.configure("[exchange]\ndeadline = 1\n")
    change = """
def inspect(step, slot):
    while True:
        say("want", 0, 2**64 - 1)
        hear(keys)
"""
    with FakeRoom(ready_vault.programs, "exchange", exchange_room(change)) as directory:
        result = with_programs(ready_vault, directory, "exchange", GRANT, timeout=30)
    assert (result.code, "did not answer in time" in result.err) == (10, True), result
    assert outcome(ready_vault)["result"] == "failed"


# ---- a hostile card room ----

ENROLLING = """
name, order = hear()
say("trying", "77")
hear()
say("tried", 1)
say("loggedin", 0)
signer = Signer(%(origin)s)
own = jwk(new_key().public_key())
say("enrolled", "77", %(label)s, "model", "maker", thumbprint(own), canonical(own),
    "ECDH-ES+A256KW", signer.vkey, "SHA256:x", "")
leaves = []
while True:
    name, values = hear()
    if name == "entry":
        leaves.append(leaf(values[1]))
    elif name == "sign":
        say("signed", signer.sign(%(leaves)s, order[6]), %(size)s, "none", 0, "")
"""


def enrolling(**changes):
    """The script of a card room that enrols a key in software."""
    values = {"origin": "order[6]", "label": "'soft'", "leaves": "leaves", "size": "len(leaves)"}
    return CARD + ENROLLING % {**values, **changes}


@pytest.mark.parametrize("changes, words", [
    ({"origin": "'p11vault/' + '0' * 32"}, "the checkpoint is of another log"),
    ({"leaves": "leaves[:-1]"}, "not for the 3 entries"),
    ({"leaves": "[*leaves[:-1], leaf(b'x')]"}, "for another log than ours"),
    ({"size": "2**40"}, "not for the 1099511627776 entries"),
], ids=["key-of-another-vault", "another-size", "another-root", "a-size-beyond-the-log"])
def test_a_hostile_card_is_not_trusted(vault, changes, words):
    """Neither its key nor its checkpoint is kept, and the vault can still be used."""
    vault.done("init", "--soft")
    with FakeRoom(vault.programs, "card", enrolling(**changes)) as directory:
        result = with_programs(vault, directory, "card", "enroll")
    assert (result.code, words in result.err) == (REFUSED, True), result
    assert not vault.trust.exists()
    assert rows(vault, "SELECT count(*) FROM checkpoint") == [(0,)]
    vault.done("card", "enroll")
    vault.done("audit", "verify")


def test_a_card_room_that_is_honest(vault):
    """The control for the above: the same room without a deviation is trusted."""
    vault.done("init", "--soft")
    with FakeRoom(vault.programs, "card", enrolling()) as directory:
        assert with_programs(vault, directory, "card", "enroll").code == 0
    vault.done("audit", "verify")


RESEALING = CARD + """
_, order = hear()
serial = order[1].rpartition("=")[2].strip()
say("trying", serial)
hear()
say("tried", 1)
say("loggedin", 0)
say("ready", serial, "vault", "")
told = {}
while "rewrap" not in told:
    name, values = hear()
    told[name] = values
own = jwk(new_key().public_key()) if %r else json.loads(told["app"][3])["jwk"]
cards = [json.loads(told["recipient"][1])["kid"]]
say("rewrapped", "0" * 64, canonical(own), thumbprint(own), canonical(cards))
while hear()[0] != "sign":
    pass
say("fail", 23, "far enough", "")
"""


@pytest.mark.parametrize("is_other, code, words", [
    (True, FAULT, "the card room sealed another key than the app's"), (False, 23, "far enough")],
    ids=["other", "honest"])
def test_another_key_in_the_place_of_the_apps(ready_vault, is_other, code, words):
    """With it no grant could be opened any more: it does not even come into the log."""
    before = Facts(ready_vault).entries
    with FakeRoom(ready_vault.programs, "card", RESEALING % is_other) as directory:
        result = with_programs(ready_vault, directory, "app", "reseal", "ads")
    assert (result.code, words in result.err) == (code, True), result
    new = [entry["type"] for entry in Facts(ready_vault).entries[len(before):]]
    assert ("app-key" in new) is not is_other, new
    ready_vault.done("app", "reseal", "ads")


@pytest.mark.parametrize("how", [(), ("--json",)], ids=["text", "json"])
def test_a_card_does_not_steer_the_terminal(vault, how):
    """What a module puts into a label is shown, but for what a terminal would obey."""
    vault.done("init", "--soft")
    script = CARD + ("hear()\n"
                     "say('found', '77', 'a\\x1b[2J\\x9b2Jb', 'm', 'm', 'PIN ok', '')\n"
                     "say('listed', 1)\nhear()\n")
    with FakeRoom(vault.programs, "card", script) as directory:
        result = with_programs(vault, directory, "card", "list", *how)
    assert result.code == 0 and "a?[2J??2Jb" in result.out, result


# ---- two processes ----

def test_an_app_is_added_while_a_pin_is_asked_for(ready_vault):
    """The head that the card is told is the newest one, not that of before the question."""
    pin = (ready_vault.directory / "soft/pin").read_text(encoding="ascii")
    secret = ready_vault.write("given/other", "0123456789abcdef0123456789abcdef\n")

    class Late(str):
        """What is typed, after something else has happened."""

        def encode(self, *arguments):
            ready_vault.done(*ADD, secret)
            return super().encode(*arguments)

    result = ready_vault.run("exchange", GRANT, "--ask-pin", pty=[(r"1 use\): $", Late(pin))])
    assert result.code == 0, result
    ready_vault.done("audit", "verify")


# ---- how it is started, how it is ended ----

def shell(vault, redirection, *arguments):
    """One run by a shell that opens or closes descriptors first."""
    command = ["/bin/bash", "-c", f'exec "$0" "$@" {redirection}', vault.programs / "p11vault",
               "--config", vault.config, "--vault", vault.directory, *arguments]
    return Program(command, vault.environment(), vault.processes).finish()


@pytest.mark.parametrize("descriptors", ["3</dev/null 4</dev/null 5</dev/null", "4<&0"])
def test_descriptors_that_were_left_open(ready_vault, descriptors):
    """A room takes for its channels only what it was given."""
    result = shell(ready_vault, descriptors, "import", GRANT, "--token-file",
                   ready_vault.base / "given/token")
    assert result.code == 0, result


@pytest.mark.parametrize("descriptors", ["0<&- 1>&- 2>&-", "1>&-", "2>&-"])
def test_descriptors_that_were_closed(ready_vault, descriptors):
    """No message goes into a file or to a room that happens to have its number."""
    result = shell(ready_vault, descriptors, "exchange", GRANT)
    assert result.code == 0, result
    assert all(not path.read_bytes() for path in (ready_vault.directory / "locks").iterdir())
    result = shell(ready_vault, descriptors, "exchange", "ads/user/nobody")
    assert result.code == USAGE, result
    assert all(not path.read_bytes() for path in (ready_vault.directory / "locks").iterdir())


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP, None],
                         ids=["terminated", "killed", "hung-up", "interrupt-key"])
def test_the_terminal_is_put_back(ready_vault, how):
    """A front that ends while a room asks for a PIN leaves a terminal that echoes."""
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)

    def take_terminal():
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    # pylint: disable-next=subprocess-popen-preexec-fn
    with subprocess.Popen(
            [ready_vault.programs / "p11vault", "--config", ready_vault.config, "--vault",
             ready_vault.directory, "exchange", GRANT, "--ask-pin"],
            env=ready_vault.environment(), start_new_session=True, preexec_fn=take_terminal,
            stdin=slave, stdout=slave, stderr=slave) as front:
        ready_vault.processes.add(front.pid)
        said = b""
        while b"1 use): " not in said:
            said += os.read(master, 4096)
        assert termios.tcgetattr(slave) != before
        room = next(int(child) for child in Path(
            f"/proc/{front.pid}/task/{front.pid}/children").read_text(encoding="ascii").split())
        if how is None:
            os.write(master, b"\x03")
        else:
            front.send_signal(how)
        assert ended(room, 10) and front.wait(10) == -(how or signal.SIGINT)
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)
    again = ready_vault.done("exchange", GRANT)
    # Whoever could write it down has: no key was handed out.
    told = [entry for entry in Facts(ready_vault).entries if entry["type"] == "outcome"][-2]
    if how == signal.SIGKILL:
        assert told["result"] == "unknown" and "its outcome is logged as unknown" in again.err, again
    else:
        assert (told["result"], told["code"]) == ("failed", "retry"), told
        assert told["message"] == "cancelled before a key was handed out: nothing was opened", told
        assert "checkpoint" not in told and not again.said, again


def test_nothing_is_typed(ready_vault):
    """The end of input at the prompt closes the use, too."""
    result = ready_vault.run("exchange", GRANT, "--ask-pin", pty=[(r"1 use\): $", b"\x04")])
    assert result.code == USAGE and "nothing was typed" in result.err, result
    assert outcome(ready_vault)["result"] == "failed"
    assert not ready_vault.done("exchange", GRANT).said


def test_cancelled_for_all_apps(ready_vault):
    """When a person cancels at one app's PIN, the next app is not begun with."""
    ready_vault.done("app", "add", "more", "--id", "1234567891", "--secret-file",
                     ready_vault.write("given/more", "0123456789abcdef" * 2))
    ready_vault.done("import", "more/user/bob", "--token-file", ready_vault.write("given/t", "EAAB" + "x" * 60))
    result = ready_vault.run("exchange", GRANT, "more/user/bob", "--ask-pin", pty=[(r"1 use\): $", b"\x03")])
    assert result.code == -signal.SIGINT and result.terminal.count("PIN for") == 1, result
    assert result.err.count("cancelled before a key was handed out: nothing was opened") == 1, result


# ---- what a person gets wrong ----

def test_no_terminal_to_ask_at(ready_vault):
    """It says what to do instead."""
    result = ready_vault.run("exchange", GRANT, "--ask-pin")
    assert (result.code, "there is no terminal to ask at" in result.err,
            "give the module a pin-source" in result.err) == (CONFIG, True, True), result


@pytest.mark.parametrize("serial", [b"\xff", b"a\x1b[2J", b"7" * 2000],
                         ids=["no-text", "control", "long"])
def test_a_serial_that_is_none(ready_vault, serial):
    """What the log could not take is refused before anything is written."""
    before = rows(ready_vault, "SELECT count(*) FROM entry")
    result = ready_vault.run("exchange", GRANT, "--card", os.fsdecode(serial))
    assert (result.code, "cannot be the serial number of a card" in result.err,
            "hint: p11vault card list" in result.err) == (USAGE, True, True), result
    assert rows(ready_vault, "SELECT count(*) FROM entry") == before


def test_a_soft_card_that_cannot_be_made(vault):
    """Leaves no vault behind that would be in the way of the next try."""
    other = vault.base / "other"
    vault.configure("[module soft]\npath = /usr/lib/softhsm/libsofthsm2.so\n")
    result = vault.run("--vault", other, "init", "--soft")
    assert (result.code, "has a [module soft] already" in result.err) == (CONFIG, True), result
    assert not other.exists()
