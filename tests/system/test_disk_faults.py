"""Every call that changes a file fails in turn: no issued grant is lost, no good one given up.

A run of these tests takes samples, which the seed that is printed chooses; with P11VAULT_CAMPAIGN=1
in the environment it takes every call.
"""

import errno
import os
import random
import re

import pytest

from cards import GRANT, refused
from faultydisk import KINDS, FaultyDisk
from flows import ALICE, DAY, Flow
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from renewing import Fleet, long_lived
from smalldisk import on_small_disk, why_no_mounts

WHOLE = os.environ.get("P11VAULT_CAMPAIGN") == "1"
PAGES = [str(1353269864728879 + number) for number in range(7)]
AT_ONCE = 3  # pages of one answer
ROOMS = (100, 280, 500, 900, 3200)  # KiB
ENDS = "not asked, because the new grant could not be kept: disk is full: nothing can be logged"


def exchange(vault, graph, _):
    """A short-lived grant becomes a long-lived one."""
    return FaultyDisk(vault, graph, "exchange", GRANT)


def refresh(vault, graph, _):
    """A batch of 14 grants."""
    fleet = Fleet(vault, graph)
    fleet.give(*(f"ads/user/n{number}" for number in range(13)), **long_lived(10))
    return FaultyDisk(vault, graph, "refresh", "--due")


def pages(vault, graph, canaries):
    """Seven, in three lists."""
    flow = Flow(vault, graph, canaries)
    flow.rules(page_limit_max=AT_ONCE)
    flow.person(pages=[{"id": one, "name": "P", "tasks": ["ANALYZE"]} for one in PAGES])
    flow.give_long()
    # On a dead disk no page can be locked: each is told, and the next list goes on with the others.
    return FaultyDisk(vault, graph, "pages", ALICE, at_once=len(PAGES))


def login(vault, graph, canaries):
    """A code, the short-lived grant for it, the long-lived one for that."""
    flow = Flow(vault, graph, canaries)
    return FaultyDisk(vault, graph, "login", ALICE, "--port", flow.port, **flow.browser())


# So many faults are taken where not all are.
@pytest.fixture(name="faulty")
def _faulty(ready_vault, graph, canaries, request):
    """What a verb does to a vault, over and over again."""
    disk = request.param(ready_vault, graph, canaries)
    yield disk
    disk.remove()
    graph.rules(page_limit_max=100)


@pytest.fixture(name="chosen")
def _chosen():
    """Chooses so many of a list, where not all are taken."""
    def choose(faults, count):
        seed = random.randrange(1 << 32)
        print(f"{count} of {len(faults)} faults, seed {seed}")
        return faults if WHOLE else random.Random(seed).sample(faults, count)
    return choose


@pytest.mark.parametrize("faulty, count", [(exchange, 3), (refresh, 2), (pages, 2), (login, 2)],
                         indirect=["faulty"])
def test_nothing_is_lost(faulty, chosen, count):
    """The run with the fault, and the one after it, which has none."""
    faults = [(number, kind) for kind in KINDS for number in range(1, faulty.count(kind) + 1)]
    for number, kind in chosen(faults, count):
        faulty.fail_at(number, kind)


@pytest.mark.parametrize("faulty", [exchange, refresh, pages, login], indirect=True)
def test_little_room(faulty):
    """On file systems that are too small for all of it, or for any of it."""
    if why_no_mounts():
        pytest.skip(f"no mounts of one's own here: {why_no_mounts()}")
    for room in ROOMS:
        faulty.fill(room)


def test_reading_on_a_full_disk(ready_vault):
    """Who only looks needs no room."""
    if why_no_mounts():
        pytest.skip(f"no mounts of one's own here: {why_no_mounts()}")
    for verb in (("status",), ("audit", "verify"), ("audit", "show"), ("app", "list")):
        there = on_small_disk(ready_vault, 0, *verb)
        assert (there.code, there.out) == (0, ready_vault.done(*verb).out), there


@pytest.mark.parametrize("faulty", [refresh], indirect=True)
def test_a_batch_ends(faulty):
    """At the first change that cannot be kept; each grant is told, and nothing more is asked for."""
    if why_no_mounts():
        pytest.skip(f"no mounts of one's own here: {why_no_mounts()}")
    result = faulty.fill(600)
    told = len(result.out.splitlines())
    said = re.findall(r"^p11vault: error: ads/user/\w+: (.+)", result.err, re.MULTILINE)
    assert result.code == 30 and 1 < told < 13, result
    assert said == [ENDS, *["the store takes no changes now: not asked"] * (13 - told)]
    assert "hint: free space on the file system of " in result.err


@pytest.mark.parametrize("faulty", [exchange], indirect=True)
def test_a_quota(faulty):
    """It is told as a full disk is."""
    result, count = faulty.fail_once(7, (f"{errno.EDQUOT}:on", "/vault.db-wal"))
    refused(result, 30, "disk is full: nothing can be logged", "hint: free space on the file system")
    assert count == 0


@pytest.mark.parametrize("faulty", [exchange], indirect=True)
def test_an_error_that_passes(faulty):
    """Once a grant was issued, a single one costs nothing: what is to be kept is written again."""
    kind = (str(errno.EIO), "/vault.db-wal")
    met = 0
    for number in range(faulty.count(kind), 0, -6):
        result, issued = faulty.fail_once(number, kind)
        if not issued:
            break
        assert result.code == 0, f"call {number}: {result}"
        met += 1
    assert met > 3


@pytest.mark.parametrize("verb", ["inspect", "exchange"])
def test_what_was_lost_is_written_again(ready_vault, graph, canaries, verb):
    """The second try of a change says all that the first did."""
    flow = Flow(ready_vault, graph, canaries)
    flow.give_long(scopes=["public_profile", "email"], expires_in=30 * DAY)
    flow.done("inspect", ALICE)
    graph.misbehave("debug_token", "fields", set={"scopes": ["email"]})
    disk = FaultyDisk(ready_vault, graph, verb, ALICE)
    kind = (str(errno.EIO), "/vault.db-wal")
    last = disk.count(kind)
    for number in range(last, last - 12, -3):
        result, _ = disk.fail_once(number, kind)
        assert result.code == 0, f"call {number}: {result}"
        assert flow.facts.outcome["lost_scopes"] == ["public_profile"], f"call {number}"
    disk.remove()
