"""The main job with a Rutoken: everything that people do with a card, through OpenSC and pcscd."""

import json
import re

import pytest

from card import OTHER_SERIAL, PIN, SERIAL
from cards import Facts, refused
from scene import GRANT, LATER

USER = "10153848260347724"
LABEL = "Vault (User PIN)"
ONE_EXCHANGE = {"verify": 1, "sign": 1, "decipher": 1, "logout": 1}
NO_MODULE_CHANGES = {"create", "update", "delete", "change", "generate", "unblock", "erase"}


def exchange(scene, *options, **how):
    """One that can succeed."""
    return scene.exchange(*options, **how)


def exchanged(scene, *options, **how):
    """One that succeeds, and a log that verifies; returns how often the card did what."""
    return scene.cost(*options, only={*ONE_EXCHANGE, *NO_MODULE_CHANGES}, **how)


# ---- listing ----

def test_card_list(formatted):
    """Serial, label and PIN state; nothing of the card is changed, and nobody logs in."""
    result = formatted.vault.done("card", "list")
    assert result.out == (f"opensc  {SERIAL}  {LABEL}  PKCS#15  PIN ok  "
                          "unwraps RSA-OAEP, signs RSA, makes RSA to 2048\n")
    cards = json.loads(formatted.vault.done("card", "list", "--json").out)
    assert cards == [{"module": "opensc", "serial": SERIAL, "label": LABEL, "model": "PKCS#15",
                      "manufacturer": "Aktiv Co.", "pin": "PIN ok",
                      "can": "unwraps RSA-OAEP, signs RSA, makes RSA to 2048"}]
    assert not {"verify", *NO_MODULE_CHANGES} & formatted.house.counts(
        formatted.mark).keys()


def test_card_list_follows_the_readers(formatted):
    """Two cards, one card, none."""
    second = formatted.second_card()
    lines = formatted.vault.done("card", "list").out.splitlines()
    assert [line.split()[1] for line in lines] == [SERIAL, OTHER_SERIAL]
    formatted.card.remove()
    assert formatted.vault.done("card", "list").out.split()[1] == OTHER_SERIAL
    second.remove()
    result = formatted.vault.done("card", "list")
    assert (result.out, result.err) == ("", "no card found\n")


@pytest.mark.parametrize("atr", ["ecp", "ds"])
def test_both_answers_to_reset(formatted, atr):
    """Older cards say "Rutoken ECP", newer ones "Rutoken DS"."""
    image = formatted.card.image
    formatted.house.tell("clear")
    formatted.put(image=image, atr=atr)
    assert formatted.vault.done("card", "list").out.split()[1] == SERIAL


def test_blank_card(formatted):
    """A card that nobody has formatted is none, and is not formatted by us."""
    formatted.house.tell("clear")
    formatted.house.tell("make", serial=SERIAL)
    formatted.house.tell("insert", serial=SERIAL)
    refused(formatted.vault.run("card", "enroll"), 20, "no card found; wanted: any card")
    assert formatted.house.tell("facts", serial=SERIAL)["used"] == 0


# ---- the main job ----

def test_everything_typed(formatted, canaries_found):
    """From a formatted card to a verified log, each PIN, secret and token typed at a terminal."""
    vault, graph = formatted.vault, formatted.graph
    facts = graph.tell("add_app")
    secret = formatted.canaries.add("typed secret", facts["secret"])
    token = formatted.canaries.add("typed token", graph.tell(
        "add_token", app_id=facts["app_id"], user_id=USER)["token"])
    vault.configure(f"[origin {graph.origin}]\nca = {graph.ca}\n")

    def asks(purpose):
        return rf"PIN for {re.escape(LABEL)} {SERIAL} \({purpose}, 1 use\): $", PIN

    steps = [
        (("card", "enroll", "--ask-pin"), [asks("enrol")],
         r"proved RSA-OAEP-256; signing key on the card\ntrusted: SHA256:[0-9a-f]{64}  "),
        (("app", "add", "ads", "--id", facts["app_id"], "--origin", graph.origin, "--ask-pin"),
         [asks("app add ads"), (r"app secret: $", secret)], "hint: one card opens 'ads'"),
        (("import", GRANT), [(r"access token: $", token)], f"next: p11vault exchange {GRANT}"),
        (("exchange", GRANT, "--ask-pin"), [asks(f"exchange {GRANT}")], ""),
        (("audit", "verify"), [], ""),
    ]
    texts = []
    for arguments, typed, said in steps:
        result = vault.done(*arguments, pty=typed)
        assert re.search(said, result.err), result
        texts += [result.out, result.err, result.terminal]
    formatted.canaries.add_issued(graph)
    formatted.pin_file.unlink()
    assert re.search(rf"{GRANT}: user {USER}, expires", texts[9]), texts
    assert not canaries_found([vault.base], texts)


def test_what_an_exchange_costs(ready):
    """One PIN, one signature, one unwrap; nothing is written on the card."""
    assert exchanged(ready) == ONE_EXCHANGE
    assert exchanged(ready, offset=2 * LATER) == ONE_EXCHANGE
    assert ready.card.facts["logged_in"] == 0


def test_slow_card(ready):
    """300 ms an operation: an exchange still asks for two, however many steps it has."""
    ready.house.tell("slow", ms=300)
    assert exchanged(ready) == ONE_EXCHANGE


def test_import_needs_no_card(ready):
    """What is sealed to the app needs its public half alone."""
    ready.card.remove()
    token = ready.graph.tell("add_token", app_id=ready.vault.app_id, user_id=USER)["token"]
    ready.vault.done("import", "ads/user/bob", stdin=token)


def test_doctor(ready):
    """Finds the card and no problem with it."""
    findings = ready.vault.done("doctor").out
    assert f"ok       card       opensc: {LABEL} {SERIAL}: PIN ok" in findings
    assert "ok       module     opensc: " in findings and "problem" not in findings


# ---- keys ----

def test_key_that_is_there(formatted):
    """One made by OpenSC's own tool, named by a URI; it stays the only one that unwraps."""
    formatted.card.generate("42", "mine", "decrypt")
    uri = f"pkcs11:serial={SERIAL};id=%42"
    result = formatted.vault.done("card", "enroll", uri)
    assert "proved RSA-OAEP-256" in result.err
    assert [label.split()[-1] for label in formatted.labels()] == ["mine", "sign"]
    formatted.make_ready()
    assert exchanged(formatted) == ONE_EXCHANGE


def test_key_that_cannot_unwrap(formatted):
    """A key for signatures is refused by name, before anything is made."""
    formatted.card.generate("43", "only signs", "sign")
    before = formatted.labels()
    refused(formatted.vault.run("card", "enroll", f"pkcs11:serial={SERIAL};id=%43"), 14,
            "key id=43 'only signs' may neither decrypt nor unwrap")
    assert formatted.labels() == before


def test_key_that_is_not_there(formatted):
    """The keys that are there are listed."""
    formatted.card.generate("44", "mine", "decrypt")
    refused(formatted.vault.run("card", "enroll", f"pkcs11:serial={SERIAL};id=%45"), 14,
            "no private key fits the URI; keys that are there: rsa2048 id=44 'mine'")


@pytest.mark.parametrize("kind", ["rsa:3072", "rsa:4096", "ec:P-256"])
def test_kinds_that_this_card_cannot_make(formatted, kind):
    """OpenSC 0.23 makes RSA of at most 2048 bits on a Rutoken; the refusal is the card's word."""
    refused(formatted.vault.run("card", "enroll", "--key", kind), 23, "C_GenerateKeyPair failed: ")
    formatted.vault.done("card", "enroll", "--key", "rsa:2048")


@pytest.mark.parametrize("memory", [5000, 9000])
def test_full_card(formatted, memory):
    """Room for no key, and for one but not for the other."""
    image = formatted.card.image
    formatted.house.tell("clear")
    formatted.put(image=image, memory=memory)
    refused(formatted.vault.run("card", "enroll"), 23, "CKR_DEVICE_MEMORY", "the card is full")
    formatted.vault.done("audit", "verify")


# ---- two cards ----

def test_two_cards_at_once(formatted):
    """Which of two is said by the serial; an app is sealed to both, and each opens it alone."""
    second = formatted.second_card()
    refused(formatted.vault.run("card", "enroll"), 20, "more than one card fits", SERIAL,
            OTHER_SERIAL, "p11vault card list")
    for serial in (SERIAL, OTHER_SERIAL):
        formatted.vault.done("card", "enroll", f"pkcs11:serial={serial}")
    formatted.make_ready()
    refused(exchange(formatted), 20, "more than one card fits", SERIAL, OTHER_SERIAL,
            "--card SERIAL")
    assert exchanged(formatted, "--card", OTHER_SERIAL) == ONE_EXCHANGE
    second.remove()
    assert exchanged(formatted, offset=2 * LATER) == ONE_EXCHANGE
    formatted.card.remove()
    second.insert()
    assert exchanged(formatted, offset=3 * LATER) == ONE_EXCHANGE


def test_foreign_card(ready):
    """A card that this vault does not know opens nothing and is not even logged in to."""
    ready.card.remove()
    ready.second_card()
    mark = ready.house.tell("mark")["mark"]
    refused(exchange(ready), 20, f"no card fits serial '{SERIAL}'",
            f"found: '{LABEL}' (serial {OTHER_SERIAL})")
    assert "verify" not in ready.house.counts(mark)
    ready.card.insert(0)
    assert exchanged(ready) == ONE_EXCHANGE


def test_the_same_card_in_another_reader(ready):
    """It is known by its serial, not by its slot."""
    ready.card.remove()
    ready.card.insert(1)
    assert exchanged(ready) == ONE_EXCHANGE


def test_what_the_log_says(ready):
    """The card's serial stands in the outcome of each use of it."""
    exchanged(ready)
    assert Facts(ready.vault).outcome["result"] == "done"
