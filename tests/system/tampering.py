"""A good vault with something of everything in its log, and copies of it that a test may spoil."""

import contextlib
import re
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest

from canary import Canaries
from killing import Snapshot, Victim
from program import Processes
from standin import Standin
from treelog import leaf, node
from vaulttool import Vault

ALICE, BOB, CAROL, DAVE, EVE = (f"ads/user/{name}"
                                for name in ("alice", "bob", "carol", "dave", "eve"))


class Copy:
    """The database file, the trust file and the head that was seen, alone in a directory."""

    def __init__(self, good, store, directory):
        self._good = good
        self.store, self.trust = directory / "vault.db", directory / "trust"
        shutil.copy2(store, self.store)
        for file in good.vault.trust.parent.glob("trust*"):
            shutil.copy2(file, directory)
        self.head = next(directory.glob("trust.*.head"))

    def verify(self, *options):
        """`audit verify` of this copy."""
        return self._good.vault.run("audit", "verify", "--trust", self.trust, *options, self.store)


class Store:
    """Changes to a store behind the program's back."""

    def __init__(self, path):
        self.path = path

    def __call__(self, sql, *values):
        """Runs one statement; returns the rows.  What changes nothing is a mistake in the test."""
        with contextlib.closing(sqlite3.connect(self.path)) as database, database:
            cursor = database.execute(sql, values)
            rows = cursor.fetchall()
            assert rows or cursor.rowcount != 0, f"{sql} {values} meets nothing"
            return rows

    def one(self, sql, *values):
        """The only column of the only row."""
        [[value]] = self(sql, *values)
        return value

    def entry(self, kind, which=0):
        """Index and text of an entry of this type: the first, or another one."""
        return self("SELECT idx, text FROM entry WHERE type = ? ORDER BY idx", kind)[which]

    def append(self, text, kind, subject):
        """One more entry with its nodes, as a writer of the store can make them; its index."""
        size = self.one("SELECT count(*) FROM entry")
        self("INSERT INTO entry VALUES (?, ?, ?, ?)", size, kind, subject, text.decode())
        value, position, level = leaf(text), size, 0
        self("INSERT INTO node VALUES (?, ?, ?)", 0, position, value)
        while position & 1:
            left = self.one("SELECT hash FROM node WHERE level = ? AND position = ?", level,
                            position - 1)
            value, position, level = node(left, value), position >> 1, level + 1
            self("INSERT INTO node VALUES (?, ?, ?)", level, position, value)
        return size

    def set_entry(self, index, text):
        """Another text for an entry."""
        self("UPDATE entry SET text = ? WHERE idx = ?", text, index)


class GoodVault:
    """Two apps, one that never came to be, five grants: exchanged, pending, and in the tail."""

    def __init__(self):
        self.processes = Processes()
        self.graph = self.vault = self.snapshot = None
        self.stages = []
        self._canaries, self._made = Canaries(), contextlib.ExitStack()
        self._made.callback(self._check_processes)
        self._directory = self._new_directory("p11t-")

    def prepare(self, programs):
        """Make it; remove() removes what was made, also when the rest cannot be."""
        self.graph = Standin(self._new_directory("p11g-"), self.processes)
        self._made.callback(self.graph.stop)
        self.vault = Vault(programs, self.processes)
        self._made.callback(self.vault.remove)
        self._fill()
        self.snapshot = Snapshot(self.vault)
        self._made.callback(self.snapshot.remove)

    def _new_directory(self, prefix):
        return Path(self._made.enter_context(tempfile.TemporaryDirectory(prefix=prefix)))

    def _check_processes(self):
        left = self.processes.left()
        assert not left, left

    @property
    def path(self):
        """The database file of the vault itself."""
        return self.vault.directory / "vault.db"

    def _keep_stage(self):
        self.stages.append(shutil.copy2(self.path, self._directory / f"stage{len(self.stages)}"))

    def _import(self, name):
        token = self.graph.tell("add_token", app_id=self.vault.app_id,
                                user_id=self.vault.user_id)["token"]
        self.vault.done("import", name, "--token-file", self.vault.write("given/t", token + "\n"))

    def _fill(self):
        vault = self.vault
        vault.make_soft()
        self._keep_stage()
        vault.make_ready(self.graph, self._canaries.app_secret)
        self._keep_stage()
        vault.done("exchange", ALICE)
        self._import(BOB)
        self._keep_stage()
        vault.done("exchange", BOB)
        self._import(CAROL)
        self._leave_pending()
        self._leave_void()
        self._import(DAVE)
        vault.done("exchange", DAVE)
        self._import(EVE)

    def _leave_pending(self):
        self.graph.misbehave("debug_token", "http_error", which=2, status=500, code=2)
        assert self.vault.run("exchange", CAROL).code == 10
        self.graph.tell("clear_misbehaviours")

    def _leave_void(self):
        """The card room dies before it has told its signature; the next run declares void."""
        add = ("--provider", "meta", "--id", "77", "--origin", self.graph.origin,
               "--secret-file", self.vault.base / "given/secret")
        victim = Victim(self.vault, "card")
        last = victim.count(["sendto"], "app", "add", "spare", *add)["sendto"]
        assert victim.kill("sendto", last, "app", "add", "gone", *add).code == 23
        victim.remove()
        self._keep_stage()

    @contextlib.contextmanager
    def copy(self, stage=None):
        """A copy to spoil, of now or of an earlier stage, and the changes to it."""
        directory = Path(tempfile.mkdtemp(prefix="copy-", dir=self._directory))
        made = Copy(self, self.path if stage is None else self.stages[stage], directory)
        try:
            yield made, Store(made.store)
        finally:
            shutil.rmtree(directory)

    @contextlib.contextmanager
    def whole(self):
        """The vault itself to spoil; it is put back afterwards."""
        try:
            yield self.vault, Store(self.path)
        finally:
            self.snapshot.restore()

    def remove(self):
        """Everything; nothing that was started may be left."""
        self._made.close()


@pytest.fixture(scope="module", name="good")
def fixture_good(programs):
    """Made once for a file of tests; every test works on a copy."""
    made = GoodVault()
    try:
        made.prepare(programs)
        yield made
    finally:
        made.remove()


def check_refused(result, pattern, code=30, verb="audit verify"):
    """One error line that names the place, and nothing that looks like success."""
    assert result.code == code, result
    assert result.out == "", result
    ours = [line for line in result.err.splitlines() if line.startswith("p11vault: error: ")]
    assert len(ours) == 1 and ours[0].startswith(f"p11vault: error: {verb}: "), result
    assert re.search(pattern, ours[0]), (pattern, result)
