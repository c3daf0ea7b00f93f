"""The simulated card itself, through OpenSC's tools: what docs/rutoken.md and the README promise."""

import os
import re
import signal

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from card import MODULE, PIN, SERIAL, SO_PIN, Refused, Rutoken, RutokenCard, rutoken_house
from plainroot import passes_in_plain_root
from program import ended
from vaulttool import Vault

TOOL = ("/usr/bin/pkcs11-tool", "--module", MODULE)
LOGIN = ("--login", "--pin", PIN)


@pytest.fixture
def house(formatted):
    """The house, with a formatted card in the first reader."""
    return formatted.house


def test_name_and_serial(house):
    """What opensc-tool makes of the answer to reset."""
    assert "Rutoken ECP (DS)" in house.tool("/usr/bin/opensc-tool", "--name")
    serial = house.tool("/usr/bin/opensc-tool", "--serial")
    assert re.search(r"3A 1B 2C 4D", serial), serial


def test_mechanisms(house):
    """RSA up to 2048 bits, no EC and nothing that wraps: what OpenSC offers on this card."""
    said = house.tool(*TOOL, "--list-mechanisms")
    assert "RSA-PKCS-OAEP, keySize={256,2048}, hw, decrypt" in said
    assert "RSA-PKCS-KEY-PAIR-GEN, keySize={256,2048}" in said
    assert "ECDH" not in said and "wrap" not in said


def test_opensc_tests_itself(formatted):
    """pkcs11-tool --test signs, verifies and decrypts in all the ways it knows."""
    formatted.card.generate("42", "both", "sign,decrypt")
    assert "No errors" in formatted.house.tool(*TOOL, *LOGIN, "--test")


def full_key():
    """A new key.  OpenSC refuses one in eighty for this card: a part of it has a zero in front, and so is short."""
    while True:
        key = rsa.generate_private_key(65537, 2048)
        numbers = key.private_numbers()
        if min(part.bit_length() for part in (numbers.iqmp, numbers.dmp1, numbers.dmq1)) > 1016:
            return key


def test_imported_key(formatted):
    """A key made elsewhere works, too: what it deciphers is right."""
    key = formatted.vault.base / "given/key.pem"
    key.write_bytes(full_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    formatted.house.tool("/usr/bin/pkcs15-init", "--store-private-key", str(key), "--auth-id", "02",
                         "--pin", PIN, "--id", "43", "--key-usage", "decrypt")
    plain, sealed, opened = (formatted.vault.base / f"given/{name}" for name in "abc")
    plain.write_text("a text")
    formatted.house.tool("/usr/bin/openssl", "pkeyutl", "-encrypt", "-inkey", str(key), "-in",
                         str(plain), "-out", str(sealed), "-pkeyopt", "rsa_padding_mode:oaep",
                         "-pkeyopt", "rsa_oaep_md:sha256")
    formatted.house.tool(*TOOL, *LOGIN, "--decrypt", "--id", "43", "-m", "RSA-PKCS-OAEP",
                         "--hash-algorithm", "SHA256", "-i", str(sealed), "-o", str(opened))
    assert opened.read_text() == "a text"


def test_officer_locks(house, formatted):
    """The officer's PIN has a counter of its own; nothing unlocks it but initialising the card."""
    officer = (*TOOL, "--list-objects", "--login", "--login-type", "so", "--so-pin")
    for left in range(9, -1, -1):
        house.tool(*officer, "99999999", fails=True)
        assert formatted.card.facts["officer"] == left
    said = house.tool(*officer, SO_PIN, fails=True)
    assert "CKR_PIN_LOCKED" in said and formatted.card.facts["user"] == 5


def test_private_data_needs_the_pin(formatted):
    """The access bytes of files hold for reading, too."""
    data = formatted.vault.write("given/data", "something")
    formatted.house.tool(*TOOL, *LOGIN, "--write-object", str(data), "--type", "data", "--label",
                         "private", "--private")
    listing = ("--list-objects", "--type", "data")
    assert "private" not in formatted.house.tool(*TOOL, *listing)
    assert "private" in formatted.house.tool(*TOOL, *LOGIN, *listing)


def test_erasing(formatted):
    """A card that was initialised anew has nothing and nobody of before."""
    formatted.house.tool("/usr/bin/pkcs15-init", "--erase-card")
    assert formatted.card.facts["used"] == 0
    assert "not recognized" in formatted.house.tool(*TOOL, "--list-slots")


def test_two_houses(formatted, processes):
    """Side by side, each with its own cards; nothing is left when one ends, its socket neither."""
    other = rutoken_house(processes)
    RutokenCard(other, "0badcafe", image=formatted.card.image)
    assert other.environment != formatted.house.environment
    for house, serial in ((formatted.house, "3A 1B 2C 4D"), (other, "0B AD CA FE")):
        assert serial in house.tool("/usr/bin/opensc-tool", "--serial")
    other.stop()
    assert not other.directory.exists()
    assert "3A 1B 2C 4D" in formatted.house.tool("/usr/bin/opensc-tool", "--serial")


def test_house_that_is_killed(processes):
    """pcscd ends with it: it lives in the house's own process name space."""
    house = rutoken_house(processes)
    os.kill(house.process.pid, signal.SIGKILL)
    assert ended(house.process.pid, 20)
    house.reap()
    assert not processes.left()


@pytest.mark.parametrize("command, fields, words", [
    ("insert", {"serial": SERIAL, "reader": 1}, "the card is in a reader"),
    ("insert", {"serial": "00000000"}, "KeyError"),
    ("remove", {"reader": 1}, "no card in this reader"),
    ("remove", {"reader": 2}, "IndexError"),
    ("remove_at", {"at": "sign", "when": "later"}, "when is one of"),
    ("start_pcscd", {}, "pcscd runs"),
    ("fly", {}, "no command 'fly'"),
])
def test_refused_commands(house, command, fields, words):
    """Whatever is wrong with a control command is an answer and harms nothing."""
    with pytest.raises(Refused, match=re.escape(words)):
        house.tell(command, **fields)
    assert house.tell("facts", serial=SERIAL)["user"] == 5


def test_row_of_the_matrix(programs, processes):
    """What the matrix of cards is told is enough to enrol: label, module, environment, PIN."""
    with Rutoken() as card:
        vault = Vault(programs, processes)
        try:
            lines = {"path": card.module, "pin-source": vault.write("pin", card.pin + "\n"),
                     **card.profile(),
                     **{f"env.{name}": value for name, value in card.environment().items()}}
            vault.configure("[module card]\n" + "".join(f"{k} = {v}\n" for k, v in lines.items()))
            vault.done("init")
            assert card.label in vault.done("card", "list").out.split()
            vault.done("card", "enroll", f"pkcs11:token={card.label}")
        finally:
            vault.remove()


def test_in_a_plain_root():
    """The house, pcscd and p11vault, where / is no mount point."""
    passes_in_plain_root("tests/rutoken/test_simulation.py::test_row_of_the_matrix")
