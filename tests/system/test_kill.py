"""Killing any of the three programs at any message leaves a store that opens, verifies and goes on.

A run of these tests takes samples; with P11VAULT_CAMPAIGN=1 in the environment it takes every call.
"""

import contextlib
import json

import pytest

from cards import SoftCard, refused
from killing import MESSAGES, ROOMS, WRITES, Snapshot, Victim, points, was_killed

GRANT = "ads/user/alice"
ROOM_CODES = {"card": 23, "exchange": 10}
GRANTS_TRUST = ("card", "app", "app-key")
SECRET = "0123456789abcdef0123456789abcdef\n"
ADD_APP = ("app", "add", "ads", "--provider", "meta", "--id", "1234567890",
           "--origin", "https://graph.facebook.com")


class Log:
    """What `audit show` says of one vault at one moment."""

    def __init__(self, vault):
        self.lines = [json.loads(line)
                      for line in vault.done("audit", "show", "--json").out.splitlines()]

    def of_type(self, *types):
        """Index, entry and whether it is signed."""
        return [(line["index"], line["entry"], line["signed"])
                for line in self.lines if line["entry"]["type"] in types]

    def states(self, name):
        """The state of each version of a record."""
        return {entry["version"]: entry["state"]
                for _, entry, _ in self.of_type("seal", "state") if entry["name"] == name}

    def uses(self):
        """Every intent's use, with the results of its outcomes."""
        results = {entry["use"]: [] for _, entry, _ in self.of_type("intent")}
        for _, entry, _ in self.of_type("outcome"):
            results[entry["use"]].append(entry["result"])
        return results

    def unanswered(self):
        """Uses whose outcome nobody has written."""
        return {use for use, results in self.uses().items() if not results}

    def unsigned_trust(self):
        """Entries that would grant trust, had they been signed."""
        return {index for index, _, is_signed in self.of_type(*GRANTS_TRUST) if not is_signed}

    def voided(self):
        """Entries that another one takes back."""
        return {entry["entry"] for _, entry, _ in self.of_type("void")}


@contextlib.contextmanager
def at(where):
    """Names the call in the report of whatever fails."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"killed {where}: {error}") from error


def error_lines(result):
    """What a front says on the way out, without the notes of sanitizer builds, and of a card that took a second.

    Only in those builds does a person see what the rooms say themselves.
    """
    notes = ("sanitizer build", "==")
    if "sanitizer build" in result.err:
        notes += ("p11vault-",)
    return [line for line in result.err.splitlines() if not line.startswith(notes)]


def check_killed_run(result, program, is_last):
    """A front that was killed says nothing; one that lost a room says which, and how."""
    if program == "front":
        assert was_killed(result), result
    elif result.code == 0:
        assert is_last, f"nobody noticed the kill: {result}"
    else:
        assert result.code == ROOM_CODES[program], result
        lines = error_lines(result)
        assert len(lines) == 1, result
        assert lines[0].startswith("p11vault: error: "), result
        assert lines[0].endswith(f": {ROOMS[program]} was killed by signal 9"), result


def check_store(vault):
    """It opens and verifies, and status tells the truth about the grant; returns log and states."""
    vault.done("audit", "verify")
    log = Log(vault)
    states = log.states(GRANT)
    told = [grant for grant in json.loads(vault.done("status", "--json").out)
            if grant["name"] == GRANT]
    current = [version for version, state in states.items() if state == "current"]
    assert [grant["version"] for grant in told] == current, (told, states)
    if told:
        assert told[0]["pending"] is ("pending" in states.values()), (told, states)
        assert not told[0]["pending"] or told[0]["next"] == "exchange"
    return log, states


def check_outcomes(vault, before, after, result):
    """Whatever was left open is closed as unknown; nothing has two outcomes; no lock is left."""
    left_open = before.unanswered()
    uses = after.uses()
    assert all(len(results) == 1 for results in uses.values()), uses
    assert {use for use, results in uses.items() if results == ["unknown"]} == left_open
    assert ("its outcome is logged as unknown" in result.err) is bool(left_open), result
    locks = {path.name for path in (vault.directory / "locks").iterdir()}
    assert not locks & {f"use-{use}" for use in left_open}, locks


def run_points(vault, program, calls, step, arguments):
    """Kills at the chosen calls, each on the vault as it is now; yields where, and what it said."""
    snapshot, victim = Snapshot(vault), Victim(vault, program)
    try:
        counts = victim.count(calls, *arguments)
        assert any(counts.values()), counts
        for call, count in counts.items():
            for number in points(count, step):
                snapshot.restore()
                where = f"{program} at {call} {number} of {count}"
                with at(where):
                    result = victim.kill(call, number, *arguments)
                    check_killed_run(result, program, number == count and call == "recvmsg")
                yield where, result
    finally:
        victim.remove()
        snapshot.remove()


# ---- exchange ----

def check_exchange_goes_on(vault, killed):
    """After a kill: what is there is true, and the next run ends what was begun."""
    before, states = check_store(vault)
    assert "current" in states.values(), states
    assert not before.unanswered() or was_killed(killed)
    again = vault.run("exchange", GRANT)
    assert again.code == 0 or (again.code == 11 and states.get(2) == "current"), again
    after, states_after = check_store(vault)
    assert "pending" not in states_after.values(), states_after
    assert states_after[1] == "previous" and max(states_after) >= 2, states_after
    check_outcomes(vault, before, after, again)


@pytest.mark.parametrize("program, calls, step", [
    ("front", MESSAGES[:1], 2), ("front", MESSAGES[1:], 2), ("front", WRITES, 8),
    ("card", MESSAGES, 3), ("exchange", MESSAGES, 2),
])
def test_exchange(ready_vault, program, calls, step):
    """The old or the new grant is there, status says which, and the next run goes on from it."""
    exchange = ("exchange", GRANT)
    with contextlib.closing(run_points(ready_vault, program, calls, step, exchange)) as runs:
        for where, killed in runs:
            with at(where):
                check_exchange_goes_on(ready_vault, killed)


# ---- what grants trust ----

def check_trust(before, after):
    """What was never signed is void; the rest is signed."""
    assert after.voided() == before.unsigned_trust()
    assert after.unsigned_trust() <= after.voided()


def check_app(vault):
    """There is this one app, and one card opens it."""
    assert len(json.loads(vault.done("app", "list", "--json").out)) == 1
    assert len(json.loads(vault.done("app", "show", "ads", "--json").out)["cards"]) == 1


def check_app_add_goes_on(vault, add):
    """After a kill: the app can be added, unless the card had signed for it."""
    before, _ = check_store(vault)
    again = vault.run(*add)
    if any(is_signed for _, _, is_signed in before.of_type("app")):
        assert again.code == 2 and "there is an app 'ads' already" in again.err, again
        assert "hint: p11vault app show ads" in again.err, again
    else:
        assert again.code == 0, again
    after, _ = check_store(vault)
    check_trust(before, after)
    check_outcomes(vault, before, after, again)
    check_app(vault)
    assert after.states("ads/secret") == {1: "current"}


@pytest.mark.parametrize("program, calls, step", [
    ("front", MESSAGES, 3), ("front", WRITES, 9), ("card", MESSAGES, 3), ("exchange", MESSAGES, 3),
])
def test_app_add(soft_vault, program, calls, step):
    """An app that no card has signed for never was; it can be added again under the same name."""
    add = (*ADD_APP, "--secret-file", soft_vault.write("given/secret", SECRET))
    with contextlib.closing(run_points(soft_vault, program, calls, step, add)) as runs:
        for where, _ in runs:
            with at(where):
                check_app_add_goes_on(soft_vault, add)


def was_cut_off(vault):
    """Whether a first try of the card's PIN was written down, and not what the card said."""
    texts = [path.read_text() for path in vault.trust.parent.glob("pin-tried.*")]
    notes = [json.loads(text) for text in texts if text]
    return any(note["cutoff"] and not note["accepted"] for note in notes)


def enroll_again(vault):
    """As the run that was killed; a person has to come where nobody knows whether the PIN was wrong."""
    if not was_cut_off(vault):
        return vault.done("card", "enroll")
    result = vault.run("card", "enroll")
    refused(result, 22, "was cut off before the card had answered")
    pin = SoftCard(vault).pin.read_text()
    vault.done("card", "enroll", "--ask-pin", pty=[("PIN for .*: $", pin)])
    return result


def check_card_enroll_goes_on(vault, add):
    """After a kill: the card can be enrolled, counts once, and opens an app."""
    before, _ = check_store(vault)
    again = enroll_again(vault)
    after, _ = check_store(vault)
    check_trust(before, after)
    check_outcomes(vault, before, after, again)
    keys = [line for line in vault.trust.read_text().splitlines() if line[0] != "#"]
    assert len(keys) == 1, keys
    vault.done(*add)
    check_app(vault)
    vault.done("audit", "verify")


@pytest.mark.parametrize("program, calls, step", [
    ("front", MESSAGES, 3), ("front", WRITES, 9), ("card", MESSAGES, 3),
])
def test_card_enroll(vault, program, calls, step):
    """A card that has not signed for itself is not trusted; enrolling it again takes its keys."""
    vault.done("init", "--soft")
    add = (*ADD_APP, "--secret-file", vault.write("given/secret", SECRET))
    enroll = ("card", "enroll")
    with contextlib.closing(run_points(vault, program, calls, step, enroll)) as runs:
        for where, _ in runs:
            with at(where):
                check_card_enroll_goes_on(vault, add)
