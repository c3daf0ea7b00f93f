"""Everything that can be done to a log behind the program's back, and whether it is noticed.

A run takes samples; `make audit-proof` (P11VAULT_CAMPAIGN=1) takes all of it and ends with totals.
"""

import json
import os
import subprocess

import pytest

from cards import SoftCard
from killing import WRITES, Snapshot, Victim, was_killed
from tampering import ALICE, BOB, EVE, check_refused, fixture_good  # noqa: F401
from treelog import entry as log_entry

WHOLE = os.environ.get("P11VAULT_CAMPAIGN") == "1"
ENTRIES = 1000 if WHOLE else 57
BYTES_STEP = 1 if WHOLE else 211
KILLS = 500 if WHOLE else 12
ROUNDS = 200 if WHOLE else 8


def total(text):
    """A line for the end of `make audit-proof`."""
    if "P11VAULT_TOTALS" in os.environ:
        with open(os.environ["P11VAULT_TOTALS"], "a", encoding="utf-8") as out:
            out.write(f"audit-proof: {text}\n")


# ---- every byte ----

@pytest.mark.parametrize("part", range(2))
def test_every_byte(good, tmp_path, part):
    """Entries, nodes, checkpoints, records, apps, cards, and each file of an export."""
    with good.whole() as (vault, _):
        token = vault.write("given/t", "EAAtoken0123456789abcdef\n")
        missing = ENTRIES - len(vault.done("audit", "show").out.splitlines())
        for number in range(missing):
            vault.done("import", f"ads/user/many{number}", "--token-file", token)
        vault.done("audit", "checkpoint")
        export = tmp_path / "export"
        vault.done("audit", "export", export)
        with good.copy() as (copy, _):
            copy.head.unlink()
            run = subprocess.run([vault.programs / "proof/flip", copy.store, copy.trust, export,
                                  str(2 * BYTES_STEP), str(part * BYTES_STEP)],
                                 capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    total(f"bytes, half {part + 1} of 2: {run.stdout.splitlines()[-1]}")


# ---- attacks by their names ----

def cut(store, size):
    """The store as if nothing had ever come behind the first `size` entries."""
    store("DELETE FROM record WHERE entry >= ?", size)
    store("DELETE FROM entry WHERE idx >= ?", size)
    store("DELETE FROM checkpoint WHERE size > ?", size)
    store("DELETE FROM node WHERE (position + 1) << level > ?", size)


def truncation(_, store):
    """The end cut off, cleanly: nodes, checkpoints and records with it."""
    cut(store, 39)


def swapped_records(_, store):
    """One grant's ciphertext in the place of another's."""
    rows = dict(store("SELECT name, jwe FROM record WHERE state = 'current'"))
    store("UPDATE record SET jwe = ? WHERE name = ? AND state = 'current'", rows[BOB], ALICE)
    store("UPDATE record SET jwe = ? WHERE name = ? AND state = 'current'", rows[ALICE], BOB)


def planted_record(_, store):
    """A row for a grant that nobody has sealed."""
    store("INSERT INTO record SELECT 'ads/user/mallory', app, kind, version, state, digest, jwe, "
          "entry, subject, scopes, expires, data_expires, issued, checked, valid FROM record "
          "WHERE name = ?", EVE)


def planted_app_key(_, store):
    """Another app's key, which somebody else may be able to open."""
    store("UPDATE app SET key_record = (SELECT key_record FROM app WHERE app = 'spare') "
          "WHERE app = 'ads'")


def planted_card(_, store):
    """A card on the place of an entry that is none of a card's."""
    store("INSERT INTO card SELECT 5, 'f00d', label, kid FROM card")


ATTACKS = [
    (truncation, "the store was rolled back or replaced: it does not contain checkpoint 49"),
    (swapped_records, r"record 'ads/user/\w+' version \d: its ciphertext is not the one"),
    (planted_record, "record 'ads/user/mallory' version 1: the log has no entry for it"),
    (planted_app_key, "app 'ads': its app key record is not the one in the log"),
    (planted_card, "card 'f00d': entry 5, on which it stands, is void or of another type"),
]


@pytest.mark.parametrize("attack, pattern", ATTACKS, ids=lambda value: getattr(value, "__name__",
                                                                              None))
def test_named(good, attack, pattern):
    """Each is found and called what it is."""
    with good.copy() as (copy, store):
        attack(copy, store)
        check_refused(copy.verify(), pattern)
    total(f"named: {attack.__name__}")


def test_rollback_named(good):
    """An earlier copy of the whole store."""
    with good.copy(2) as (copy, _):
        check_refused(copy.verify(), "the store was rolled back or replaced")
    total("named: rollback")


def test_planted_card_entry_named(good):
    """A good entry for a card of somebody else, with its row: nobody believes it, and it is told."""
    with good.whole() as (vault, store):
        old = json.loads(store.entry("card")[1])
        text = log_entry("card", **{**{key: old[key] for key in old
                                       if key not in ("v", "type", "time", "who")},
                                    "card": "f00d", "label": "mallory"})
        index = store.append(text, "card", "f00d")
        store("INSERT INTO card VALUES (?, 'f00d', 'mallory', ?)", index, old["kid"])
        result = vault.done("audit", "verify")
        assert f"note: entry {index} would grant trust and no card has signed it" in result.err
        assert json.loads(vault.done("audit", "verify", "--json").out)["unsigned_grant"] == index
        done = vault.done("audit", "checkpoint")
        assert "an earlier run ended before a card had signed: what it added is void" in done.err
        assert "would grant trust" not in vault.done("audit", "verify").said
        assert "f00d" not in vault.done("app", "show", "ads").out
    total("named: planted card entry")


def test_forked_named(good):
    """One store used in two places: noticed wherever both are seen."""
    with good.whole() as (vault, store), good.copy() as (copy, _):
        card = SoftCard(vault)
        before = card.keep()
        vault.done("audit", "checkpoint")
        store.path.write_bytes(copy.store.read_bytes())
        card.put_back(before)  # or it would refuse: test_card_anchor.py
        for name in ("vault.db-wal", "vault.db-shm"):
            (vault.directory / name).unlink(missing_ok=True)
        head = next(vault.trust.parent.glob("trust.*.head"))
        seen = head.read_text()
        head.write_text(copy.head.read_text())
        vault.done("audit", "checkpoint")
        head.write_text(seen)
        check_refused(vault.run("audit", "verify"), "the log was forked: its first 58 entries")
    total("named: fork")


# ---- killed at a write ----

def entries_of(vault):
    """The log, entry by entry, and how much of it is signed."""
    lines = [json.loads(line) for line in vault.done("audit", "show", "--json").out.splitlines()]
    return [line["entry"] for line in lines], sum(line["signed"] for line in lines)


def check_after_kill(vault, before, graph, asked):
    """What was there is there, everything verifies, and no request went out unsigned."""
    entries, signed = entries_of(vault)
    assert entries[:len(before)] == before, "an acknowledged entry is lost"
    vault.done("audit", "verify")
    if len(graph.requests()) > asked:
        intents = [index for index, entry in enumerate(entries)
                   if index >= len(before) and entry["type"] == "intent"]
        assert intents and intents[-1] < signed, "a key was handed out without its signed intent"


def test_killed_at_writes(ready_vault, graph):
    """kill -9 at every write and sync of the front, on what makes entries and checkpoints."""
    token = ready_vault.write("given/t", ready_vault.token + "\n")
    runs = [("exchange", "ads/user/alice"), ("audit", "checkpoint"),
            ("import", "ads/user/bob", "--token-file", token)]
    snapshot, victim, done = Snapshot(ready_vault), Victim(ready_vault, "front"), 0
    rounds = 0
    try:
        while done < KILLS:
            # An exchange gains nothing when it comes in the same second as the one before.
            rounds += 1
            graph.clock(60 * rounds)
            for arguments in runs:
                snapshot.restore()
                counts = victim.count(WRITES, *arguments)
                assert any(counts.values()), arguments
                for call, count in counts.items():
                    for number in range(1, count + 1, 1 if WHOLE else max(1, count // 2)):
                        snapshot.restore()
                        before, _ = entries_of(ready_vault)
                        asked = len(graph.requests())
                        result = victim.kill(call, number, *arguments)
                        assert was_killed(result), result
                        check_after_kill(ready_vault, before, graph, asked)
                        done += 1
            snapshot.restore()
            ready_vault.done("exchange", "ads/user/alice")
            snapshot.remove()
            snapshot = Snapshot(ready_vault)
        snapshot.restore()
        ready_vault.done("audit", "checkpoint")
    finally:
        victim.remove()
        snapshot.remove()
    total(f"kills at writes: {done}, none lost an entry")


# ---- two at once ----

def test_two_at_once(ready_vault):
    """One appends, the other signs, at the same time, again and again: one consistent log."""
    token = ready_vault.write("given/t", ready_vault.token + "\n")
    for number in range(ROUNDS):
        first = ready_vault.start("audit", "checkpoint")
        second = ready_vault.start("audit", "checkpoint")
        third = ready_vault.start("import", f"ads/user/n{number}", "--token-file", token)
        assert third.finish(60).code == 0
        for run in (first, second):
            result = run.finish(60)
            if result.code == 20:  # SoftHSM shows no card while another process writes to its files
                result = ready_vault.run("audit", "checkpoint")
            assert result.code == 0, result
    entries, _ = entries_of(ready_vault)
    signed = [entry for entry in entries if entry["type"] == "outcome"
              and entry.get("checkpoint") and entry["result"] == "done"]
    assert len(signed) >= 2 * ROUNDS
    assert len({entry["name"] for entry in entries if entry["type"] == "seal"}) == ROUNDS + 2
    ready_vault.done("audit", "verify")
    total(f"two at once: {ROUNDS} rounds, {len(entries)} entries, one log")
    locks = [path.name for path in (ready_vault.directory / "locks").iterdir()
             if path.name.startswith("use-")]
    assert not locks
