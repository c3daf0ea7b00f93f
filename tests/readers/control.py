"""The commands of the control interface: see README.md; they come and are answered as the stand-in's (talking.py)."""

import pcsc
from reader import WHEN

WAIT_MAX = 600


class Control:
    """Commands by name: a public method here is a command, its parameters are the fields."""

    COMMANDS = ("make", "image", "facts", "insert", "remove", "again", "remove_at", "hold", "release",
                "slow", "finger", "readers", "clear", "commands", "wait", "mark", "stop_pcscd", "start_pcscd", "shutdown")

    def __init__(self, house):
        self.house = house

    def _card(self, serial):
        return self.house.cards[serial]

    def _reader(self, reader):
        return self.house.readers[int(reader)]

    def make(self, serial, image=None, **how):
        """A new card, blank or from an image, in no reader; the rest is for its kind to understand."""
        self.house.cards[serial] = self.house.kind(serial, image, **how)
        return {}

    def image(self, serial):
        """All that a card keeps without power."""
        return {"image": self._card(serial).dump()}

    def facts(self, serial):
        """What only the card itself knows."""
        return self._card(serial).facts()

    def insert(self, serial, reader=0):
        """Put a card in; answers when pcscd has seen it."""
        if any(one.card is self._card(serial) for one in self.house.readers):
            raise ValueError("the card is in a reader")
        self._wait_empty(reader)  # a card that went out by itself may be unnoticed yet
        self._reader(reader).insert(self._card(serial))
        self._wait_full(reader)
        return {}

    def _wait_full(self, reader):
        self._reader(reader).changes = pcsc.wait(self.house.names[int(reader)], True)

    def _wait_empty(self, reader):
        one = self._reader(reader)
        pcsc.wait(self.house.names[int(reader)], False, one.changes)
        one.changes = None

    def remove(self, reader=0):
        """Take the card out; answers when pcscd has seen it."""
        self._reader(reader).remove()
        self._wait_empty(reader)
        return {}

    def again(self, serial, image, reader=0):
        """As after clear, make and insert of that image, if this card is the one in a reader; nothing otherwise."""
        card, wanted = self._card(serial), self._reader(reader)
        if [one.card for one in self.house.readers if one.card] != [card] or wanted.card is not card:
            return {"done": False}
        wanted.forget_trouble()
        card.restore(image)
        self.house.cards = {serial: card}
        self.house.forget()
        return {"done": True}

    def remove_at(self, at, when="before", skip=0, reader=0):
        """Take the card out by itself at a command."""
        if when not in WHEN:
            raise ValueError(f"when is one of {WHEN}")
        trouble = self._reader(reader).trouble
        with trouble.lock:
            trouble.removals.append([at, when, int(skip)])
        return {}

    def hold(self, at, reader=0):
        """Let the next such command wait for `release` or for the card's removal."""
        trouble = self._reader(reader).trouble
        with trouble.lock:
            trouble.holds.append(at)
        return {}

    def release(self, reader=0):
        """Let a held command go on."""
        self._reader(reader).trouble.released.set()
        return {}

    def slow(self, ms, reader=0):
        """How long each operation with a private key takes from now on."""
        self._reader(reader).trouble.slow_ms = float(ms)
        return {}

    def finger(self, after, reader=0):
        """How many seconds pass from now on until somebody touches a card that blinks; None: nobody does."""
        self._reader(reader).trouble.finger = None if after is None else float(after)
        return {}

    def readers(self):
        """What pcscd calls them."""
        return {"names": self.house.names}

    def clear(self):
        """As at the start: no card in a reader, no card at all, no trouble ordered, no event."""
        for number, reader in enumerate(self.house.readers):
            reader.clear()
            self._wait_empty(number)
        self.house.cards.clear()
        self.house.forget()
        return {}

    def stop_pcscd(self):
        """End pcscd, as a restart of the service does; the cards stay where they are."""
        self.house.stop_pcscd()
        return {}

    def start_pcscd(self):
        """Start it again; cards that were in a reader are in it again."""
        self.house.start_pcscd()
        for number, reader in enumerate(self.house.readers):
            reader.changes = None
            if reader.card:
                reader.insert(reader.remove())
                self._wait_full(number)
        return {}

    def commands(self, name=None, since=0):
        """The commands since a mark: [port, name, status]."""
        known = self.house.log[int(since):]
        return {"commands": [one for one in known if name in (None, one[1])]}

    def mark(self):
        """Where the list of commands ends now."""
        return {"mark": len(self.house.log)}

    def wait(self, event, count=1, timeout=30):
        """Answer when the event has happened that often since the start, or the time is over."""
        reached, seen = self.house.wait(event, int(count), min(float(timeout), WAIT_MAX))
        return {"reached": reached, "count": seen}

    def shutdown(self):
        """End everything."""
        self.house.stop.set()
        return {}
