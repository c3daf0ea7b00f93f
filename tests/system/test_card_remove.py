"""Cards that come and go: a recovery card, a card that is removed, one that is lost; backups."""

import contextlib
import json
import os
import sqlite3

import pytest

from cards import GRANT, Facts, SoftCard, exchange_again, refused
from killing import Victim
from test_main_job import add_app


@pytest.fixture(name="pair")
def _pair(soft_vault, graph):
    """An app that one card opens, with a grant; then a second card is enrolled."""
    card = SoftCard(soft_vault)
    first = card.serial
    add_app(soft_vault, graph)
    exchange_again(soft_vault, graph)
    second = card.add_second()
    soft_vault.done("card", "enroll", f"pkcs11:serial={second}")
    return first, second


def openers(vault):
    """The cards that open the app."""
    return json.loads(vault.done("app", "show", "ads", "--json").out)["cards"]


def test_a_recovery_card(soft_vault, graph, pair):
    """The app is sealed to it afterwards, without touching a grant; each card opens it alone."""
    first, second = pair
    before = Facts(soft_vault)
    assert openers(soft_vault) == [first]
    assert "2 cards can open it" in soft_vault.done("app", "reseal", "ads", "--card", first).err
    assert sorted(openers(soft_vault)) == sorted(pair)
    assert Facts(soft_vault).sealed == before.sealed
    assert "one card opens" not in soft_vault.done("status").err
    for serial in (second, first):
        exchange_again(soft_vault, graph, "--card", serial)
    soft_vault.done("audit", "verify")


def test_only_a_card_that_opens_it_can_reseal(soft_vault, pair):
    """The new one holds nothing yet."""
    refused(soft_vault.run("app", "reseal", "ads", "--card", pair[1]), 20, "app reseal ads: ",
            "is not a trusted card that opens this")


def test_removing(soft_vault, graph, pair):
    """The app goes to the other card; the removed one signs and opens nothing any more."""
    first, second = pair
    soft_vault.done("app", "reseal", "ads", "--card", first)
    said = soft_vault.done("card", "remove", first, "--yes", "--card", second).err
    assert "ads: sealed anew without that card" in said
    assert openers(soft_vault) == [second]
    refused(soft_vault.run("exchange", GRANT, "--card", first), 20, GRANT)
    exchange_again(soft_vault, graph)
    assert "warning: one card opens 'ads'" in soft_vault.done("status").err
    refused(soft_vault.run("card", "remove", first, "--yes"), 2, "was removed already")
    [entry] = [one for one in Facts(soft_vault).entries if one["type"] == "removal"]
    assert (entry["card"], entry["lost"], entry["apps"]) == (first, False, ["ads"])
    soft_vault.done("audit", "verify")


def test_removing_that_was_cut_off(soft_vault, pair):
    """The card room dies before it tells its signature: nothing was removed, and the next run does it all."""
    first, second = pair
    soft_vault.done("app", "reseal", "ads", "--card", first)
    order = ("card", "remove", first, "--yes", "--card", second)
    victim = Victim(soft_vault, "card")
    last = victim.count(["sendto"], "app", "reseal", "ads", "--card", second)["sendto"]
    assert victim.kill("sendto", last, *order).code == 23
    victim.remove()
    assert sorted(openers(soft_vault)) == sorted(pair)
    soft_vault.done(*order)
    assert openers(soft_vault) == [second]
    removals = [one for one in Facts(soft_vault).entries if one["type"] == "removal"]
    assert [one["card"] for one in removals] == [first, first]
    soft_vault.done("app", "reseal", "ads")
    assert openers(soft_vault) == [second]
    refused(soft_vault.run("card", "remove", first, "--yes"), 2, "was removed already")


def limits(vault):
    """How far the key of each card counts, by the trust file; None: without an end."""
    keys = json.loads(vault.done("audit", "key", "--json").out)
    listed = [line for line in vault.trust.read_text().splitlines() if not line.startswith("#")]
    said = [line for line in vault.done("audit", "key").out.splitlines() if line[0] != "#"]
    assert listed == said
    cards = {one["sign"]: one["card"] for one in Facts(vault).entries if one["type"] == "card"}
    return {cards[key["vkey"]]: key.get("until") for key in keys}


def test_its_signature_counts_no_more(soft_vault, pair):
    """The trust file says so, to the card room, too; a run that ended before it did is made good."""
    first, second = pair
    note = "# ann's\n"
    soft_vault.trust.write_text(note + soft_vault.trust.read_text())
    soft_vault.done("app", "reseal", "ads", "--card", first)
    assert limits(soft_vault) == {first: None, second: None}
    before = soft_vault.trust.read_text()
    assert "tell your auditors" in soft_vault.done("card", "remove", first, "--yes", "--card",
                                                   second).err
    types = [one["type"] for one in Facts(soft_vault).entries]
    assert limits(soft_vault) == {first: types.index("removal"), second: None}
    after = soft_vault.trust.read_text()
    assert after.startswith(note) and len(after.splitlines()) == len(before.splitlines())
    soft_vault.trust.write_text(before)
    refused(soft_vault.run("card", "remove", first, "--yes"), 2, "was removed already")
    assert soft_vault.trust.read_text() == after
    refused(soft_vault.run("audit", "checkpoint", "--card", first), 20, "is not a trusted card")
    soft_vault.done("card", "enroll", f"pkcs11:serial={first}")
    assert limits(soft_vault) == {first: None, second: None}
    soft_vault.done("audit", "checkpoint", "--card", first)
    soft_vault.done("audit", "verify")


def test_enrolled_again(soft_vault, graph, pair):
    """A card that was found again counts again."""
    first, second = pair
    soft_vault.done("app", "reseal", "ads", "--card", first)
    soft_vault.done("card", "remove", first, "--yes", "--card", second)
    soft_vault.done("card", "enroll", f"pkcs11:serial={first}")
    soft_vault.done("app", "reseal", "ads", "--card", second)
    exchange_again(soft_vault, graph, "--card", first)
    soft_vault.done("audit", "verify")


def test_all_keys_of_a_card_go(soft_vault, graph, pair):
    """A card is its serial number: with it goes every key that was enrolled, until one is enrolled again."""
    first, second = pair
    soft_vault.done("card", "enroll", f"pkcs11:serial={first}", "--key", "rsa:2048")
    soft_vault.done("app", "reseal", "ads", "--card", first)
    assert sorted(openers(soft_vault)) == sorted([first, first, second])
    soft_vault.done("card", "remove", first, "--yes", "--card", second)
    assert openers(soft_vault) == [second]
    soft_vault.done("app", "reseal", "ads")
    assert openers(soft_vault) == [second]
    kids = [one["kid"] for one in Facts(soft_vault).entries if one["type"] == "card"]
    soft_vault.done("card", "enroll", f"pkcs11:serial={first}", "--key", "rsa:2048")
    soft_vault.done("app", "reseal", "ads", "--card", second)
    assert sorted(openers(soft_vault)) == sorted(pair)
    newest = [one for one in Facts(soft_vault).entries if one["type"] == "app-key"][-1]
    assert kids[0] not in newest["cards"] and len(set(kids)) == 3
    soft_vault.done("card", "remove", first, "--yes", "--card", second)
    soft_vault.done("app", "reseal", "ads")
    assert openers(soft_vault) == [second]
    refused(soft_vault.run("card", "remove", first, "--yes"), 2, "was removed already")
    exchange_again(soft_vault, graph)
    soft_vault.done("audit", "verify")


def test_a_removal_filed_elsewhere(soft_vault, pair):
    """What the store's columns say of an entry hides no removal: all entries are read."""
    first, second = pair
    soft_vault.done("app", "reseal", "ads", "--card", first)
    soft_vault.done("card", "remove", first, "--yes", "--card", second)
    with contextlib.closing(sqlite3.connect(soft_vault.directory / "vault.db")) as store, store:
        store.execute("UPDATE entry SET type = 'notice', subject = 'x' WHERE type = 'removal'")
        store.execute("UPDATE card SET serial = 'x', kid = 'x'")
    soft_vault.done("app", "reseal", "ads", "--card", second)
    assert openers(soft_vault) == [second]


def test_the_last_card_stays(soft_vault, graph):
    """Nothing could be opened any more."""
    card = SoftCard(soft_vault)
    add_app(soft_vault, graph)
    before = Facts(soft_vault).entries
    refused(soft_vault.run("card", "remove", card.serial, "--yes"), 14,
            "no other trusted card is left", "p11vault card enroll")
    assert Facts(soft_vault).entries == before
    refused(soft_vault.run("card", "remove", "nobody", "--yes"), 2, "was never enrolled")
    refused(soft_vault.run("card", "remove", card.serial), 2, "nothing was changed", "--yes")


def test_lost(soft_vault, graph, pair):
    """What it could open is exposed until it is renewed, and so is the app secret."""
    first, second = pair
    soft_vault.done("app", "reseal", "ads", "--card", first)
    soft_vault.done("card", "remove", first, "--lost", "--yes", "--card", second)
    status = soft_vault.done("status")
    assert f"{GRANT}  exposed" in status.out and f"next: p11vault revoke {GRANT}" in status.out
    assert "the secret of 'ads' is exposed" in status.err
    exchange_again(soft_vault, graph)
    assert f"{GRANT}  valid" in soft_vault.done("status").out
    soft_vault.done("app", "set-secret", "ads", stdin="0123456789abcdef0123456789abcdef")
    assert "is exposed" not in soft_vault.done("status").err
    soft_vault.done("audit", "verify")


def test_a_card_of_many_apps(soft_vault, graph, pair):
    """More than one entry can name: all of them are sealed anew, and exposed."""
    first, second = pair
    names = [f"app{number:02}" for number in range(64)]
    soft_vault.done("app", "reseal", "ads", "--card", first)
    for number, name in enumerate(names):
        soft_vault.done("app", "add", name, "--provider", "meta", "--id", str(1000 + number),
                        "--origin", graph.origin, stdin="0123456789abcdef0123456789abcdef")
    said = soft_vault.done("card", "remove", first, "--lost", "--yes", "--card", second).err
    assert said.count("sealed anew without that card") == 65
    removals = [one for one in Facts(soft_vault).entries if one["type"] == "removal"]
    assert [len(one["apps"]) for one in removals] == [64, 1]
    assert sorted(removals[0]["apps"] + removals[1]["apps"]) == sorted(["ads", *names])
    status = soft_vault.done("status").err
    assert all(f"the secret of '{name}' is exposed" in status for name in names)
    refused(soft_vault.run("card", "remove", first, "--yes"), 2, "was removed already")


def test_lost_once(soft_vault, graph, pair):
    """That the card was found and removed again takes nothing back of what is exposed."""
    first, second = pair
    soft_vault.done("app", "reseal", "ads", "--card", first)
    soft_vault.done("card", "remove", first, "--lost", "--yes", "--card", second)
    soft_vault.done("card", "enroll", f"pkcs11:serial={first}")
    soft_vault.done("card", "remove", first, "--yes", "--card", second)
    assert f"{GRANT}  exposed" in soft_vault.done("status").out
    exchange_again(soft_vault, graph)
    assert f"{GRANT}  valid" in soft_vault.done("status").out


# ---- backups ----

def test_backup_and_restore(soft_vault, graph):
    """One file, which an auditor can check, and which is a vault again elsewhere."""
    add_app(soft_vault, graph)
    exchange_again(soft_vault, graph)
    file, other = soft_vault.base / "backup", soft_vault.base / "other"
    soft_vault.done("backup", file)
    assert file.stat().st_mode & 0o777 == 0o600
    here = soft_vault.done("audit", "verify").out
    assert soft_vault.done("audit", "verify", "--trust", soft_vault.trust, file).out == here
    refused(soft_vault.run("backup", file), 14, "is there already")
    refused(soft_vault.run("restore", file), 30, "there is a vault already")
    assert "verified" in soft_vault.done("--vault", other, "restore", file).err
    assert soft_vault.done("--vault", other, "audit", "verify").out == here
    assert soft_vault.done("--vault", other, "status").out == soft_vault.done("status").out


def test_a_backup_that_was_changed(soft_vault, graph):
    """It is looked at before anything is put in place."""
    add_app(soft_vault, graph)
    file, other = soft_vault.base / "backup", soft_vault.base / "other"
    soft_vault.done("backup", file)
    data = file.read_bytes()
    at = data.index(b'"client_id"')
    file.write_bytes(data[:at] + b'"Client_id"' + data[at + 11:])
    refused(soft_vault.run("--vault", other, "restore", file), 30, "restore: ")
    assert not os.path.exists(other / "vault.db")


def test_an_old_backup(soft_vault, graph):
    """Older than what this machine has seen: not taken without a word."""
    add_app(soft_vault, graph)
    file, other = soft_vault.base / "backup", soft_vault.base / "other"
    soft_vault.done("backup", file)
    exchange_again(soft_vault, graph)
    refused(soft_vault.run("--vault", other, "restore", file), 30, "rolled back or replaced")


# ---- another app key, another name ----

def test_rekey(soft_vault, graph):
    """Secret and grants are sealed to another key, and work; the old ciphertexts are gone."""
    add_app(soft_vault, graph)
    exchange_again(soft_vault, graph)
    old = json.loads(soft_vault.done("app", "show", "ads", "--json").out)["key"]
    told = json.loads(soft_vault.done("grant", "show", GRANT, "--json").out)
    assert "2 records sealed anew" in soft_vault.done("app", "rekey", "ads").err
    new = json.loads(soft_vault.done("app", "show", "ads", "--json").out)["key"]
    assert new != old
    now = json.loads(soft_vault.done("grant", "show", GRANT, "--json").out)
    assert {**told, "version": 0, "digest": ""} == {**now, "version": 0, "digest": ""}
    assert now["version"] == told["version"] + 1 and now["digest"] != told["digest"]
    assert Facts(soft_vault).versions == {GRANT: (now["version"], False)}
    exchange_again(soft_vault, graph)
    soft_vault.done("app", "rekey", "ads")
    soft_vault.done("audit", "verify")


def leave_pending(vault, graph):
    """The provider issues and is not there when it is asked what it has issued."""
    graph.misbehave("debug_token", "http_error", which=2, status=500, code=2)
    assert vault.run("exchange", GRANT).code == 10
    graph.tell("clear_misbehaviours")


def test_rekey_waits_for_what_is_pending(soft_vault, graph):
    """A grant that nobody has confirmed yet would be lost."""
    add_app(soft_vault, graph)
    leave_pending(soft_vault, graph)
    refused(soft_vault.run("app", "rekey", "ads"), 14, "waits to be confirmed",
            f"p11vault exchange {GRANT}")
    soft_vault.done("exchange", GRANT)
    soft_vault.done("app", "rekey", "ads")
    soft_vault.done("audit", "verify")


def test_rename(soft_vault, graph):
    """The new name works, the old one is gone, and all that was known is still known."""
    add_app(soft_vault, graph)
    exchange_again(soft_vault, graph)
    told = json.loads(soft_vault.done("grant", "show", GRANT, "--json").out)
    other = "ads/user/alice-2"
    soft_vault.done("grant", "rename", GRANT, other)
    now = json.loads(soft_vault.done("grant", "show", other, "--json").out)
    assert (now["subject"], now["expires"], now["scopes"]) == (
        told["subject"], told["expires"], told["scopes"])
    refused(soft_vault.run("grant", "show", GRANT), 2, f"there is no '{GRANT}'")
    soft_vault.done("inspect", other)
    soft_vault.done("audit", "verify")
    refused(soft_vault.run("grant", "rename", other, "ads/page/1"), 2, "only the label can change")
    refused(soft_vault.run("grant", "rename", other, other), 2, "is its name already")
    soft_vault.done("import", GRANT, stdin="EAAB0123456789")
    refused(soft_vault.run("grant", "rename", other, GRANT), 2, f"there is a '{GRANT}' already")


def test_rename_waits_for_what_is_pending(soft_vault, graph):
    """It would be lost with its name, or be taken for the one that moves here."""
    add_app(soft_vault, graph)
    leave_pending(soft_vault, graph)
    other = "ads/user/alice-2"
    soft_vault.done("import", other, stdin="EAAB0123456789")
    refused(soft_vault.run("grant", "rename", GRANT, "ads/user/new"), 2, "waits to be confirmed",
            f"p11vault exchange {GRANT}")
    soft_vault.done("grant", "forget", GRANT, "--yes")
    soft_vault.done("grant", "rename", other, GRANT)
    soft_vault.done("audit", "verify")
