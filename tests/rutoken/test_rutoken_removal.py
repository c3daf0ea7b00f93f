"""A card that is taken out at the wrong moment, a reader that fails, others that use the card."""

import re

import pytest

from card import MODULE, OPENSC_CONF, PIN, SERIAL
from cards import grant_untouched, refused
from scene import GRANT, LATER
from test_rutoken import LABEL, ONE_EXCHANGE, exchange, exchanged
from test_rutoken_pin import PROMPT, TRIES

PUT_BACK = "run the command again"  # and before it how, by what OpenSC says: it has several words

# Where it happens, whether the command or only its answer is lost, and what is said then.
MOMENTS = {
    "scanning": ("select", "before", 20, ["no card found", "put the card in"]),
    "login": ("verify", "before", 23, ["C_Login failed: ", "is in its reader"]),
    "login, answer lost": ("verify", "unanswered", 23, ["C_Login failed: ", "is in its reader"]),
    "after login": ("verify", "after", 23, ["read the head of the log on the card: ", PUT_BACK]),
    "sign": ("sign", "before", 23, ["sign the log: ", "C_Sign failed: ", PUT_BACK]),
    "sign, answer lost": ("sign", "unanswered", 23, ["sign the log: ", PUT_BACK]),
    "after sign": ("sign", "after", 23, ["unwrap the key of app 'ads': ", PUT_BACK]),
    "decrypt": ("decipher", "before", 23,
                ["unwrap the key of app 'ads': ", "C_Decrypt failed: ", PUT_BACK]),
    "decrypt, answer lost": ("decipher", "unanswered", 23,
                             ["unwrap the key of app 'ads': ", PUT_BACK]),
}


@pytest.mark.parametrize("at, when, code, words", MOMENTS.values(), ids=MOMENTS)
def test_taken_out(ready, at, when, code, words):
    """No key is handed, nothing is lost, one PIN try at most; with the card back it works at once."""
    if at == "verify":  # a try that broke off is repeated only of a PIN that was accepted before
        ready.vault.done("audit", "checkpoint")
    mark = ready.house.tell("mark")["mark"]
    ready.house.tell("remove_at", at=at, when=when)
    with grant_untouched(ready.vault):
        refused(exchange(ready), code, *words)
        assert ready.house.counts(mark).get("verify", 0) <= 1
        assert ready.card.facts == {**ready.card.facts, "user": TRIES, "logged_in": 0}
    assert not ready.graph.requests("exchange")[ready.requests:]
    ready.card.insert()
    assert exchanged(ready) == ONE_EXCHANGE


@pytest.mark.parametrize("at, when", [("decipher", "after"), ("logout", "before")])
def test_taken_out_when_its_work_is_done(ready, at, when):
    """From the unwrapping on the card is not needed: the exchange is completed."""
    ready.house.tell("remove_at", at=at, when=when)
    assert exchange(ready).code == 0
    ready.vault.done("audit", "verify")


@pytest.mark.parametrize("at", ["create", "update", "delete"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_taken_out_while_the_head_is_written(ready, at, when):
    """The signature is made by then and counts; the next checkpoint leaves one head on the card, not two.

    But for one moment: of an object whose file is gone and whose entry is not, OpenSC 0.23 can make nothing.
    """
    ready.house.tell("remove_at", at=at, when=when)
    result = ready.vault.done("audit", "checkpoint")
    assert "it could not be renewed" in result.err
    ready.vault.done("audit", "verify")
    ready.card.insert()
    assert exchanged(ready) == ONE_EXCHANGE
    for _ in range(2):
        assert not ready.vault.done("audit", "checkpoint").said
    if (at, when) == ("delete", "after"):
        return
    text = ready.house.tool("pkcs11-tool", "--module", MODULE, "--login", "--pin", PIN, "--list-objects", "--type", "data")
    assert text.count(" head'") == 1, text


def test_taken_out_while_the_pin_is_typed(ready):
    """The PIN is not sent anywhere."""
    mark = ready.house.tell("mark")["mark"]

    def take_out():
        ready.card.remove()
        return PIN
    with grant_untouched(ready.vault):
        refused(exchange(ready, "--ask-pin", pty=[(PROMPT, take_out)]), 23,
                "C_Login failed: CKR_DEVICE_REMOVED", "put the card back", PUT_BACK)
    assert "verify" not in ready.house.counts(mark)
    ready.card.insert()
    assert exchanged(ready) == ONE_EXCHANGE


def test_put_back_while_the_pin_is_typed(ready):
    """Taken out and put back before the PIN is there: the session is gone, and that is said; never a second try."""
    mark = ready.house.tell("mark")["mark"]

    def swap():
        ready.card.remove()
        ready.card.insert()
        return PIN
    refused(exchange(ready, "--ask-pin", pty=[(PROMPT, swap)]), 23,
            "C_Login failed: CKR_DEVICE_REMOVED", PUT_BACK)
    assert "verify" not in ready.house.counts(mark)
    assert exchanged(ready, offset=2 * LATER) == ONE_EXCHANGE


def test_swapped_while_the_pin_is_typed(ready):
    """The PIN of one card never reaches another that was put into its reader."""
    second = ready.second_card()
    second.remove()

    def swap():
        ready.card.remove()
        second.insert(0)
        return PIN
    with grant_untouched(ready.vault):
        refused(exchange(ready, "--ask-pin", pty=[(PROMPT, swap)]), 23,
                "C_Login failed: CKR_DEVICE_REMOVED", PUT_BACK)
    assert second.facts["user"] == TRIES and second.facts["logged_in"] == 0


def enrolling_ends(scene, at, when):
    """The vault trusts nothing half made; the card is put back afterwards."""
    scene.house.tell("remove_at", at=at, when=when)
    result = scene.vault.run("card", "enroll")
    refused(result, 20 if at == "select" else 23, "put the card in" if at == "select" else PUT_BACK)
    assert "trusted:" not in result.err, result
    assert not scene.vault.trust.exists() or not scene.vault.trust.read_text()
    scene.vault.done("audit", "verify")
    scene.card.insert()


@pytest.mark.parametrize("at, when", [("select", "before"), ("verify", "after"),
                                      ("create", "before"), ("decipher", "unanswered"),
                                      ("sign", "before")])
def test_taken_out_while_enrolling(formatted, at, when):
    """Enrolling again completes it, with the keys that were made already."""
    enrolling_ends(formatted, at, when)
    formatted.vault.done("card", "enroll")
    assert [label.split()[-1] for label in formatted.labels()] == ["unwrap", "sign"]
    formatted.make_ready()
    assert exchanged(formatted) == ONE_EXCHANGE


@pytest.mark.parametrize("at, when", [("generate", "before"), ("generate", "unanswered"),
                                      ("update", "unanswered")])
def test_taken_out_while_a_key_is_made(formatted, at, when):
    """OpenSC then finds no way past the half of a key until it is deleted, as docs/rutoken.md says."""
    enrolling_ends(formatted, at, when)
    refused(formatted.vault.run("card", "enroll"), 23, "C_GenerateKeyPair failed: ", PUT_BACK)
    formatted.house.tool("/usr/bin/opensc-explorer", typed=f"""\
cd 1000
cd 1000
cd 6002
verify CHV2 "{PIN}"
delete 0001
cd ..
cd 6001
delete 0001
""")
    formatted.vault.done("card", "enroll")
    formatted.make_ready()
    assert exchanged(formatted) == ONE_EXCHANGE


# ---- a card or a reader that hangs ----

def test_card_that_hangs(ready):
    """The deadline ends the room; pcscd resets the card then, so that nobody stays logged in."""
    before = ready.vault.config.read_text()
    ready.vault.config.write_text(before.replace("deadline = 30", "deadline = 5"))
    ready.house.tell("hold", at="decipher")
    with grant_untouched(ready.vault):
        refused(exchange(ready), 23, "did not answer in time")
    ready.house.tell("release")
    ready.house.wait("decipher")
    ready.house.wait("reset")
    assert ready.card.facts["logged_in"] == 0
    ready.vault.config.write_text(before)
    assert exchanged(ready) == ONE_EXCHANGE


def test_taken_out_while_it_hangs(ready):
    """Pulling a card that works for too long ends the waiting at once."""
    ready.house.tell("hold", at="decipher")
    started = ready.vault.start("exchange", GRANT)
    ready.house.wait("held")
    ready.card.remove()
    refused(started.finish(), 23, "unwrap the key of app 'ads': ", PUT_BACK)
    ready.card.insert()
    assert exchanged(ready) == ONE_EXCHANGE


NO_PCSCD = ("no card found: pcscd, the service that has the readers, is not running",
            "systemctl start pcscd.socket")


def test_pcscd_ends(ready):
    """In the middle of a use, and for the next one; it works again when pcscd does."""
    ready.house.tell("hold", at="sign")
    started = ready.vault.start("exchange", GRANT)
    ready.house.wait("held")
    ready.house.tell("stop_pcscd")
    with grant_untouched(ready.vault):
        refused(started.finish(), 23, "sign the log: ", PUT_BACK)
        refused(exchange(ready), 20, *NO_PCSCD)
    refused(ready.vault.run("card", "list"), 20, *NO_PCSCD)
    ready.house.tell("start_pcscd")
    assert exchanged(ready) == ONE_EXCHANGE


# ---- others at the card ----

# Deciphers zeros with the key of reference 1, the unwrapping one, without any login of its own.
USE_THE_KEY = ["/usr/bin/opensc-tool"] + [part for apdu in (
    "00:22:41:B8:03:84:01:01", "10:2A:80:86:FF:" + ":".join(["00"] * 255), "00:2A:80:86:01:00:00")
    for part in ("--send-apdu", apdu)]
WORKED, REFUSED = "SW1=0x90, SW2=0x00", "SW1=0x69, SW2=0x82"


def test_others_log_out(ready):
    """Another program's login and logout before our signature does not stop the use."""
    started = ready.logged_in()
    ready.house.tool("/usr/bin/pkcs11-tool", "--module", MODULE, "--login", "--pin", PIN,
                     "--list-objects")
    ready.completed(started)


def test_others_use_the_card_meanwhile(ready):
    """What docs/rutoken.md warns of: the card knows one login, and not whose it is."""
    assert ready.house.tool(*USE_THE_KEY).count(REFUSED) == 1
    started = ready.logged_in()
    assert ready.house.tool(*USE_THE_KEY).count(WORKED) == 3
    ready.completed(started)
    assert ready.house.tool(*USE_THE_KEY).count(REFUSED) == 1


def test_others_are_locked_out(ready):
    """With conf/opensc.conf, as docs/rutoken.md advises, they wait until p11vault has logged out."""
    ready.vault.config.write_text(ready.vault.config.read_text().replace(
        "deadline = 30\n", f"deadline = 30\nenv.OPENSC_CONF = {OPENSC_CONF}\n"))
    started = ready.logged_in()
    mark = ready.house.tell("mark")["mark"]
    ready.house.tool("/usr/bin/timeout", "2", *USE_THE_KEY, fails=True)
    assert "decipher" not in ready.house.counts(mark)
    ready.completed(started)
    assert ready.house.tool(*USE_THE_KEY).count(REFUSED) == 1


def test_killed_while_logged_in(ready):
    """A room that is gone leaves nobody logged in: pcscd resets the card."""
    ready.house.tell("hold", at="sign")
    started = ready.vault.start("exchange", GRANT)
    ready.house.wait("held")
    started.send_signal(9)
    started.finish()
    ready.house.tell("release")
    ready.house.wait("reset")
    assert ready.card.facts["logged_in"] == 0
    assert exchanged(ready) == ONE_EXCHANGE


def test_label_of_the_card_in_errors(ready):
    """Which card it was is said: label and serial."""
    ready.house.tell("remove_at", at="sign")
    result = exchange(ready)
    assert re.search(rf"card '{re.escape(LABEL)} {SERIAL}': ", result.err), result
