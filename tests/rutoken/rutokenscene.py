"""The scene with a Rutoken: formatted by OpenSC, then enrolled, with an app and a grant."""

import re

from card import MODULE, OTHER_SERIAL, PIN, RutokenCard, rutoken_house
from scene import Scene


class RutokenScene(Scene):
    """Its states are `formatted`, an empty vault that knows the module, and `ready`."""

    PIN = PIN

    def start_house(self, processes):
        return rutoken_house(processes)

    def new_card(self, **how):
        return RutokenCard(self.house, **how)

    def make_states(self):
        self.configure("opensc", MODULE)
        self.vault.done("init")
        self.put()
        self.keep("formatted")
        self.vault.done("card", "enroll")
        self.make_ready()
        self.keep("ready")

    def labels(self):
        """Of the private keys on the card, by OpenSC's own tool."""
        said = self.house.tool("/usr/bin/pkcs11-tool", "--module", MODULE, "--login", "--pin", PIN,
                               "--list-objects", "--type", "privkey")
        return re.findall(r"label: +(.*)", said)

    def second_card(self):
        """Another card, formatted, in the other reader."""
        card = RutokenCard(self.house, OTHER_SERIAL, image=self._images.get("second"), reader=1)
        self._images.setdefault("second", card.image)
        return card
