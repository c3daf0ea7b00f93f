"""The commands of a YubiKey that are not NIST's."""

from cryptography.hazmat.primitives.asymmetric import ec, rsa

import apdu
import slots
from apdu import Refused
from ber import parse, tlv
from slots import Slot

PIN, PUK, MANAGEMENT_KEY = 0x80, 0x81, 0x9B
TRIPLE_DES = 3
OWN = "1.3.6.1.4.1.41482.3."  # extensions of an attestation


def _imported(algorithm, parts):
    if algorithm in slots.CURVES and 6 in parts:
        return ec.derive_private_key(int.from_bytes(parts[6], "big"), slots.CURVES[algorithm])
    if algorithm != slots.RSA2048 or 1 not in parts or 2 not in parts:
        raise Refused(apdu.WRONG_DATA)
    p, q = int.from_bytes(parts[1], "big"), int.from_bytes(parts[2], "big")
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p),
                                 public).private_key()


class Yubico:
    """A part of the card, which has the rest."""

    @staticmethod
    def policies(slot, parts):
        """When PIN and touch are asked for: AA and AB of what makes or imports a key."""
        pin, touch = parts.get(0xAA, b"\0")[0], parts.get(0xAB, b"\0")[0]
        return (pin or slots.PIN_DEFAULTS.get(slot, slots.PIN_ONCE), touch or slots.TOUCH_NEVER)

    def _version(self, _):
        return self.VERSION

    def _serial_number(self, _):
        return int(self.serial).to_bytes(4, "big")

    def _metadata(self, command):
        """What ykman shows of PIN, PUK, management key or a slot."""
        which = command.p2
        if which in (PIN, PUK):
            secret = self.secrets[which]
            return (tlv(1, b"\xff") + tlv(5, bytes([secret.value in ("123456", "12345678")]))
                    + tlv(6, bytes([secret.most, secret.left])))
        if which == MANAGEMENT_KEY:
            return tlv(1, bytes([TRIPLE_DES])) + tlv(2, b"\0\1") + tlv(5, b"\1")
        slot = self.slots.get(which)
        if not slot:
            raise Refused(apdu.NO_REFERENCE)
        return (tlv(1, bytes([slot.algorithm])) + tlv(2, bytes([slot.pin, slot.touch]))
                + tlv(3, bytes([slot.origin])) + tlv(4, slot.public))

    def _attest(self, command):
        """A certificate over a key that was made here.  No PIN is asked for."""
        slot = self.slots.get(command.p1)
        if not slot or command.p1 == slots.ATTESTATION:
            raise Refused(apdu.NO_REFERENCE)
        if slot.origin != slots.MADE_HERE:
            raise Refused(apdu.WRONG_DATA)
        return slots.certificate(
            slot.key.public_key(), f"YubiKey PIV Attestation {command.p1:02x}",
            "Yubico PIV Attestation", self.slots[slots.ATTESTATION].key,
            [slots.unknown(OWN + "3", self.VERSION),
             slots.unknown(OWN + "7", tlv(2, int(self.serial).to_bytes(4, "big"))),
             slots.unknown(OWN + "8", bytes([slot.pin, slot.touch])),
             slots.unknown(OWN + "9", b"\1")])

    def _import_key(self, command):
        self.want_management()
        parts = parse(command.data)
        self.slots[command.p2] = Slot(_imported(command.p1, parts), command.p1,
                                      *self.policies(command.p2, parts), slots.IMPORTED)

    def _set_management_key(self, command):
        self.want_management()
        if len(command.data) != 27 or command.data[:3] != bytes([TRIPLE_DES, MANAGEMENT_KEY, 24]):
            raise Refused(apdu.WRONG_DATA)
        self.management_key = command.data[3:]

    def _set_tries(self, command):
        """PIN and PUK are the factory's again."""
        self.want_management()
        if not self.is_verified:
            raise Refused(apdu.NOT_ALLOWED)
        for which, most in ((PIN, command.p1), (PUK, command.p2)):
            secret = self.secrets[which]
            secret.value = {PIN: "123456", PUK: "12345678"}[which]
            secret.left = secret.most = most

    def _wipe(self, _):
        """Everything goes, once PIN and PUK are both blocked."""
        if self.secrets[PIN].left or self.secrets[PUK].left:
            raise Refused(apdu.NO_CONDITION)
        self._be_made(False)
        self.reset()
