"""Makes simulated PIV cards for tests, and knows the two modules that work with them."""

import hashlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "system"), str(HERE.parent / "readers")]

from houses import OPENSC, OPENSC_CONF, House, VirtualCard  # noqa: E402

__all__ = ["OPENSC", "OPENSC_CONF", "YKCS11", "PIN", "PUK", "SERIAL", "OTHER_SERIAL", "PivCard", "piv_house",
           "serial_of"]

YKCS11 = "/usr/lib/x86_64-linux-gnu/libykcs11.so.2"
PIN, PUK = "735192", "46281937"
FACTORY_PIN, FACTORY_PUK = "123456", "12345678"
IDS = {"9a": "01", "9c": "02", "9d": "03", "9e": "04"}  # CKA_ID of both modules, by slot
# What is printed on the key, which ykcs11 calls its serial; OpenSC takes it from the CHUID.
SERIAL, OTHER_SERIAL = "12345678", "20202020"
TOOL = "/usr/bin/yubico-piv-tool"


def serial_of(printed):
    """What OpenSC calls the card with that number on it: the end of the identity that the simulation has made of it."""
    return hashlib.sha256(printed.encode()).digest()[8:16].hex()


def piv_house(processes):
    """A house for PIV cards."""
    return House(HERE / "piv.py", processes)


class PivCard(VirtualCard):
    """One card in a house.  PIN and PUK were changed, but for one with `factory`."""

    def __init__(self, house, serial=SERIAL, reader=0, **how):
        secrets = {} if {"image", "factory"} & how.keys() else {"pin": PIN, "puk": PUK}
        how.pop("factory", None)
        super().__init__(house, serial, reader, **secrets, **how)

    def tool(self, *arguments, **how):
        """yubico-piv-tool, which sees the first reader's card."""
        return self.house.tool(TOOL, *arguments, **how)
