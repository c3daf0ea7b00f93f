"""Tags, lengths and values of BER, as PIV's commands and objects are made of them."""

import apdu
from apdu import Refused


def tlv(tag, *values):
    """Tag, length, and the values one behind the other."""
    value = b"".join(values)
    size = len(value)
    length = bytes([size]) if size < 0x80 else b"\x81" + bytes([size]) if size < 0x100 else (
        b"\x82" + size.to_bytes(2, "big"))
    return tag.to_bytes((tag.bit_length() + 7) // 8, "big") + length + value


def parse(data):
    """{tag: value} of what stands one behind the other; a tag has up to three bytes."""
    found, at = {}, 0
    try:
        while at < len(data):
            tag, at = data[at], at + 1
            more = tag & 0x1F == 0x1F
            while more:
                tag, more, at = tag << 8 | data[at], data[at] & 0x80, at + 1
            size, at = data[at], at + 1
            if size & 0x80:
                count = size & 0x7F
                size, at = int.from_bytes(data[at:at + count], "big"), at + count
            if at + size > len(data):
                raise Refused(apdu.WRONG_DATA)
            found[tag], at = data[at:at + size], at + size
    except IndexError as error:
        raise Refused(apdu.WRONG_DATA) from error
    return found
