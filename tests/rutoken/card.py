"""Makes simulated Rutokens for tests, formatted by OpenSC's own tools, and talks with their house."""

import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "system"), str(HERE.parent / "readers")]

from houses import OPENSC as MODULE  # noqa: E402
from houses import OPENSC_CONF, House, Refused, VirtualCard  # noqa: E402
from program import Processes  # noqa: E402

__all__ = ["MODULE", "OPENSC_CONF", "PIN", "SO_PIN", "Rutoken", "RutokenCard", "Refused",
           "rutoken_house"]

PIN, SO_PIN = "73519264", "46281937"
DEFAULT_PIN = "12345678"
SERIAL, OTHER_SERIAL = "3a1b2c4d", "3f00a811"


def rutoken_house(processes):
    """A house for Rutokens."""
    return House(HERE / "rutoken.py", processes)


class RutokenCard(VirtualCard):
    """One Rutoken in a house, formatted as OpenSC's documentation says.

    What a row of a test matrix asks of a card: `module`, `environment`, `pin`, `serial`.
    """

    module = MODULE

    def __init__(self, house, serial=SERIAL, pin=PIN, image=None, reader=0, **how):
        self.pin = pin
        super().__init__(house, serial, reader, image=image, **how)
        if image is None:
            self.format()

    def format(self, label="Vault", pin_label="User PIN"):
        """Erase it and make PINs.  Modules show both labels, except where the PIN's is just PIN."""
        init = ("/usr/bin/pkcs15-init", "--reader", str(self.reader))
        self.house.tool(*init, "--erase-card")
        self.house.tool(*init, "--create-pkcs15", "--so-pin", SO_PIN, "--so-puk", "", "--label",
                        label)
        self.house.tool(*init, "--store-pin", "--label", pin_label, "--auth-id", "02", "--pin",
                        self.pin, "--puk", "", "--so-pin", SO_PIN, "--finalize")

    def generate(self, number, label, usage):
        """A key made by OpenSC's tool and not by us."""
        self.house.tool("/usr/bin/pkcs15-init", "--reader", str(self.reader), "--generate-key",
                        "rsa/2048", "--auth-id", "02", "--id", number, "--label", label, "--pin",
                        self.pin, "--key-usage", usage)


class Rutoken:
    """The same as a row of the matrix of cards: a house, one card and a directory, while it is entered."""

    name, title = "rutoken", "OpenSC 0.23.0 on a simulated Rutoken ECP"
    label, pin, wrong = "vault", PIN, "11223344"
    module, namespace = MODULE, ()
    kinds = ("rsa:2048", "rsa:3072", "ec:P-256")
    tries = 5  # of OpenSC's profile

    def __init__(self):
        self.base = Path(tempfile.mkdtemp(prefix="p11c-"))
        self.house = None

    def __enter__(self):
        self.house = rutoken_house(Processes())
        try:
            RutokenCard(self.house).format(self.label, "PIN")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.house.stop()
        shutil.rmtree(self.base, ignore_errors=True)

    def environment(self):
        """Variables that the module needs."""
        return self.house.environment

    def profile(self):
        """More lines of its section: OpenSC itself writes nothing, what counts its calls does."""
        return {"writable": self.base}
