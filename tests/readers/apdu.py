"""Commands and answers of ISO 7816-4 as far as the simulated card needs them: short, with chaining."""

from dataclasses import dataclass

OK = 0x9000
MORE_DATA = 0x6100  # and how many bytes
END_OF_FILE = 0x6282
WRONG_PIN = 0x6300
TRIES_LEFT = 0x63C0  # and the number in the last digit
WRONG_LENGTH = 0x6700
NOT_ALLOWED = 0x6982
BLOCKED = 0x6983
NO_CONDITION = 0x6985
NO_FILE_SELECTED = 0x6986
WRONG_DATA = 0x6A80
NOT_SUPPORTED = 0x6A81
NOT_FOUND = 0x6A82
NO_ROOM = 0x6A84
WRONG_PARAMETERS = 0x6A86
NO_REFERENCE = 0x6A88
EXISTS = 0x6A89
WRONG_OFFSET = 0x6B00
NO_INSTRUCTION = 0x6D00
NO_CLASS = 0x6E00
LOGGED_IN = 0x6F86  # Rutoken: somebody is logged in, log out first

MORE_FOLLOWS = 0x10  # bit of the class byte: command chaining


class Refused(Exception):
    """A status word other than 9000, maybe with data."""

    def __init__(self, status, data=b""):
        super().__init__(f"{status:04x}")
        self.status, self.data = status, data


@dataclass
class Command:
    """One command; `expected` is Le, 0 when nothing is asked for."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    expected: int = 0

    @property
    def more(self):
        """True for all but the last of a chain."""
        return bool(self.cla & MORE_FOLLOWS)


def parse(message):
    """A command from its bytes."""
    if len(message) < 4:
        raise Refused(WRONG_LENGTH)
    command, body = Command(*message[:4]), message[4:]
    if len(body) == 1:
        command.expected = body[0] or 256
    elif body:
        size = body[0]
        command.data, rest = body[1:1 + size], body[1 + size:]
        if len(command.data) != size or len(rest) > 1:
            raise Refused(WRONG_LENGTH)
        if rest:
            command.expected = rest[0] or 256
    return command


def tlvs(data):
    """Tag and value pairs with one byte for each tag and length, as this card writes them."""
    found, at = [], 0
    while at + 2 <= len(data):
        tag, size = data[at], data[at + 1]
        if at + 2 + size > len(data):
            raise Refused(WRONG_DATA)
        found.append((tag, data[at + 2:at + 2 + size]))
        at += 2 + size
    return found


def tlv(tag, value):
    """The same, written."""
    return bytes([tag, len(value)]) + value
