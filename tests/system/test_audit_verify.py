"""`audit verify` finds each change to a vault and names its place."""

import base64
import hashlib
import json
import re
import sqlite3

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tampering import check_refused, fixture_good  # noqa: F401

TYPES = ("vault", "card", "app", "app-key", "seal", "state", "intent", "step", "outcome", "void")


# ---- unchanged ----

@pytest.mark.parametrize("drop_head", [False, True])
def test_unchanged(good, drop_head):
    """The database file and the trust file are enough, and neither is written to."""
    with good.copy() as (copy, _):
        if drop_head:
            copy.head.unlink()
        for file in (copy.store, copy.trust):
            file.chmod(0o400)
        before = copy.store.read_bytes()
        text, code = copy.verify(), json.loads(copy.verify("--json").out)
        assert text.code == 0, text
        assert re.fullmatch(r"57 entries, 49 signed, 8 tail; 11 records: verified\n", text.out)
        assert code == {"entries": 57, "signed": 49, "tail": 8, "checkpoints": 7, "records": 11,
                        "verified": True}
        assert copy.store.read_bytes() == before


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_earlier_stages_verify_where_nothing_newer_was_seen(good, stage):
    """Without the head that this machine has seen, nobody can tell that a copy is old."""
    with good.copy(stage) as (copy, _):
        copy.head.unlink()
        assert copy.verify().code == 0


# ---- entries ----

def flip_digit(text):
    """One byte changed, still a good entry."""
    return re.sub(r'"pid":(\d)', lambda match: f'"pid":{9 - int(match[1]) or 5}', text, count=1)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("change, pattern", [
    (flip_digit, r"entry {0}: its bytes are not those that were hashed \(node 0/{0}\)"),
    (lambda text: text.replace("{", "[", 1), r"entry {0}: read an entry: "),
    (lambda text: text.replace(":", ": ", 1), r"entry {0}: read an entry: .*not canonical"),
])
def test_entry_changed(good, kind, change, pattern):
    """One byte of each kind of entry."""
    with good.copy() as (copy, store):
        index, text = store.entry(kind)
        assert change(text) != text
        store.set_entry(index, change(text))
        check_refused(copy.verify(), pattern.format(index))


@pytest.mark.parametrize("kind", TYPES)
def test_entry_filed_wrongly(good, kind):
    """The columns by which entries are found are part of what is checked."""
    with good.copy() as (copy, store):
        index, _ = store.entry(kind)
        store("UPDATE entry SET type = 'note' WHERE idx = ?", index)
        check_refused(copy.verify(), f"entry {index}: it is filed under another type or subject")
    with good.copy() as (copy, store):
        store("UPDATE entry SET subject = 'x' WHERE idx = ?", index)
        check_refused(copy.verify(), f"entry {index}: it is filed under another")


@pytest.mark.parametrize("index, pattern", [
    (0, "log entry 0 is missing"), (20, "log entry 20 is missing"),
    (48, "log entry 48 is missing"), (55, "log entry 55 is missing"),
    (56, "record 'ads/user/eve' version 1: the log has no entry for it"),
])
def test_entry_deleted(good, index, pattern):
    """First, in the middle, last signed one, in the tail, last."""
    with good.copy() as (copy, store):
        store("DELETE FROM entry WHERE idx = ?", index)
        check_refused(copy.verify(), pattern)


@pytest.mark.parametrize("first, second", [(0, 1), (12, 13), (48, 49), (54, 55)])
def test_entries_swapped(good, first, second):
    """Neighbours: at the start, inside, over the end of what is signed, in the tail."""
    with good.copy() as (copy, store):
        for old, new in ((first, -1), (second, first), (-1, second)):
            store("UPDATE entry SET idx = ? WHERE idx = ?", new, old)
        check_refused(copy.verify(), rf"entry {first}: its bytes are not those that were hashed")


def test_tail_cut(good):
    """The last entry and the row that it is about, together."""
    with good.copy() as (copy, store):
        store("DELETE FROM entry WHERE idx = 56")
        store("DELETE FROM record WHERE entry = 56")
        check_refused(copy.verify(), "the tree has 110 nodes where 109 belong: the log was cut")


def test_entry_appended(good):
    """A further one without its place in the tree."""
    with good.copy() as (copy, store):
        store("INSERT INTO entry SELECT 57, type, subject, text FROM entry WHERE idx = 55")
        check_refused(copy.verify(), "entry 57: log has no tree node 0/57")


# ---- the tree ----

@pytest.mark.parametrize("level, position", [(0, 0), (0, 21), (0, 56), (1, 10), (2, 3), (5, 0)])
def test_node_changed(good, level, position):
    """Any node: of an entry, between, at the top."""
    at = (level, position)
    with good.copy() as (copy, store):
        store("UPDATE node SET hash = zeroblob(32) WHERE level = ? AND position = ?", *at)
        check_refused(copy.verify(), rf"\(node {level}/{position}\)")
    with good.copy() as (copy, store):
        store("DELETE FROM node WHERE level = ? AND position = ?", *at)
        check_refused(copy.verify(), f"log has no tree node {level}/{position}")


def test_node_added(good):
    """One that belongs to no entry."""
    with good.copy() as (copy, store):
        store("INSERT INTO node VALUES (0, 57, zeroblob(32))")
        check_refused(copy.verify(), "the tree has 111 nodes where 110 belong: the log was cut")


# ---- checkpoints ----

def change_signature(note):
    """One bit in the middle of the signature."""
    head, _, signature = note.rstrip("\n").rpartition(" ")
    data = bytearray(base64.b64decode(signature))
    data[len(data) // 2] ^= 1
    return f"{head} {base64.b64encode(data).decode()}\n"


@pytest.mark.parametrize("size", [3, 20, 49])
@pytest.mark.parametrize("change", [
    change_signature,
    lambda note: re.sub(r"\n(\d+)\n", lambda match: f"\n{int(match[1]) - 1}\n", note, count=1),
    lambda note: note.replace("p11vault/", "p11vault/0", 1),
    lambda note: note[:note.index("\n\n") + 2],
    lambda note: note[:-1],
    lambda note: "",
])
def test_checkpoint_changed(good, size, change):
    """Signature, size, origin; cut; empty: in the first, a middle and the newest checkpoint."""
    with good.copy() as (copy, store):
        note = store.one("SELECT note FROM checkpoint WHERE size = ?", size)
        assert change(note) != note
        store("UPDATE checkpoint SET note = ? WHERE size = ?", change(note), size)
        check_refused(copy.verify(), f"checkpoint {size}: ")


@pytest.mark.parametrize("size", [3, 11, 20, 49])
def test_checkpoint_deleted(good, size):
    """The outcome of the use that it was signed for names it."""
    with good.copy() as (copy, store):
        store("DELETE FROM checkpoint WHERE size = ?", size)
        check_refused(copy.verify(), f"checkpoint {size} is missing: the outcome in entry ")


def test_checkpoint_rolled_back(good):
    """An older one in the place of the newest, as it was and under the newest one's size."""
    older = "(SELECT note FROM checkpoint WHERE size = 39)"
    with good.copy() as (copy, store):
        store(f"UPDATE checkpoint SET note = {older} WHERE size = 49")
        check_refused(copy.verify(), "checkpoint 49: its note is for 39 entries")
    with good.copy() as (copy, store):
        store("DELETE FROM checkpoint WHERE size > 39")
        check_refused(copy.verify(), "checkpoint 49 is missing")


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_whole_store_rolled_back(good, stage):
    """An earlier copy in its place is found by the head that is kept beside the trust file."""
    with good.copy(stage) as (copy, _):
        check_refused(copy.verify(), "the store was rolled back or replaced")


# ---- what the trust file says, and whose store it is ----

def other_key(line):
    """The same line with a key that is none of this vault's, well formed."""
    spki = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    name = line.split("+")[0]
    key = base64.b64encode(b"\x02" + spki).decode()
    return f"{name}+{hashlib.sha256(spki).hexdigest()[:8]}+{key}"


@pytest.mark.parametrize("change, code, pattern", [
    (lambda line: "", 30, "checkpoint 3: "),
    (other_key, 30, "checkpoint 3: "),
    (lambda line: line.replace("p11vault/", "p11vault/0", 1), 30, "checkpoint 3: "),
    (lambda line: line[:-9] + ("A" if line[-9] != "A" else "B") + line[-8:], 14,
     "trust file: line 2: "),
    (lambda line: line.replace("+", "+0", 1), 14, "trust file: line 2: "),
])
def test_trust_file_changed(good, change, code, pattern):
    """Emptied; another key; another vault's; a line that is no key is a matter of configuration."""
    with good.copy() as (copy, _):
        head, line = copy.trust.read_text().splitlines()
        copy.trust.write_text(f"{head}\n{change(line)}\n")
        check_refused(copy.verify(), pattern, code)


@pytest.mark.parametrize("sql, pattern", [
    ("UPDATE vault SET id = replace(id, substr(id, 1, 4), 'abcd')", "checkpoint 3: "),
    ("UPDATE vault SET id = 'x'", "a vault id has 32 hexadecimal digits"),
    ("INSERT INTO vault VALUES ('x')", "it has two vault ids"),
    ("DELETE FROM vault", "it has no vault id"),
    ("PRAGMA application_id = 1", "file is not a p11vault store"),
    ("PRAGMA user_version = 7", "store has schema 7, this program knows 1"),
    ("CREATE TABLE more (x)", "a table, view or trigger that is not ours"),
    ("CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM card; END", "that is not ours"),
    ("DROP INDEX entry_about", "a table is missing"),
])
def test_another_store(good, sql, pattern):
    """Vault id, application id, schema."""
    with good.copy() as (copy, store):
        connection = sqlite3.connect(store.path)
        connection.execute(sql)
        connection.commit()
        connection.close()
        check_refused(copy.verify(), pattern)
