"""A PIV card that says it is a YubiKey 5: what each command of NIST SP 800-73-4 part 2 does.

As far as OpenSC 0.23, ykcs11 and yubico-piv-tool 2.2 ask for it, and built from the standard and from what those
programs send; it has never been compared with a real one.
"""

import hashlib
import os
import time

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

import apdu
import slots
from apdu import Refused
from ber import parse, tlv
from slots import Slot
from yubico import Yubico

AID = bytes.fromhex("a000000308000010000100")
CHUID, DISCOVERY = "5fc102", "7e"
BEHIND_PIN = {"5fc103", "5fc108", "5fc109", "5fc121"}  # fingerprints, face, printed information, iris
FASCN = bytes.fromhex("d4e739da739ced39ce739d836858210842108421c84210c3eb")

PIN, PUK, MANAGEMENT_KEY = 0x80, 0x81, 0x9B
FACTORY = {PIN: "123456", PUK: "12345678"}
FACTORY_KEY = bytes.fromhex("0102030405060708" * 3)
TRIES = 3
TOUCH_SECONDS = 15.0  # how long it blinks; and how long a touch holds that may be remembered
CHAIN_MAX = 4096

COMMANDS = {0xA4: "select", 0xCB: "get_data", 0xDB: "put_data", 0x24: "change", 0x2C: "unblock",
            0x47: "generate", 0xC0: "rest",
            # Yubico's own
            0xFD: "version", 0xF8: "serial_number", 0xF7: "metadata", 0xF9: "attest", 0xFE: "import_key",
            0xFF: "set_management_key", 0xFA: "set_tries", 0xFB: "wipe"}


class Secret:
    """PIN or PUK with its tries, which survive power off."""

    def __init__(self, value, left=TRIES, most=TRIES):
        self.value, self.left, self.most = value, left, most

    def check(self, given):
        """Counts first, then looks."""
        if not self.left:
            raise Refused(apdu.BLOCKED)
        self.left -= 1
        if given != self.value:
            raise Refused(apdu.TRIES_LEFT | self.left if self.left else apdu.BLOCKED)
        self.left = self.most


class Card(Yubico):
    """One card, in a reader or not.  `image` is a former dump(), `serial` the number that is printed on it.

    Without an image it is as its owner's tools leave it: `keys` by slot, {"9d": "p256"}, each with a certificate.
    `policies` by slot, {"9d": {"touch": "always"}}; `usages` by slot, what the certificate says that the key is for;
    `identity` false: nobody has made a CHUID; `touch`: for how many seconds it blinks.  `pin` and `puk`: they were
    changed to these.
    """

    READER = "Yubico YubiKey OTP+FIDO+CCID"
    OPERATIONS = ("use 9a", "use 9c", "use 9d", "generate")  # what takes a real one its time
    VERSION = bytes((5, 4, 3))

    def __init__(self, serial, image=None, keys=None, policies=None, usages=None, identity=True,
                 touch=TOUCH_SECONDS, pin=FACTORY[PIN], puk=FACTORY[PUK]):
        self.serial, self.touch_seconds = serial, float(touch)
        self.is_touched = lambda seconds: True  # the reader puts its own there
        if image:
            self.restore(image)
        else:
            self._be_made(identity)
            self.secrets[PIN].value, self.secrets[PUK].value = pin, puk
            for slot, kind in (keys or {}).items():
                self._provision(int(slot, 16), slots.ALGORITHMS[kind],
                                (policies or {}).get(slot, {}), (usages or {}).get(slot))
        self.reset()

    # ---- what it keeps ----

    def restore(self, image):
        """As it was then, and nobody logged in."""
        self.objects = dict(image["objects"])
        self.management_key = bytes.fromhex(image["management_key"])
        self.secrets = {int(name): Secret(*kept) for name, kept in image["secrets"].items()}
        self.slots = {int(name): Slot.load(kept) for name, kept in image["slots"].items()}
        self.reset()

    def dump(self):
        """All that it keeps without power, for JSON."""
        return {"objects": self.objects, "management_key": self.management_key.hex(),
                "secrets": {name: [one.value, one.left, one.most]
                            for name, one in self.secrets.items()},
                "slots": {name: one.dump() for name, one in self.slots.items()}}

    def _be_made(self, identity):
        """As it leaves the factory: an attestation key under a root that is nobody's."""
        self.objects, self.slots = {}, {}
        self.management_key = FACTORY_KEY
        self.secrets = {which: Secret(value) for which, value in FACTORY.items()}
        self.objects[DISCOVERY] = (tlv(0x4F, AID) + tlv(0x5F2F, b"\x40\x00")).hex()
        root = slots.generate(slots.P256)
        own = Slot(slots.generate(slots.RSA2048), slots.RSA2048, slots.PIN_NEVER,
                   origin=slots.IMPORTED)
        self.slots[slots.ATTESTATION] = own
        self.put_certificate(slots.ATTESTATION, slots.certificate(
            own.key.public_key(), "Yubico PIV Attestation", "Simulated PIV Root CA", root))
        if identity:
            guid = hashlib.sha256(self.serial.encode()).digest()[:16]
            self.objects[CHUID] = (tlv(0x30, FASCN) + tlv(0x34, guid) + tlv(0x35, b"20500101")
                                   + tlv(0x3E) + tlv(0xFE)).hex()

    def put_certificate(self, slot, der):
        """Into the object of that slot."""
        self.objects[slots.CERTIFICATES[slot]] = (
            tlv(0x70, der) + tlv(0x71, b"\0") + tlv(0xFE)).hex()

    def _provision(self, slot, algorithm, policy, usages):
        pin = policy.get("pin")
        key = slots.generate(algorithm)
        self.slots[slot] = Slot(
            key, algorithm,
            slots.PIN_POLICIES[pin] if pin else slots.PIN_DEFAULTS.get(slot, slots.PIN_ONCE),
            slots.TOUCH_POLICIES[policy.get("touch", "never")])
        name = f"slot {slot:02x}"
        more = [slots.key_usage(*usages)] if usages else []
        self.put_certificate(slot, slots.certificate(key.public_key(), name, name, key, more))

    def facts(self):
        """Tries left for PIN and PUK, whether somebody is logged in."""
        return {"user": self.secrets[PIN].left, "puk": self.secrets[PUK].left,
                "logged_in": int(self.is_verified)}

    # ---- power and commands ----

    @property
    def atr(self):
        """Answer to reset of a YubiKey 5: T=1, historical bytes with its name."""
        history = bytes.fromhex("8073c021c057") + b"YubiKey"
        body = bytes([0xF0 | len(history)]) + bytes.fromhex("1300008131fe15") + history
        check = 0
        for byte in body:
            check ^= byte
        return b"\x3b" + body + bytes([check])

    def reset(self):
        """Power on or reset: nobody is logged in, PIV is selected."""
        self.is_verified = self.is_fresh = self.is_managed = False
        self.chain = self.kept = b""
        self.witness = self.challenge = None
        self.touched_until = 0.0

    @staticmethod
    def name_of(command):
        """What tests call it, or None."""
        if command.ins == 0x20:
            return "logout" if command.p1 == 0xFF else "verify" if command.data else "tries"
        if command.ins == 0x87:
            return "manage" if command.p2 == MANAGEMENT_KEY else f"use {command.p2:02x}"
        return COMMANDS.get(command.ins)

    def execute(self, command):
        """The answer's data and status word."""
        name = self.name_of(command)
        try:
            if command.cla & ~apdu.MORE_FOLLOWS:
                raise Refused(apdu.NO_CLASS)
            if name is None:
                raise Refused(apdu.NO_INSTRUCTION)
            if name == "rest":
                return self._answer(self.kept, command.expected)
            self.kept = b""
            self.chain += command.data
            if command.more:
                if len(self.chain) > CHAIN_MAX:
                    raise Refused(apdu.WRONG_LENGTH)
                return b"", apdu.OK
            command.data, self.chain = self.chain, b""
            try:
                answer = getattr(self, f"_{name.split()[0]}")(command) or b""
            finally:
                # "PIN always" is good for the next command only.
                self.is_fresh = self.is_fresh and name == "verify"
            return self._answer(answer, command.expected)
        except Refused as refused:
            self.chain = b""
            return refused.data, refused.status

    def _answer(self, data, room):
        """What is longer than was asked for is kept for the next command."""
        room = room or 256
        self.kept = data[room:]
        more = min(len(self.kept), 0xFF)
        return data[:room], apdu.MORE_DATA | more if more else apdu.OK

    # ---- objects ----

    def _select(self, command):
        """PIV; asked for anything else it stays where it is."""
        if command.p1 != 4 or len(command.data) < 5 or not AID.startswith(command.data[:len(AID)]):
            raise Refused(apdu.NOT_FOUND)
        return tlv(0x61, tlv(0x4F, AID[5:]), tlv(0x79, tlv(0x4F, AID[:5])))

    @staticmethod
    def _object_name(command):
        if (command.p1, command.p2) != (0x3F, 0xFF):
            raise Refused(apdu.WRONG_PARAMETERS)
        parts = parse(command.data)
        if 0x5C not in parts:
            raise Refused(apdu.WRONG_DATA)
        return parts[0x5C].hex(), parts

    def _get_data(self, command):
        name, _ = self._object_name(command)
        if name in BEHIND_PIN and not self.is_verified:
            raise Refused(apdu.NOT_ALLOWED)
        if name not in self.objects:
            raise Refused(apdu.NOT_FOUND)
        return tlv(0x7E if name == DISCOVERY else 0x53, bytes.fromhex(self.objects[name]))

    def _put_data(self, command):
        self.want_management()
        name, parts = self._object_name(command)
        if 0x53 not in parts:
            raise Refused(apdu.WRONG_DATA)
        self.objects.pop(name, None)
        if parts[0x53]:
            self.objects[name] = parts[0x53].hex()

    def want_management(self):
        """Only who has the management key writes."""
        if not self.is_managed:
            raise Refused(apdu.NOT_ALLOWED)

    # ---- PIN and PUK ----

    @staticmethod
    def _unpad(data):
        if len(data) != 8:
            raise Refused(apdu.WRONG_DATA)
        return data.rstrip(b"\xff").decode("latin-1")

    def _check_pin(self, given):
        self.is_verified = self.is_fresh = False
        self.secrets[PIN].check(given)

    def _logout(self, _):
        self.is_verified = self.is_fresh = False

    def _tries(self, command):
        left = self._secret(command, PIN).left
        if not self.is_verified:
            raise Refused(apdu.TRIES_LEFT | left if left else apdu.BLOCKED)

    def _secret(self, command, *which):
        if command.p2 not in which:
            raise Refused(apdu.NO_REFERENCE)
        return self.secrets[command.p2]

    def _verify(self, command):
        self._secret(command, PIN)
        self._check_pin(self._unpad(command.data))
        self.is_verified = self.is_fresh = True

    def _two(self, command):
        if len(command.data) != 16:
            raise Refused(apdu.WRONG_DATA)
        return self._unpad(command.data[:8]), self._unpad(command.data[8:])

    def _change(self, command):
        secret, (old, new) = self._secret(command, PIN, PUK), self._two(command)
        secret.check(old)
        secret.value = new

    def _unblock(self, command):
        """A new PIN by the PUK."""
        pin, (puk, new) = self._secret(command, PIN), self._two(command)
        self.secrets[PUK].check(puk)
        pin.value, pin.left = new, pin.most

    # ---- keys ----

    def _generate(self, command):
        self.want_management()
        if command.p2 not in slots.SLOTS:
            raise Refused(apdu.WRONG_PARAMETERS)
        parts = parse(parse(command.data).get(0xAC, b""))
        algorithm = parts.get(0x80, b"\0")[0]
        made = Slot(slots.generate(algorithm), algorithm, *self.policies(command.p2, parts))
        self.slots[command.p2] = made
        return tlv(0x7F49, made.public)

    def _use(self, command):
        """GENERAL AUTHENTICATE with a key."""
        slot = self.slots.get(command.p2)
        if not slot:
            raise Refused(apdu.NOT_FOUND)
        if slot.algorithm != command.p1:
            raise Refused(apdu.WRONG_PARAMETERS)
        parts = parse(parse(command.data).get(0x7C, b""))
        if {slots.PIN_ALWAYS: not self.is_fresh, slots.PIN_ONCE: not self.is_verified}.get(slot.pin):
            raise Refused(apdu.NOT_ALLOWED)
        self._want_touch(slot)
        if 0x85 in parts:
            return tlv(0x7C, tlv(0x82, slot.agree(parts[0x85])))
        if 0x81 not in parts:
            raise Refused(apdu.WRONG_DATA)
        return tlv(0x7C, tlv(0x82, slot.compute(parts[0x81])))

    def _want_touch(self, slot):
        if slot.touch == slots.TOUCH_NEVER or (
                slot.touch == slots.TOUCH_CACHED and time.monotonic() < self.touched_until):
            return
        if not self.is_touched(self.touch_seconds):
            raise Refused(apdu.NOT_ALLOWED)
        self.touched_until = time.monotonic() + TOUCH_SECONDS

    # ---- the management key ----

    def _encrypted(self, block):
        cipher = Cipher(algorithms.TripleDES(self.management_key), modes.ECB()).encryptor()
        return cipher.update(block) + cipher.finalize()

    def _manage(self, command):
        """One side proves itself, or both do; OpenSC takes random bytes from here."""
        parts = parse(parse(command.data).get(0x7C, b""))
        if parts.get(0x80) == b"":
            self.witness = os.urandom(8)
            return tlv(0x7C, tlv(0x80, self._encrypted(self.witness)))
        if 0x80 in parts and 0x81 in parts:
            expected, self.witness = self.witness, None
            if not expected or parts[0x80] != expected or len(parts[0x81]) != 8:
                raise Refused(apdu.NOT_ALLOWED)
            self.is_managed = True
            return tlv(0x7C, tlv(0x82, self._encrypted(parts[0x81])))
        if parts.get(0x81) == b"":
            self.challenge = os.urandom(8)
            return tlv(0x7C, tlv(0x81, self.challenge))
        expected, self.challenge = self.challenge, None
        if not expected or parts.get(0x82) != self._encrypted(expected):
            raise Refused(apdu.NOT_ALLOWED)
        self.is_managed = True
        return b""
