"""The main job with a PIV card: two keys that its owner has made, through OpenSC and through ykcs11."""

import json
import re

import pytest

from cards import Facts, refused
from pivcard import OTHER_SERIAL, PIN, SERIAL, serial_of
from pivscene import P256, key
from scene import LATER

USER = "10153848260347724"
SERIALS = {"opensc": serial_of(SERIAL), "ykcs11": SERIAL}
LABELS = {"opensc": "slot 9a", "ykcs11": "YubiKey PIV #12345678"}
WORK = ("verify", "use 9a", "use 9c", "use 9d")
ONE_EXCHANGE = {"verify": 2, "use 9c": 1, "use 9d": 1}
NAME_9C = "name one of them: --sign 'pkcs11:id=%02'"


def exchanged(scene, *options, **how):
    """One that succeeds, and a log that verifies; returns how often the card did what."""
    return scene.cost(*options, only=WORK, **how)


# ---- listing ----

def test_card_list(blank_each, module):
    """Each module calls the same card by another serial.  Nobody logs in."""
    [card] = json.loads(blank_each.vault.done("card", "list", "--json").out)
    assert (card["serial"], card["label"], card["pin"]) == (SERIALS[module], LABELS[module], "PIN ok")
    assert card["can"].startswith("unwraps ECDH RSA-OAEP, signs ECDSA RSA")
    assert "verify" not in blank_each.house.counts(blank_each.mark)


def test_doctor(ready_each, module):
    """No problem with it; of OpenSC also that its configuration keeps others off the card."""
    findings = ready_each.vault.done("doctor").out
    assert f"ok       card       {module}: {LABELS[module]} {SERIALS[module]}: PIN ok" in findings
    assert "problem" not in findings
    assert ("keeps other programs off the card" in findings) == (module == "opensc")


# ---- the main job ----

def test_everything_typed(blank_each, module, canaries_found):
    """From a card with keys to a verified log, each PIN, secret and token typed at a terminal."""
    vault, graph = blank_each.vault, blank_each.graph
    facts = graph.tell("add_app")
    secret = blank_each.canaries.add("typed secret", facts["secret"])
    token = blank_each.canaries.add("typed token", graph.tell(
        "add_token", app_id=facts["app_id"], user_id=USER)["token"])
    vault.configure(f"[origin {graph.origin}]\nca = {graph.ca}\n")
    blank_each.pin_file.unlink()

    def asks(purpose):
        return rf"PIN for {re.escape(LABELS[module])} {SERIALS[module]} \({purpose}, 1 use\): $", PIN

    results = [
        vault.done("card", "enroll", key("9d"), "--sign", key("9c"), "--ask-pin",
                   pty=[asks("enrol")]),
        vault.done("app", "add", "ads", "--id", facts["app_id"], "--origin", graph.origin, "--ask-pin",
                   pty=[asks("app add ads"), (r"app secret: $", secret)]),
        vault.done("import", "ads/user/alice", pty=[(r"access token: $", token)]),
        vault.done("exchange", "ads/user/alice", "--ask-pin", pty=[asks("exchange ads/user/alice")]),
        vault.done("audit", "verify")]
    blank_each.canaries.add_issued(graph)
    assert "proved ECDH-ES+A256KW; signing key on the card\ntrusted: SHA256:" in results[0].err
    assert not canaries_found([vault.base], [text for result in results
                                             for text in (result.out, result.err, result.terminal)])


def test_what_an_exchange_costs(ready_each):
    """One signature and one agreement; the PIN once for the login and once more for slot 9c."""
    assert exchanged(ready_each) == ONE_EXCHANGE
    assert ready_each.card.facts == {"user": 3, "puk": 3, "logged_in": 0}


@pytest.mark.parametrize("name, keys, slots, alg", [
    ("opensc", {"9d": "p384", "9c": "p384"}, ("9d", "9c"), "ECDH-ES+A256KW"),
    ("opensc", {"9d": "rsa2048", "9a": "rsa2048"}, ("9d", "9a"), "RSA-OAEP-256"),
    ("opensc", {"9d": "p256", "9c": "rsa2048"}, ("9d", "9c"), "ECDH-ES+A256KW"),
    ("ykcs11", {"9d": "rsa2048", "9c": "rsa2048"}, ("9d", "9c"), "RSA-OAEP-256"),
    ("ykcs11", {"9d": "p384", "9a": "p256"}, ("9d", "9a"), "ECDH-ES+A256KW"),
])
def test_kinds_of_keys(whole_scene, name, keys, slots, alg):
    """RSA and both curves, in each slot; slot 9a asks for the PIN once."""
    scene = whole_scene.use(f"blank {name}")
    scene.put_anew(keys=keys)
    assert f"proved {alg};" in scene.enroll(*slots).err
    scene.make_ready()
    signs = slots[1]
    assert exchanged(scene) == {"verify": 2 if signs == "9c" else 1, f"use {signs}": 1, "use 9d": 1}
    scene.check()


def test_both_keys_are_bound(ready):
    """The entry of the card names both, and the trust file the one that signs."""
    [card] = [entry for entry in Facts(ready.vault).entries if entry["type"] == "card"]
    assert card["jwk"]["crv"] == "P-256" and card["alg"] == "ECDH-ES+A256KW"
    assert card["sign"] in ready.vault.trust.read_text().splitlines()
    ready.put_anew(keys=P256)
    refused(ready.exchange(), 14, "no signing key that the trust file knows")


# ---- which keys ----

def test_no_signing_key_named(blank_each):
    """Such a card makes no key for us: the keys that would do are listed, and the command is said."""
    refused(blank_each.vault.run("card", "enroll", key("9d")), 14 if blank_each.is_opensc else 23,
            "keys on it that can sign: P-256 id=01 ", "P-256 id=02 ", NAME_9C)
    assert not blank_each.vault.trust.exists()


def test_no_key_named(blank):
    """The same for the key that unwraps."""
    refused(blank.vault.run("card", "enroll"), 14,
            "it can make neither an EC nor an RSA key for unwrapping",
            "keys on it that can unwrap: P-256 id=03 'KEY MAN key'", "id=%03' --sign")


def test_one_key_for_both(blank_each):
    """What is signed must not be what unwraps."""
    refused(blank_each.vault.run("card", "enroll", key("9d"), "--sign", key("9d")),
            14 if blank_each.is_opensc else 2, NAME_9C)
    assert not blank_each.vault.trust.exists()


@pytest.mark.parametrize("sign, words", [
    (key("9e"), "works without a PIN, for whoever holds the card"),
    ("pkcs11:id=%09", "--sign: card '"),
], ids=["9e", "none"])
def test_keys_that_cannot_sign_for_us(blank_each, sign, words):
    """Slot 9e signs for everybody; one that is not there cannot."""
    refused(blank_each.vault.run("card", "enroll", key("9d"), "--sign", sign), 14, words, NAME_9C)
    assert not blank_each.vault.trust.exists()


def test_a_key_that_may_not_sign(blank):
    """OpenSC goes by the slot: 9d does not sign."""
    blank.put_anew(keys={"9a": "p256", "9d": "p384", "9c": "p256"})
    refused(blank.vault.run("card", "enroll", key("9d"), "--sign", key("9d")), 14, "may not sign")


@pytest.mark.parametrize("sign, words", [
    ("pkcs11:serial=00112233;id=%02", "--sign names a key that is not on card '"),
    (f"pkcs11:serial={serial_of(SERIAL)}", "--sign names no key"),
    ("id=%02", "--sign: PKCS#11 URI does not begin with 'pkcs11:'"),
])
def test_uris_that_are_wrong(blank, sign, words):
    """Usage errors; the last two before anybody is asked for a PIN."""
    refused(blank.vault.run("card", "enroll", key("9d"), "--sign", sign), 2, words)
    assert ("verify" in blank.house.counts(blank.mark)) == ("not on card" in words)


def test_a_slot_that_everybody_may_use(blank_each):
    """Nothing is sealed to a key that unwraps without a PIN."""
    refused(blank_each.vault.run("card", "enroll", key("9e"), "--sign", key("9c")), 14,
            "may not derive" if blank_each.is_opensc else "works without a PIN")


def test_a_certificate_that_denies_it(blank):
    """OpenSC goes by the certificate's keyUsage; the words say where to look."""
    blank.put_anew(keys=P256, usages={"9d": ["digital_signature"]})
    refused(blank.vault.run("card", "enroll", key("9d"), "--sign", key("9c")), 14,
            "key id=03 'KEY MAN key' may not derive, so it cannot unwrap",
            "with a certificate whose keyUsage does not deny it: docs/yubikey.md")


# ---- which card ----

def test_a_card_without_identity(blank):
    """OpenSC calls all of these 00000000: refused before the PIN, told by doctor, and mended as the hint says."""
    blank.put_anew(keys=P256, identity=False)
    refused(blank.vault.run("card", "enroll", key("9d"), "--sign", key("9c")), 14,
            "has no serial number of its own but '00000000', so it cannot be told from another",
            "yubico-piv-tool -a set-chuid")
    assert "verify" not in blank.house.counts(blank.mark)
    assert "slot 9a: cannot be enrolled: it has no serial number of its own" in \
        blank.vault.done("doctor").out
    blank.card.tool("-a", "set-chuid")
    blank.enroll("9d", "9c")


def test_two_cards(ready):
    """Which of two is said by the serial, beside the key; each opens the app alone, until it is removed with both keys."""
    second, serial = ready.second_card(), serial_of(OTHER_SERIAL)
    refused(ready.vault.run("card", "enroll", key("9d"), "--sign", key("9c")), 20,
            "more than one card fits")
    ready.vault.done("card", "enroll", f"pkcs11:serial={serial};id=%03", "--sign", key("9c"))
    second.remove()
    ready.vault.done("app", "reseal", "ads")
    ready.card.remove()
    second.insert()
    assert exchanged(ready) == ONE_EXCHANGE
    ready.vault.done("card", "remove", SERIALS["opensc"], "--yes")
    assert [" until " in line for line in ready.vault.trust.read_text().splitlines()
            if line.startswith("p11vault/")] == [True, False]
    second.remove()
    ready.card.insert()
    refused(ready.exchange(offset=2 * LATER), 20, "no card fits")


def test_exported(ready):
    """Both keys of a card that is elsewhere are enrolled by its word, and it opens the app then."""
    ready.card.remove()
    second = ready.second_card()
    told = ready.vault.done("card", "export", key("9d"), "--sign", key("9c"))
    file = ready.vault.write("given/export", told.out)
    second.remove()
    ready.card.insert()
    ready.vault.done("card", "enroll", "--from", file, "--yes")
    ready.vault.done("app", "reseal", "ads")
    ready.card.remove()
    second.insert(0)
    assert exchanged(ready) == ONE_EXCHANGE
    assert OTHER_SERIAL not in told.out


def test_an_export_takes_no_sign(ready):
    """The file says which keys."""
    refused(ready.vault.run("card", "enroll", "--from", "x", "--sign", key("9c")), 2,
            "--from takes no URI, --key or --sign: its file names the card")
