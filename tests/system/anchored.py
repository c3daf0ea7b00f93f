"""A vault and the head of its log that its card keeps."""

import json
import sqlite3

import pytest

from cards import SoftCard


class Anchored:
    """A vault, its card, and the heads that both know."""

    def __init__(self, vault):
        self.vault, self.card = vault, SoftCard(vault)
        self.store = vault.directory / "vault.db"

    @property
    def head(self):
        """Where this machine keeps the newest head that it has seen."""
        return next(self.vault.trust.parent.glob("trust.*.head"))

    @property
    def remembered(self):
        """What this machine remembers of the card."""
        file = next(self.vault.trust.parent.glob("trust.*.anchors"))
        return json.loads(file.read_text())["cards"][self.card.serial]

    @property
    def label(self):
        """What the object is called."""
        vault_id = json.loads(self.vault.done("audit", "show", "--json").out.splitlines()[0])
        return f"p11vault {vault_id['entry']['vault'][:8]} head"

    @property
    def on_card(self):
        """The size that the card names, of the one object there is."""
        assert self.card.tool("-O", "--type", "data").count(self.label) == 1
        text = self.card.tool("--read-object", "--type", "data", "--label", self.label)
        origin, size, root, time = text[text.index("p11vault/"):].split("\n")[:4]
        assert origin.startswith("p11vault/") and len(root) == 44 and int(time) > 1700000000
        return int(size)

    def put(self, text, label=None):
        """An object of that name beside those that are there."""
        file = self.vault.write("given/object", text)
        self.card.tool("--write-object", str(file), "--type", "data", "--private",
                       "--application-label", "p11vault", "--label", label or self.label)

    def keep(self):
        """The store as it is now."""
        with sqlite3.connect(self.store) as store:
            store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.close()
        return self.store.read_bytes()

    def roll_back(self, kept, head=False):
        """An older store; this machine's own memory goes with it."""
        for name in ("vault.db-wal", "vault.db-shm"):
            (self.vault.directory / name).unlink(missing_ok=True)
        self.store.write_bytes(kept)
        if not head:
            self.head.unlink()

    def sign(self):
        """A checkpoint; how many entries it is over."""
        return int(self.vault.done("audit", "checkpoint").out.split()[0])


@pytest.fixture(name="ready")
def fixture_ready(ready_vault):
    """A ready vault whose card knows a head."""
    return Anchored(ready_vault)
