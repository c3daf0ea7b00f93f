"""`app reseal` and `card remove`, stopped or killed at any moment: the log is good and goes on.

A run of these tests takes samples; with P11VAULT_CAMPAIGN=1 in the environment it takes every call.
"""

import contextlib
import json

import pytest

from cards import SoftCard
from faultydisk import Shim
from killing import MESSAGES, Snapshot
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from test_kill import Log, at, run_points

CLOSING = 2  # changes of the files by the last to close the store, who locks everybody out
RESEAL = ("app", "reseal", "ads")


def openers(vault):
    """The cards that open the app."""
    return sorted(json.loads(vault.done("app", "show", "ads", "--json").out)["cards"])


@pytest.fixture(name="pair")
def _pair(ready_vault):
    """The card that opens the app, and another one that is trusted."""
    card = SoftCard(ready_vault)
    first, second = card.serial, card.add_second()
    ready_vault.done("card", "enroll", f"pkcs11:serial={second}")
    return first, second


@pytest.fixture(name="removal")
def _removal(ready_vault, pair):
    """Of the first card; both open the app."""
    ready_vault.done(*RESEAL, "--card", pair[0])
    return ("card", "remove", pair[0], "--yes", "--card", pair[1])


@pytest.fixture(name="shim")
def _shim(ready_vault):
    """Stops p11vault where it changes a file."""
    shim = Shim(ready_vault)
    yield shim
    shim.remove()


def stop_everywhere(shim, arguments, verify):
    """Calls verify() before each change that reaches the disk while it runs, and behind the last."""
    snapshot = Snapshot(shim.vault)
    count = shim.count("fdatasync", *arguments)
    snapshot.restore()
    snapshot.remove()
    with contextlib.closing(shim.stops("fdatasync", *arguments)) as stops:
        for number in stops:
            if number < count - CLOSING:
                verify()
    assert shim.result.code == 0 and count > 5, shim.result
    verify()


def test_verify_meanwhile(ready_vault, shim, pair):
    """Nobody who verifies beside a reseal is told that the log was changed."""
    seen = []

    def verify():
        ready_vault.done("audit", "verify")
        seen.append(openers(ready_vault))

    stop_everywhere(shim, (*RESEAL, "--card", pair[0]), verify)
    assert seen[0] == [pair[0]] and seen[-1] == sorted(pair)


def test_verify_while_a_card_is_removed(ready_vault, shim, pair, removal):
    """The same of the removal and what it seals anew."""
    stop_everywhere(shim, removal, lambda: ready_vault.done("audit", "verify"))
    assert openers(ready_vault) == [pair[1]]


def check_goes_on(vault, again, cards):
    """What is there verifies, and the run made once more does it all."""
    vault.done("audit", "verify")
    before = openers(vault)
    result = vault.run(*again)
    assert result.code == 0 or "was removed already" in result.err, result
    vault.done("audit", "verify")
    assert openers(vault) == cards
    uses = Log(vault).uses().values()
    assert all(len(results) == 1 for results in uses), uses
    return before


@pytest.mark.parametrize("program, calls, step", [
    ("front", ["fdatasync"], 3), ("front", ["sendto", "pwrite64"], 53), ("card", MESSAGES, 53),
], ids=["each-change", "front", "card"])
def test_killed(ready_vault, pair, program, calls, step):
    """The app is sealed to the cards of before or to those of afterwards; each once at least."""
    reseal, seen = (*RESEAL, "--card", pair[0]), set()
    with contextlib.closing(run_points(ready_vault, program, calls, step, reseal)) as runs:
        for where, _ in runs:
            with at(where):
                seen.add(len(check_goes_on(ready_vault, reseal, sorted(pair))))
    assert 1 in seen


def test_killed_while_a_card_is_removed(ready_vault, pair, removal):
    """At each change; a run that had removed it already is told so."""
    with contextlib.closing(run_points(ready_vault, "front", ["fdatasync"], 5, removal)) as runs:
        for where, _ in runs:
            with at(where):
                check_goes_on(ready_vault, removal, [pair[1]])
