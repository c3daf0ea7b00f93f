"""The simulated card itself, through the tools of its owner: what tests/piv/README.md promises."""

import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pivcard import FACTORY_PIN, OPENSC, PIN, YKCS11
from pivscene import P256
from plainroot import passes_in_plain_root

POLICIES = "1.3.6.1.4.1.41482.3.8"


def test_what_it_says_of_itself(blank):
    """Firmware, number, slots, tries: what the maker's tool shows."""
    said = blank.card.tool("-a", "status")
    assert re.search(r"Version:\s+5\.4\.3", said) and re.search(r"Serial Number:\s+12345678", said)
    assert re.findall(r"^Slot (\w+):", said, re.MULTILINE) == ["9a", "9c", "9d", "9e"]
    assert "PIN tries left:\t3" in said


@pytest.mark.parametrize("kind", ["p256", "rsa2048"])
@pytest.mark.parametrize("module", [OPENSC, YKCS11])
def test_tested_by_opensc(blank, module, kind):
    """pkcs11-tool --test signs, verifies and deciphers in all the ways it knows."""
    blank.put_anew(keys={"9a": kind, "9d": kind})
    said = blank.house.tool("/usr/bin/pkcs11-tool", "--module", module, "--login", "--pin", PIN, "--test")
    assert "No errors" in said


def test_attestation(blank):
    """A statement about a key that was made here, by a key whose certificate is on the card; none about an imported one."""
    blank.put_anew(keys={"9d": "p256"}, policies={"9d": {"touch": "cached"}})
    place = blank.vault.base / "given"
    blank.card.tool("-a", "attest", "-s", "9d", "-o", str(place / "9d.crt"))
    blank.card.tool("-a", "read-certificate", "-s", "f9", "-o", str(place / "f9.crt"))
    said, by = (x509.load_pem_x509_certificate((place / name).read_bytes()) for name in ("9d.crt", "f9.crt"))
    by.public_key().verify(said.signature, said.tbs_certificate_bytes, padding.PKCS1v15(),
                           said.signature_hash_algorithm)
    policies = said.extensions.get_extension_for_oid(x509.ObjectIdentifier(POLICIES))
    assert policies.value.value == bytes((2, 3))  # the PIN once, a touch that lasts
    key = ec.generate_private_key(ec.SECP256R1())
    (place / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL,
                                                      NoEncryption()))
    blank.card.tool("-a", "import-key", "-s", "9d", "-i", str(place / "key.pem"))
    blank.card.tool("-a", "attest", "-s", "9d", "-o", str(place / "other.crt"), fails=True)


def test_erasing(blank):
    """Only once PIN and PUK are both locked; then it is as it was sold."""
    blank.put_anew(keys=P256)
    blank.card.tool("-a", "reset", fails=True)
    for _ in range(3):
        blank.card.tool("-a", "verify-pin", "-P", "000000", fails=True)
        blank.card.tool("-a", "unblock-pin", "-P", "00000000", "-N", "000000", fails=True)
    assert blank.card.facts == {"user": 0, "puk": 0, "logged_in": 0}
    blank.card.tool("-a", "reset")
    assert "Slot 9" not in blank.card.tool("-a", "status")
    blank.card.tool("-a", "verify-pin", "-P", FACTORY_PIN)


def test_in_a_plain_root():
    """The house, pcscd and p11vault, where / is no mount point."""
    passes_in_plain_root("tests/piv/test_piv.py::test_what_an_exchange_costs[opensc]")
