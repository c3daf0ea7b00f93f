"""A batch killed in the middle and run again: no grant is lost, none is renewed twice in vain."""

import contextlib
import os
import random
import shutil
import signal
from pathlib import Path

import pytest

from cards import GRANT, Facts, SoftCard
from killing import MESSAGES, Victim, points, was_killed
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from program import ended
from renewing import Fleet, long_lived

GRANTS = [GRANT, "ads/user/bob", "ads/user/eve", "more/user/ann"]
CHANGES = "fdatasync"
# `make campaign` takes all of it.
WHOLE = os.environ.get("P11VAULT_CAMPAIGN") == "1"
COUNT, KILLS, LONGEST = (1000, 50, 0.4) if WHOLE else (24, 4, 0.4)


@pytest.fixture(name="fleet")
def _fleet(ready_vault, graph):
    """Four grants of two apps, of which nothing is known yet."""
    fleet = Fleet(ready_vault, graph)
    fleet.add_app("more")
    fleet.give(*GRANTS[1:], **long_lived(10))
    fleet.forget_calls()
    return fleet


def kill_and_repeat(fleet, program, call, number):
    """A kill, of a room in each of its runs; then the run that makes it good."""
    victim = Victim(fleet.vault, program)
    try:
        killed = victim.kill(call, number, "refresh", "--due")
    finally:
        victim.remove()
    first = fleet.calls().count("exchange")
    known = Facts(fleet.vault)
    kept = [name for name, (version, pending) in known.versions.items()
            if pending or version > 1]
    asked = len(fleet.graph.requests())
    repeated = fleet.vault.run("refresh", "--due")
    assert repeated.code == 0, (killed, repeated)
    fleet.vault.done("audit", "verify")
    # What the killed run had kept is not asked for again: only what was on its way may be.
    again = [one["step"] for one in fleet.graph.requests()[asked:]].count("exchange")
    assert again == len(GRANTS) - len(kept), (killed, repeated)
    assert 0 <= first - len(kept) <= (1 if program == "front" else len(GRANTS)), (killed, repeated)
    assert all(version > 1 for version in fleet.versions.values())
    entries = Facts(fleet.vault).entries
    intents = {entry["use"] for entry in entries if entry["type"] == "intent"}
    outcomes = [entry["use"] for entry in entries if entry["type"] == "outcome"]
    assert sorted(intents) == sorted(outcomes), "each use has one outcome"
    return killed


@pytest.mark.parametrize("call", [*MESSAGES, CHANGES])
def test_front(fleet, prepared, call):
    """At each message on its way, and at each change of the store."""
    count = count_calls(fleet, prepared, "front", call)
    killed = 0
    for number in points(count, max(1, count // 4)):
        killed += was_killed(kill_and_repeat(again(prepared), "front", call, number))
    assert killed


@pytest.mark.parametrize("program", ["card", "exchange"])
def test_rooms(fleet, prepared, program):
    """A room that dies may take what was on its way along, and nothing else."""
    count = count_calls(fleet, prepared, program, "sendto")
    for number in points(count, max(1, count // 3)):
        kill_and_repeat(again(prepared), program, "sendto", number)


def count_calls(fleet, prepared, program, call):
    """In an undisturbed run."""
    victim = Victim(fleet.vault, program)
    try:
        return victim.count([call], "refresh", "--due")[call]
    finally:
        victim.remove()


def again(prepared):
    """Everything as it was before."""
    fleet = Fleet(prepared.use("ready"), prepared.graph)
    fleet.add_app("more")
    fleet.give(*GRANTS[1:], **long_lived(10))
    fleet.forget_calls()
    return fleet


def programs_of(session):
    """The living processes of one run, by name."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            text = Path("/proc", entry, "stat").read_text(encoding="ascii", errors="replace")
            name, facts = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")"):]
            if int(facts.split()[4]) == session:
                found.setdefault(name, []).append(int(entry))
    return found


@contextlib.contextmanager
def card_that_survives(vault):
    """SoftHSM empties its file and writes it anew, twice at each login: killed there, the card is gone."""
    tokens = SoftCard(vault).directory / "tokens"
    stash = vault.base / "tokens"
    shutil.copytree(tokens, stash)
    yield lambda: shutil.copytree(stash, tokens, dirs_exist_ok=True)
    shutil.rmtree(stash)


def test_at_random_moments(ready_vault, graph):
    """Many grants of three apps, one program or all of them killed again and again."""
    with card_that_survives(ready_vault) as mend:
        kill_at_random(ready_vault, graph, mend)


def kill_all(pids):
    """Whether any of them was still there."""
    met = False
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            met = True
    return met


def kill_at_random(ready_vault, graph, mend):
    """Each run goes on with what the one before has left."""
    fleet, chance = Fleet(ready_vault, graph), random.Random(20260101)
    for app in ("more", "most"):
        fleet.add_app(app)
    names = [f"{('ads', 'more', 'most')[number % 3]}/user/n{number}" for number in range(COUNT)]
    fleet.give(*names, **long_lived(10))
    fleet.forget_calls()
    killed, run = 0, ready_vault.start("refresh", "--due")
    while killed < KILLS:
        if ended(run.pid, chance.uniform(0, LONGEST)):
            run.finish()
            mend()
            fleet.vault.done("audit", "verify")
            versions = Facts(ready_vault).versions.values()
            run = None
            if all(version > 1 for version, _ in versions):
                break
            run = ready_vault.start("refresh", "--due")
        else:
            # Without a room of its it may go on, and lose another one.
            there = programs_of(run.pid)
            victims = chance.choice([*([name] for name in sorted(there)), sorted(there)])
            killed += kill_all(pid for name in victims for pid in there[name])
    if run:
        run.finish(300)
        mend()
    result = ready_vault.run("refresh", "--due", timeout=300)
    assert result.code == 0, result
    assert killed == KILLS if WHOLE else killed
    versions, entries = fleet.versions, Facts(ready_vault).entries
    assert all(versions[name] > 1 for name in names)
    assert 0 <= fleet.calls().count("exchange") - COUNT - 1 <= KILLS
    intents = sorted(entry["use"] for entry in entries if entry["type"] == "intent")
    assert intents == sorted(entry["use"] for entry in entries if entry["type"] == "outcome")
    fleet.vault.done("audit", "verify")
