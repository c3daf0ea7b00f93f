"""The card's files: directories, data files, and the internal files that hold a PIN or a key.

Every file has 15 access bytes: the first says which operations are ruled, the next ones who may do
them: 0 everybody, 1 the security officer, 2 the user, 3 either of them, 0xff nobody.
"""

import apdu
from apdu import Refused, tlv

ACCESS_SIZE = 15
NOBODY = 0xFF
OVERHEAD = 128  # bytes of memory that a file takes beside its content
KINDS = {"directory": b"\x38\x00", "data": b"\x01\x00", "internal": b"\x10\x00"}

# Bits of the first access byte.  Which of them mean what depends on the kind of file.
READ, UPDATE, DELETE = 0, 1, 6  # data; DELETE also of directories
CREATE, CREATE_INTERNAL = 0, 1  # directories
UPDATE_KEY, USE_KEY = 1, 2  # keys
UNBLOCK_PIN, CHANGE_PIN = 0, 1  # PINs

# The first property byte of an internal file says what it is and, with it, where it lies.
PIN, RSA_PRIVATE, RSA_PUBLIC = 0x01, 0x23, 0x33
PINS, PRIVATE_KEYS, PUBLIC_KEYS = ((0x1000, 0x1000, last) for last in (0x6005, 0x6002, 0x6001))


def number(data):
    """A big endian number."""
    return int.from_bytes(data, "big")


class File:
    """One file of any kind.  `body` is what an internal file holds: a dictionary."""

    def __init__(self, fid, kind, size=0, properties=b"", access=bytes(ACCESS_SIZE)):
        self.fid, self.kind, self.size = fid, kind, size
        self.properties, self.access = properties, access
        self.content = bytearray(size if kind == "data" else 0)
        self.body = {}
        self.children, self.parent = [], None

    @staticmethod
    def from_parameters(data):
        """From what CREATE FILE is told."""
        if len(data) < 2 or data[0] != 0x6F:
            raise Refused(apdu.WRONG_DATA)
        fields = dict(apdu.tlvs(data[2:2 + data[1]]))
        kinds = {first[0]: kind for kind, first in KINDS.items()}
        kind = kinds.get(fields[0x82][0])
        access = fields.get(0x86, b"")
        if kind is None or len(access) != ACCESS_SIZE:
            raise Refused(apdu.WRONG_DATA)
        return File(number(fields[0x83]), kind, number(fields[0x80]), fields.get(0x85, b""), access)

    def describe(self):
        """The file control information that SELECT answers."""
        value = tlv(0x80, self.size.to_bytes(2, "big")) + tlv(0x82, KINDS[self.kind])
        value += tlv(0x83, self.fid.to_bytes(2, "big"))
        if self.properties:
            value += tlv(0x85, self.properties)
        return tlv(0x6F, value + tlv(0x86, self.access))

    def add(self, child):
        """Put a file into this directory."""
        child.parent = self
        self.children.append(child)
        return child

    def child(self, fid):
        """The file of that id in this directory, or None."""
        return next((one for one in self.children if one.fid == fid), None)

    def find(self, path):
        """The file at the end of a path of ids, or None."""
        found = self
        for fid in path:
            found = found and found.child(fid)
        return found

    @property
    def home(self):
        """Where an internal file lies, whatever directory is selected when it is made."""
        if self.properties[0] & 0x0F == PIN:
            return PINS
        return PUBLIC_KEYS if self.properties[0] & 0x10 else PRIVATE_KEYS

    def allows(self, operation, logged_in):
        """Whether somebody who is logged in, 0 for nobody, may do it."""
        if not self.access[0] & 1 << operation:
            return False
        who = self.access[1 + operation]
        return who == 0 or (who != NOBODY and bool(logged_in & who))

    def memory(self):
        """Bytes that this file takes with all below it."""
        own = OVERHEAD + (0 if self.kind == "directory" else self.size)
        return own + sum(child.memory() for child in self.children)

    def dump(self):
        """Everything, for JSON."""
        return {"fid": self.fid, "kind": self.kind, "size": self.size,
                "properties": self.properties.hex(), "access": self.access.hex(),
                "content": self.content.hex(), "body": self.body,
                "children": [child.dump() for child in self.children]}

    @staticmethod
    def load(dumped):
        """The reverse."""
        made = File(dumped["fid"], dumped["kind"], dumped["size"],
                    bytes.fromhex(dumped["properties"]), bytes.fromhex(dumped["access"]))
        made.content = bytearray.fromhex(dumped["content"])
        made.body = dict(dumped["body"])
        for child in dumped["children"]:
            made.add(File.load(child))
        return made
