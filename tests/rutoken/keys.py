"""RSA as the card does it: raw, with every number little endian.  Keys are dictionaries of numbers."""

from cryptography.hazmat.primitives.asymmetric import rsa

import apdu
from apdu import Refused

PARTS = ("p", "q", "qi", "dp", "dq")
EXPONENT = 65537


def little(data):
    """A little endian number."""
    return int.from_bytes(data, "little")


def bits_of(file_size):
    """The modulus' bits for a private key file of this size: five halves and eight bytes."""
    return (file_size - 8) // 5 * 2 * 8


def generate(bits):
    """A new private key."""
    private = rsa.generate_private_key(EXPONENT, bits).private_numbers()
    return {"p": private.p, "q": private.q, "qi": private.iqmp, "dp": private.dmp1,
            "dq": private.dmq1}


def imported(value):
    """A private key as it is written to the card: p, four zeros, q, four zeros, 1/q, dp, dq."""
    half = (len(value) - 8) // 5
    starts = (0, half + 4, 2 * half + 8, 3 * half + 8, 4 * half + 8)
    return {name: little(value[at:at + half]) for name, at in zip(PARTS, starts)}


def modulus(key):
    """The modulus, little endian."""
    product = key["p"] * key["q"]
    return product.to_bytes((product.bit_length() + 7) // 8, "little")


def use(key, data):
    """One private key operation: what deciphering and signing both are."""
    product = key["p"] * key["q"]
    size = (product.bit_length() + 7) // 8
    if len(data) != size:
        raise Refused(apdu.WRONG_LENGTH)
    given = little(data)
    if given >= product:
        raise Refused(apdu.WRONG_DATA)
    first, second = pow(given, key["dp"], key["p"]), pow(given, key["dq"], key["q"])
    return (second + key["qi"] * (first - second) % key["p"] * key["q"]).to_bytes(size, "little")
