"""The scene with a PIV card: its owner's keys and certificates, then enrolled, with an app and a grant."""

from pivcard import IDS, OPENSC, OPENSC_CONF, OTHER_SERIAL, PIN, YKCS11, PivCard, piv_house
from scene import Scene

P256 = dict.fromkeys(("9a", "9c", "9d", "9e"), "p256")


def key(slot):
    """A key, as a URI names it."""
    return f"pkcs11:id=%{IDS[slot]}"


class PivScene(Scene):
    """Its states are `blank opensc`, a vault that knows the module and a card with keys, `ready opensc`, and the same
    two of ykcs11.  The key of slot 9d unwraps, that of 9c signs.
    """

    PIN = PIN
    MODULES = {"opensc": (OPENSC, {"env.OPENSC_CONF": OPENSC_CONF}), "ykcs11": (YKCS11, {})}

    def start_house(self, processes):
        return piv_house(processes)

    @property
    def is_opensc(self):
        """Whether the vault's module is OpenSC."""
        return "[module opensc]" in self.vault.config.read_text()

    def new_card(self, **how):
        return PivCard(self.house, **how)

    def make_states(self):
        self.put(keys=P256)
        self.keep("nothing")
        for name, (module, settings) in self.MODULES.items():
            self.restore("nothing")
            self.configure(name, module, **settings)
            self.vault.done("init")
            self.keep(f"blank {name}")
            self.enroll("9d", "9c")
            self.make_ready()
            self.keep(f"ready {name}")

    def enroll(self, unwraps, signs, *options, **how):
        """The verb, with the keys of two slots."""
        return self.vault.done("card", "enroll", key(unwraps), "--sign", key(signs), *options, **how)

    def put_anew(self, **how):
        """Another card in the place of the one that is there."""
        self.house.tell("clear")
        self.put(**how)

    def second_card(self):
        """Another card, in the other reader."""
        return PivCard(self.house, OTHER_SERIAL, reader=1, keys=P256)
