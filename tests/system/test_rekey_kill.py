"""`app rekey` killed at any moment: the old key for everything, or the new one; and run again it succeeds.

A run of these tests takes samples; with P11VAULT_CAMPAIGN=1 in the environment it takes every call.
"""

import base64
import json
import sqlite3
from contextlib import closing

import pytest

from killing import MESSAGES, WRITES
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from program import at_a_terminal
from test_kill import Log, at, run_points

REKEY = ("app", "rekey", "ads")
MORE = [f"ads/user/n{number}" for number in range(10)]
RECORDS = len(MORE) + 2  # alice's grant and the app secret


@pytest.fixture(name="vault_of_many")
def _vault_of_many(ready_vault):
    """An app with a few grants; each token is read from a pipe, and never sent anywhere."""
    for name in MORE:
        ready_vault.done("import", name, stdin=f"token of {name}".replace(" ", "-"))
    return ready_vault


def sealed_to(vault):
    """The app's key as `app show` says it, and by name the keys that the current records are sealed to."""
    key = json.loads(vault.done("app", "show", "ads", "--json").out)["key"]
    with closing(sqlite3.connect(f"file:{vault.directory}/vault.db?mode=ro", uri=True)) as store:
        rows = store.execute("SELECT name, jwe FROM record WHERE state = 'current'").fetchall()
        states = {state for state, in store.execute("SELECT state FROM record")}
    assert states <= {"current", "previous"}, states
    headers = {name: jwe.partition(".")[0] for name, jwe in rows}
    return key, {name: json.loads(base64.urlsafe_b64decode(header + "=="))["kid"]
                 for name, header in headers.items()}


def check(vault):
    """All of the app is sealed to one key, and that is the app's; which."""
    vault.done("audit", "verify")
    key, kids = sealed_to(vault)
    assert set(kids.values()) == {key} and len(kids) == RECORDS, (key, kids)
    return key


@pytest.mark.parametrize("program, calls, step", [
    ("front", MESSAGES, 29), ("front", WRITES[:2], 7), ("card", MESSAGES, 17),
    ("exchange", MESSAGES, 17)], ids=["front", "front-writes", "card", "exchange"])
def test_killed(vault_of_many, program, calls, step):
    """The rooms at their messages, the front also at what it writes."""
    vault, seen = vault_of_many, set()
    before = check(vault)
    for where, _ in run_points(vault, program, calls, step, REKEY):
        with at(where):
            key = check(vault)
            seen.add(key == before)
            assert f"{RECORDS} records sealed anew" in vault.done(*REKEY).err
            assert check(vault) not in (before, key)
            uses = Log(vault).uses().values()
            assert all(len(results) == 1 for results in uses), uses
    assert True in seen


def test_progress(vault_of_many):
    """One line at a terminal, which is gone at the end; nothing in a file."""
    code, out, shown = at_a_terminal(vault_of_many, "err", *REKEY)
    assert code == 0 and not out
    assert f"[{'#' * 30}] {RECORDS} of {RECORDS}" in shown and "\r[##" in shown
    assert f"\r\x1b[Kads: a new key, {RECORDS} records" in shown
    piped = vault_of_many.done(*REKEY)
    assert "[#" not in piped.err and "\r" not in piped.err
