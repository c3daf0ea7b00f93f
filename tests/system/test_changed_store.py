"""A store that was changed behind the program's back is not used: the card is not even asked."""

import shutil

import pytest

from tampering import ALICE, BOB, CAROL, EVE, check_refused, fixture_good  # noqa: F401

LOGIN = "logged in to card"


def traces(good, store):
    """What a use leaves: entries, checkpoints, requests at the provider."""
    return (store.one("SELECT count(*) FROM entry"), store.one("SELECT count(*) FROM checkpoint"),
            len(good.graph.requests()))


def test_unchanged(good):
    """The same run on the unchanged vault does all that the tests below say is not done."""
    with good.whole() as (vault, store):
        before = traces(good, store)
        result = vault.run("-v", "exchange", EVE)
        assert result.code == 0 and LOGIN in result.err, result
        entries, checkpoints, requests = traces(good, store)
        assert entries > before[0] and checkpoints == before[1] + 1 and requests > before[2]


def check_not_used(good, vault, store, name, pattern):
    """`exchange` refuses before anything is signed or sent; `audit verify` agrees."""
    entries, checkpoints, requests = traces(good, store)
    result = vault.run("-v", "exchange", name)
    check_refused(result, pattern, verb=name)
    assert LOGIN not in result.err, result
    assert traces(good, store) == (entries, checkpoints, requests)
    assert vault.run("audit", "verify").code == 30


@pytest.mark.parametrize("name, sql, pattern", [
    (BOB, "UPDATE record SET jwe = replace(jwe, '.', '..') WHERE name = 'ads/user/bob' AND "
     "state = 'current'", "record 'ads/user/bob' version 2: the record is not what the log says"),
    (BOB, "UPDATE record SET jwe = (SELECT jwe FROM record WHERE name = 'spare/secret') "
     "WHERE name = 'ads/secret'", "record 'ads/secret' version 1: the record is not what"),
    (CAROL, "UPDATE record SET jwe = (SELECT jwe FROM record WHERE name = 'spare/secret') "
     "WHERE name = 'ads/user/carol' AND state = 'pending'", "'ads/user/carol' version 2: the rec"),
    (BOB, "UPDATE record SET jwe = NULL WHERE name = 'ads/user/bob'", "ciphertext was destroyed"),
    (BOB, "UPDATE record SET expires = expires + 86400 WHERE name = 'ads/user/bob' AND "
     "state = 'current'", "'ads/user/bob' version 2: the record's clear columns are not what"),
    (BOB, "UPDATE record SET subject = '1' WHERE name = 'ads/user/bob' AND state = 'current'",
     "the record's clear columns"),
    (BOB, "UPDATE record SET kind = 'page' WHERE name = 'ads/user/bob'",
     "the record's app or kind is not what the log says"),
    (BOB, "UPDATE record SET digest = lower(hex(zeroblob(32))) WHERE name = 'ads/user/bob'",
     "'ads/user/bob' version 2: the record is not what the log says"),
    (BOB, "UPDATE record SET entry = entry - 2 WHERE name = 'ads/user/bob'", "the record's place"),
    (EVE, "UPDATE record SET entry = 9999 WHERE name = 'ads/user/eve'", "log has no tree node"),
    (CAROL, "UPDATE record SET state = CASE state WHEN 'current' THEN 'previous' "
     "ELSE 'current' END WHERE name = 'ads/user/carol'", "the record's state is not what the log"),
    (BOB, "UPDATE app SET key_record = (SELECT key_record FROM app WHERE app = 'spare') "
     "WHERE app = 'ads'", "app 'ads': its app key record is not the one in the log"),
    (BOB, "UPDATE app SET client_id = '1' WHERE app = 'ads'", "app 'ads': its columns are not"),
    (BOB, "UPDATE app SET key_entry = 42 WHERE app = 'ads'", "entry 42 was declared void"),
    (BOB, "UPDATE checkpoint SET note = replace(note, 'p11vault/', 'p11vault/0') "
     "WHERE size = 49", "checkpoint 49: "),
    (BOB, "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = 39) "
     "WHERE size = 49", "checkpoint 49: its note is for 39 entries"),
    (BOB, "DELETE FROM entry WHERE idx > 47", "the store was rolled back or replaced"),
])
def test_row_changed(good, name, sql, pattern):
    """Records, apps, checkpoints."""
    with good.whole() as (vault, store):
        store(sql)
        check_not_used(good, vault, store, name, pattern)


@pytest.mark.parametrize("index", [2, 5, 6, 7, 10, 20, 46, 48])
def test_signed_entry_changed(good, index):
    """The card, the app, its key, its secret, and whatever came after them."""
    with good.whole() as (vault, store):
        text = store.one("SELECT text FROM entry WHERE idx = ?", index)
        store.set_entry(index, text.replace('"time":"2', '"time":"3', 1))
        check_not_used(good, vault, store, BOB,
                       r"the log was changed since checkpoint (8|49) was signed|entry [256]: ")


def test_record_rolled_back(good):
    """The version before, with its good digest and its good entry, is not the newest any more."""
    with good.whole() as (vault, store):
        with good.copy(2) as (_, older):
            [row] = older("SELECT * FROM record WHERE name = ?", BOB)
        store("DELETE FROM record WHERE name = ?", BOB)
        store(f"INSERT INTO record VALUES ({', '.join('?' * len(row))})", *row)
        check_not_used(good, vault, store, BOB,
                       f"record '{BOB}' version 1: the record's place is not what the log says")


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_store_rolled_back(good, stage):
    """The head beside the trust file is newer than the whole store."""
    with good.whole() as (vault, store):
        with good.copy(stage) as (_, older):
            shutil.copy2(older.path, good.path)
        check_not_used(good, vault, store, ALICE, "the store was rolled back or replaced: it does "
                       "not contain checkpoint 49, which this machine has seen")


def test_void_app_put_back(good):
    """An app that no card has signed for is not made good by the signature over its being void."""
    with good.whole() as (vault, store):
        store("INSERT INTO app SELECT 'gone', provider, '77', "
              "(SELECT key_record FROM app WHERE app = 'ads'), 41, 42 FROM app WHERE app = 'ads'")
        token = vault.write("given/t", "EAAtoken0123456789\n")
        for arguments in (("import", "gone/user/x", "--token-file", token),
                          ("app", "show", "gone"), ("exchange", "gone/user/x")):
            result = vault.run(*arguments)
            assert result.code == 30, result
            assert "app 'gone': entry 41 was declared void: no card has signed for it" in result.err
            assert "hint: p11vault audit verify" in result.err, result
