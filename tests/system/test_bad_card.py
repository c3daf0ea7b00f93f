"""Wrong PINs and wrong cards: one try at most, words that help, and the grant stays as it was."""

import pytest

from cards import GRANT, WRONG_PIN, Facts, SoftCard, grant_untouched, refused, untouched
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

AT_TERMINAL = (GRANT, "--ask-pin")
PROMPT = r"PIN for vault [0-9a-f]{16} \(exchange ads/user/alice, 1 use\): $"


@pytest.fixture
def card(ready_vault):
    """The card of a vault that is ready for an exchange."""
    return SoftCard(ready_vault)


# ---- PINs ----

def test_wrong_pin_from_a_file(ready_vault, card):
    """One try, then none until a person at a terminal has logged in with the right one."""
    spy, right = card.spy(), card.pin.read_text()
    card.pin.write_text(WRONG_PIN)
    with grant_untouched(ready_vault):
        refused(ready_vault.run("exchange", GRANT), 21, "PIN is wrong",
                "the card warns that tries are running low", f"correct {card.pin}", "--ask-pin")
        assert spy.logins == 1
    for pin in (WRONG_PIN, right):  # even the right one: nobody is there to see it fail
        card.pin.write_text(pin)
        with grant_untouched(ready_vault):
            refused(ready_vault.run("exchange", GRANT), 22, "a wrong PIN was given before",
                    "the PIN from pin-source is not tried", "hint: run the same command at a terminal with --ask-pin")
    assert spy.logins == 1
    ready_vault.done("exchange", *AT_TERMINAL, pty=[(PROMPT, right)])
    ready_vault.done("card", "enroll")
    assert spy.logins == 3


def test_wrong_pin_at_the_terminal(ready_vault, card):
    """Asked once, tried once; a person may try again, and each time it is one try."""
    spy = card.spy()
    for attempt in (1, 2):
        with grant_untouched(ready_vault):
            result = ready_vault.run("exchange", *AT_TERMINAL, pty=[(PROMPT, WRONG_PIN)])
            refused(result, 21, f"card 'vault {card.serial}': PIN is wrong", "tries")
            assert WRONG_PIN not in result.terminal + result.err
        assert spy.logins == attempt
        assert result.terminal.count("PIN for") == 1
    assert Facts(ready_vault).outcome["code"] == "pin-wrong"


@pytest.mark.parametrize("typed, code, words", [
    ("", 2, "nothing was typed"),
    ("123", 21, "PIN is shorter than the card allows; no try was spent"),
    ("1" * 300, 2, "longer than 255 bytes"),
    (b"12\x01345678\n", 2, "holds a control character"),
])
def test_pins_that_cannot_be_right(ready_vault, card, typed, code, words):
    """The card is not even asked."""
    spy = card.spy()
    with grant_untouched(ready_vault):
        refused(ready_vault.run("exchange", *AT_TERMINAL, pty=[(PROMPT, typed)]), code, words)
    assert spy.logins == 0


def test_no_terminal(ready_vault, card):
    """Where a PIN must be typed and nobody can."""
    spy = card.spy()
    with grant_untouched(ready_vault):
        refused(ready_vault.run("exchange", *AT_TERMINAL), 14, "there is no terminal to ask at")
    assert spy.logins == 0


def remove_pin(file):
    """No file at all."""
    file.unlink()


def open_pin(file):
    """One that others may read."""
    file.chmod(0o640)


def empty_pin(file):
    """Nothing in it."""
    file.write_text("\n")


def link_pin(file):
    """A directory in its place."""
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("spoil, words", [
    (remove_pin, "No such file"), (open_pin, "open to others (mode 0640)"),
    (empty_pin, "it is empty"), (link_pin, "is not a regular file"),
])
def test_pin_files(ready_vault, card, spoil, words):
    """That cannot be used are named, with the command where there is one."""
    spy = card.spy()
    spoil(card.pin)
    with grant_untouched(ready_vault):
        result = ready_vault.run("exchange", GRANT)
        refused(result, 14, words, card.pin)
        if spoil is open_pin:
            refused(result, 14, f"hint: chmod 600 {card.pin}")
    assert spy.logins == 0


# ---- cards ----

def test_no_card(ready_vault, card):
    """What was looked for and what is there."""
    serial = card.serial
    card.take_out()
    with grant_untouched(ready_vault):
        refused(ready_vault.run("exchange", GRANT), 20,
                f"no card found; wanted: serial '{serial}'", "p11vault card list")
    listed = ready_vault.run("card", "list")
    assert (listed.code, listed.out) == (0, "") and "no card found" in listed.err


@pytest.mark.parametrize("uri, words", [
    ("pkcs11:serial=00ff", "no card fits serial '00ff'; found: 'vault' (serial "),
    ("pkcs11:token=other;model=X", "no card fits token 'other' model 'X'; found: 'vault'"),
])
def test_another_card(soft_vault, uri, words):
    """The card that is in the reader is named, and not asked for anything."""
    spy = SoftCard(soft_vault).spy()
    refused(soft_vault.run("card", "enroll", uri), 20, words, "p11vault card list")
    assert spy.logins == 0


def test_another_card_than_the_apps(ready_vault, card):
    """A card that nobody has enrolled opens nothing, even with the right PIN."""
    spy = card.spy()
    other = card.add_second()
    with grant_untouched(ready_vault):
        refused(ready_vault.run("exchange", GRANT, "--card", other), 20,
                f"card '{other}' is not a trusted card that opens this",
                "p11vault app show", "p11vault card enroll")
    assert spy.logins == 0


def test_two_cards(soft_vault):
    """Neither is chosen for the person."""
    card = SoftCard(soft_vault)
    serials = {card.serial, card.add_second()}
    spy = card.spy()
    refused(soft_vault.run("card", "enroll"), 20, "more than one card fits any card",
            *serials, "'pkcs11:serial=SERIAL'", "p11vault card list")
    assert spy.logins == 0
    assert soft_vault.done("app", "list").out == ""


def test_no_such_key(soft_vault):
    """The keys that are there, and how to have one made."""
    serial = SoftCard(soft_vault).serial
    refused(soft_vault.run("card", "enroll", "pkcs11:id=%07"), 14, "no private key fits the URI",
            "P-256 id=", "unwrap'", "sign'", f"p11vault card enroll pkcs11:serial={serial}")


@pytest.mark.parametrize("usage, kind, words", [
    ("--extractable", "rsa:2048", "can leave the card, so nothing is sealed to it"),
    ("--usage-sign", "EC:prime256v1", "may not derive, so it cannot unwrap"),
    ("--usage-sign", "EC:secp384r1", "may not derive, so it cannot unwrap"),
    ("--usage-sign", "EC:secp521r1", "no private key fits the URI"),
])
def test_unsuitable_keys(soft_vault, usage, kind, words):
    """Nothing is sealed to a key that could not open it."""
    SoftCard(soft_vault).tool("--keypairgen", "--key-type", kind, usage, "--id", "07",
                              "--label", "mine")
    before = Facts(soft_vault)
    refused(soft_vault.run("card", "enroll", "pkcs11:id=%07"), 14, words)
    after = Facts(soft_vault)
    assert after.outcome["result"] == "failed"
    assert len(after.entries) == len(before.entries) + 2  # the intent, and that it failed


@pytest.mark.parametrize("purpose, code, words, hint", [
    ("unwrap", 20, "holds no key that opens app 'ads'", "p11vault app show ads"),
    ("sign", 14, "has no signing key that the trust file knows for this vault",
     "p11vault card enroll 'pkcs11:serial="),
])
def test_a_key_that_is_gone(ready_vault, card, purpose, code, words, hint):
    """Somebody has cleaned up the card."""
    keys = card.tool("--list-objects", "--type", "privkey").splitlines()
    label = next(line.split(None, 1)[1] for line in keys if line.rstrip().endswith(purpose))
    card.tool("--delete-object", "--type", "privkey", "--label", label.strip())
    with grant_untouched(ready_vault):
        refused(ready_vault.run("exchange", GRANT), code, words, hint)


# ---- modules ----

@pytest.mark.parametrize("make, words", [
    (lambda path: None, "No such file"),
    (lambda path: path.write_text("no module"), "load PKCS#11 module"),
    (lambda path: (path.write_text(""), path.chmod(0o666)), "can be written by others (mode 0666)"),
])
def test_modules(ready_vault, card, make, words):
    """That are not there, are none, or are anybody's."""
    path = ready_vault.base / "module.so"
    make(path)
    card.change("path", path)
    with grant_untouched(ready_vault):
        refused(ready_vault.run("exchange", GRANT), 14, words, path)


def test_module_names(ready_vault):
    """A module that the configuration does not have, and none at all."""
    with untouched(ready_vault):
        refused(ready_vault.run("exchange", GRANT, "--module", "other"), 14,
                "no module 'other' is configured; there are: soft", "[module other]")
    ready_vault.config.write_text("")
    refused(ready_vault.run("exchange", GRANT), 14, "no PKCS#11 module is configured",
            f"add to {ready_vault.config}")


def test_a_pin_in_a_uri_is_refused_before_it_is_logged(soft_vault, leaks, canaries):
    """The URI of an enrolment stands in the log, so it must be looked at first."""
    pin = canaries.add("PIN", "8086421357")
    with untouched(soft_vault):
        refused(soft_vault.run("card", "enroll", f"pkcs11:?pin-value={pin}"), 2,
                "'pin-value' is not taken from a URI")
    assert leaks([soft_vault.base]) == []
