"""Keys that were on the card before: of each kind, and with each wish of their own."""

import pytest

from cards import Facts, SoftCard, exchange_again, refused
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_soft_vault)
from vaulttool import Vault


@pytest.fixture(name="blank")
def _blank(programs, processes):
    """A vault with a SoftHSM card on which nothing is yet."""
    made = Vault(programs, processes)
    made.done("init", "--soft")
    yield made
    made.remove()


def make_key(vault, *options):
    """Key 07, as somebody else's tool makes it."""
    SoftCard(vault).tool("--keypairgen", *options, "--id", "07", "--label", "mine")


def enrol_and_exchange(vault, graph, canaries):
    """All that a card is for; what the enrolment says."""
    said = vault.done("card", "enroll", "pkcs11:id=%07").err
    vault.make_ready(graph, canaries.app_secret)
    exchange_again(vault, graph)
    return said


@pytest.mark.parametrize("kind, usage, proved", [
    ("EC:prime256v1", "--usage-derive", "ECDH-ES+A256KW"),
    ("EC:secp384r1", "--usage-derive", "ECDH-ES+A256KW"),
    ("rsa:2048", "--usage-decrypt", "RSA-OAEP"),
    ("rsa:2048", "--usage-wrap", "RSA-OAEP"),  # CKA_UNWRAP and no CKA_DECRYPT
])
def test_kinds(blank, graph, canaries, kind, usage, proved):
    """Each opens what is sealed to it."""
    make_key(blank, "--key-type", kind, usage)
    assert f"proved {proved};" in enrol_and_exchange(blank, graph, canaries)


def test_a_key_that_asks_each_time(blank, graph, canaries):
    """One entry: a login, and once more the same PIN for the one decryption."""
    make_key(blank, "--key-type", "rsa:2048", "--usage-decrypt", "--always-auth")
    enrol_and_exchange(blank, graph, canaries)
    spy = SoftCard(blank).spy()
    exchange_again(blank, graph)
    assert (spy.logins, spy.calls("C_Decrypt"), spy.calls("C_Sign")) == (2, 1, 1)
    exchange_again(blank, graph, "--ask-pin", pty=[(r"1 use\): $", SoftCard(blank).pin.read_text())])
    assert spy.logins == 4


def test_a_signing_key_that_is_named(blank, graph, canaries):
    """Both keys are there: none is made, and the log is signed by the one that `--sign` names."""
    make_key(blank, "--key-type", "EC:secp384r1", "--usage-derive")
    SoftCard(blank).tool("--keypairgen", "--key-type", "EC:prime256v1", "--usage-sign", "--id", "08", "--label", "log")
    spy = SoftCard(blank).spy()
    blank.done("card", "enroll", "pkcs11:id=%07", "--sign", "pkcs11:object=log")
    assert spy.calls("C_GenerateKeyPair") == 0
    blank.make_ready(graph, canaries.app_secret)
    exchange_again(blank, graph)


@pytest.mark.parametrize("options, sign, words", [
    (("--usage-sign", "--extractable"), "pkcs11:id=%08", "can leave the card"),
    (("--usage-sign",), "pkcs11:id=%09", "no private key fits the URI"),
])
def test_signing_keys_that_will_not_do(blank, options, sign, words):
    """Each is refused with what would do; the trust file is not even made."""
    make_key(blank, "--key-type", "EC:prime256v1", "--usage-derive")
    SoftCard(blank).tool("--keypairgen", "--key-type", "EC:prime256v1", *options, "--id", "08", "--label", "log")
    refused(blank.run("card", "enroll", "pkcs11:id=%07", "--sign", sign), 14, "--sign: card '", words,
            "keys on it that can sign: ")
    assert not blank.trust.exists()


def test_an_ec_key_that_asks_each_time(blank):
    """An agreement has no place for a second login."""
    make_key(blank, "--key-type", "EC:prime256v1", "--usage-derive", "--always-auth")
    refused(blank.run("card", "enroll", "pkcs11:id=%07"), 14,
            "which only RSA keys that may decrypt can be given")


@pytest.mark.parametrize("kind, curve", [("ec:P-256", "P-256"), ("ec:P-384", "P-384")])
def test_curves(blank, kind, curve):
    """Both keys are made on that curve, and the log is signed by one of it."""
    blank.done("card", "enroll", "--key", kind)
    card = next(entry for entry in Facts(blank).entries if entry["type"] == "card")
    assert card["jwk"]["crv"] == curve
    assert len(blank.trust.read_text().split("+", 2)[2]) > (130 if curve == "P-384" else 100)
