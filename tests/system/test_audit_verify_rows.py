"""`audit verify` compares each column of records, apps and cards with what the log says."""

import pytest

from tampering import ALICE, BOB, CAROL, EVE, check_refused, fixture_good  # noqa: F401

# ---- records ----

@pytest.mark.parametrize("name, version", [
    ("ads/secret", 1), (ALICE, 1), (ALICE, 2), (CAROL, 1), (CAROL, 2), (EVE, 1),
])
@pytest.mark.parametrize("column, value, pattern", [
    ("name", "'ads/user/zoe'", "the log has no entry for it"),
    ("app", "'spare'", "its app or kind is not the one in its name"),
    ("kind", "'page'", "its app or kind is not the one in its name"),
    ("version", "version + 7", "the log has no entry for it"),
    ("state", "'rejected'", "its state is not the one in the log"),
    ("digest", "lower(hex(zeroblob(32)))", "its digest is not the one in the log"),
    ("jwe", "coalesce(replace(jwe, '.', '..'), 'x')", "its ciphertext is not the one"),
    ("jwe", "(SELECT jwe FROM record WHERE name = 'spare/secret')", "its ciphertext is not the"),
    ("entry", "entry - 1", "its entry is not the newest about it"),
    ("entry", "9999", "its entry is not the newest about it"),
    ("subject", "'1'", "its clear columns are not those in the log"),
    ("scopes", "'[\"x\"]'", "its clear columns are not those in the log"),
    ("expires", "coalesce(expires + 86400, 0)", "its clear columns are not those in the log"),
    ("data_expires", "coalesce(data_expires, 0) + 1", "its clear columns are not those"),
    ("issued", "coalesce(issued, 0) + 1", "its clear columns are not those in the log"),
    ("checked", "coalesce(checked, 0) + 1", "its clear columns are not those in the log"),
    ("valid", "1 - coalesce(valid, 0)", "its clear columns are not those in the log"),
])
def test_record_changed(good, name, version, column, value, pattern):
    """Each column: of a secret, of grants that are current, pending, previous, in the tail."""
    with good.copy() as (copy, store):
        store(f"UPDATE record SET {column} = {value} WHERE name = ? AND version = ?",
              name, version)
        check_refused(copy.verify(), rf"record '[\w/]+' version \d+: {pattern}")


@pytest.mark.parametrize("name, version", [("ads/secret", 1), (ALICE, 2), (CAROL, 2), (EVE, 1)])
def test_ciphertext_gone(good, name, version):
    """Only that of a version that has been replaced may be destroyed."""
    with good.copy() as (copy, store):
        store("UPDATE record SET jwe = NULL WHERE name = ? AND version = ?", name, version)
        check_refused(copy.verify(), f"record '{name}' version {version}: its ciphertext is gone")


@pytest.mark.parametrize("name, version", [
    ("ads/secret", 1), ("spare/secret", 1), (ALICE, 1), (ALICE, 2), (CAROL, 2), (EVE, 1),
])
def test_record_deleted(good, name, version):
    """A version that the log knows and the store has not."""
    with good.copy() as (copy, store):
        store("DELETE FROM record WHERE name = ? AND version = ?", name, version)
        check_refused(copy.verify(), f"record '{name}' version {version}: it is missing")


def test_record_rolled_back(good):
    """The row of an earlier copy in the place of the newer ones."""
    with good.copy() as (copy, store):
        with good.copy(2) as (_, older):
            [row] = older("SELECT * FROM record WHERE name = ?", BOB)
        store("DELETE FROM record WHERE name = ?", BOB)
        store(f"INSERT INTO record VALUES ({', '.join('?' * len(row))})", *row)
        check_refused(copy.verify(), f"record '{BOB}' version 1: its entry is not the newest")


# ---- apps and cards ----

@pytest.mark.parametrize("table, where, column, value, pattern", [
    ("app", "app = 'ads'", "app", "'adz'", "app 'adz': its columns are not those in the log"),
    ("app", "app = 'ads'", "provider", "'beta'", "app 'ads': its columns are not those"),
    ("app", "app = 'ads'", "client_id", "'1'", "app 'ads': its columns are not those"),
    ("app", "app = 'ads'", "key_record", "key_record || ' '", "app 'ads': its app key record"),
    ("app", "app = 'ads'", "key_record", "(SELECT key_record FROM app WHERE app = 'spare')",
     "app 'ads': its app key record is not the one in the log"),
    ("app", "app = 'ads'", "entry", "36", "app 'ads': its columns are not those in the log"),
    ("app", "app = 'ads'", "entry", "41", "app 'ads': entry 41, on which it stands, is void"),
    ("app", "app = 'ads'", "entry", "9", "app 'ads': entry 9, on which it stands, is void or of"),
    ("app", "app = 'ads'", "key_entry", "37", "app 'ads': its app key record is not the one"),
    ("app", "app = 'ads'", "key_entry", "42", "app 'ads': entry 42, on which it stands, is void"),
    ("card", "entry = 2", "entry", "3", r"card '\w+': entry 3, on which it stands, is void or of"),
    ("card", "entry = 2", "serial", "'1'", "card '1': its columns are not those in the log"),
    ("card", "entry = 2", "label", "'other'", r"card '\w+': its columns are not those in the log"),
    ("card", "entry = 2", "kid", "'other'", r"card '\w+': its columns are not those in the log"),
])
def test_app_or_card_changed(good, table, where, column, value, pattern):
    """Every column of both."""
    with good.copy() as (copy, store):
        store(f"UPDATE {table} SET {column} = {value} WHERE {where}")
        check_refused(copy.verify(), pattern)


@pytest.mark.parametrize("sql, pattern", [
    ("DELETE FROM app WHERE app = 'ads'", "the app of entry [56] is missing from the store"),
    ("DELETE FROM card", "the card of entry 2 is missing from the store"),
    ("INSERT INTO app SELECT 'gone', 'meta', '77', key_record, 41, 42 FROM app WHERE app = 'ads'",
     "app 'gone': entry 41, on which it stands, is void"),
    ("INSERT INTO card SELECT 5, serial, label, kid FROM card",
     r"card '\w+': entry 5, on which it stands, is void or of another type"),
])
def test_app_or_card_added_or_deleted(good, sql, pattern):
    """Every app and card of the log has its row, and no other has one."""
    with good.copy() as (copy, store):
        store(sql)
        check_refused(copy.verify(), pattern)
