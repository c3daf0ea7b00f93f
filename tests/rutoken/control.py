"""The commands of the control interface: see README.md; they come and are answered as the stand-in's (talking.py)."""

import pcsc
from reader import WHEN
from rutoken import Rutoken

WAIT_MAX = 600
READERS = ("Virtual PCD 00 00", "Virtual PCD 00 01")


class Control:
    """Commands by name: a public method here is a command, its parameters are the fields."""

    COMMANDS = ("make", "image", "facts", "insert", "remove", "remove_at", "hold", "release",
                "slow", "clear", "commands", "wait", "mark", "stop_pcscd", "start_pcscd", "shutdown")

    def __init__(self, house):
        self.house = house

    def _card(self, serial):
        return self.house.cards[serial]

    def _reader(self, reader):
        return self.house.readers[int(reader)]

    def make(self, serial, atr="ds", image=None, memory=None):
        """A new card, blank or from an image, in no reader."""
        more = {} if memory is None else {"memory": int(memory)}
        self.house.cards[serial] = Rutoken(serial, atr, image, **more)
        return {}

    def image(self, serial):
        """All that a card keeps without power."""
        return {"image": self._card(serial).dump()}

    def facts(self, serial):
        """Tries left for the user's and the officer's PIN, who is logged in, memory in use."""
        card = self._card(serial)
        return {"user": card.tries(2), "officer": card.tries(1), "logged_in": card.logged_in,
                "used": card.root.memory() if card.root else 0}

    def insert(self, serial, reader=0):
        """Put a card in; answers when pcscd has seen it."""
        if any(one.card is self._card(serial) for one in self.house.readers):
            raise ValueError("the card is in a reader")
        pcsc.wait(READERS[int(reader)], False)  # a card that went out by itself may be unnoticed yet
        self._reader(reader).insert(self._card(serial))
        pcsc.wait(READERS[int(reader)], True)
        return {}

    def remove(self, reader=0):
        """Take the card out; answers when pcscd has seen it."""
        self._reader(reader).remove()
        pcsc.wait(READERS[int(reader)], False)
        return {}

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

    def clear(self):
        """As at the start: no card in a reader, no card at all, no trouble ordered, no event."""
        for number, reader in enumerate(self.house.readers):
            reader.clear()
            pcsc.wait(READERS[number], False)
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
            if reader.card:
                reader.insert(reader.remove())
                pcsc.wait(READERS[number], True)
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
