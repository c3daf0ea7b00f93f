"""p11vault on a disk that fails at its nth call, then on a good one; what became of what was issued."""

import errno
import hashlib
import json
import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

from cards import Facts
from examining import compiled
from killing import Snapshot
from smalldisk import on_small_disk

SHIM = Path(__file__).resolve().parent.parent / "faults" / "disk.c"
# One call; one call; from one on: whatever needs room, the store's files, everything.
ONCE_FULL, ONCE_BROKEN = (str(errno.ENOSPC), ""), (str(errno.EIO), "")
FILLS, STORE_DIES, DIES = ("full", ""), (f"{errno.EIO}:on", "/vault.db"), (f"{errno.EIO}:on", "")
KINDS = (ONCE_FULL, ONCE_BROKEN, FILLS, STORE_DIES, DIES)
LATER = 60
LOST = re.compile("the new grant is lost|pages were not kept")


def count_issued(graph):
    """Grants that the stand-in has issued so far."""
    return sum(one["made_by"] != "control" for one in graph.tell("tokens")["tokens"])


class Shim:
    """A library that p11vault is started with; the rooms, with their clean environment, are not."""

    def __init__(self, vault):
        self.vault, self.result = vault, None
        self._directory = Path(tempfile.mkdtemp(prefix="p11d-"))
        self._library = compiled(SHIM, self._directory / "disk.so", "-shared", "-fPIC")

    def remove(self):
        """The library."""
        shutil.rmtree(self._directory)

    def environment(self, **more):
        """What makes calls on the vault's files fail, count or stop."""
        options = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"),
                                         "verify_asan_link_order=0"]))
        return {"LD_PRELOAD": str(self._library), "P11DISK_UNDER": f"{self.vault.base}/",
                "ASAN_OPTIONS": options, **more}

    def count(self, call, *arguments, **environment):
        """How many such calls, or (None) calls of all kinds, an undisturbed run makes."""
        calls = self.vault.directory / "calls"  # elsewhere p11vault may not write
        self.vault.done(*arguments, env=self.environment(P11DISK_CALLS=str(calls), **environment))
        names = [line.split()[1] for line in calls.read_text("ascii").splitlines()]
        return names.count(call) if call else len(names)

    def stops(self, call, *arguments):
        """Runs it, and yields the number of each stop before such a call."""
        run = self.vault.start(*arguments, env=self.environment(P11DISK_STOP=call))
        number, listening = 0, True
        while self._has_stopped(run.pid):
            try:
                if listening:
                    yield number
            except GeneratorExit:  # the rest of the run nobody wants to see
                listening = False
            number += 1
            run.send_signal(signal.SIGCONT)
        self.result = run.finish()

    @staticmethod
    def _has_stopped(pid):
        """Or ended, which finish() finds out again."""
        seen = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if seen.si_code != os.CLD_STOPPED:
            return False
        os.waitid(os.P_PID, pid, os.WSTOPPED)
        return True


class FaultyDisk:
    """What a verb does to a vault, over and over again with another call that fails.

    On a disk that takes nothing any more so much is lost as one answer issues: `at_once`.
    """

    def __init__(self, vault, graph, *arguments, at_once=1, **environment):
        self.vault, self.graph, self.arguments = vault, graph, arguments
        self._at_once, self._environment = at_once, environment
        self._shim, self._counts = Shim(vault), {}
        self._snapshot = Snapshot(vault)
        self.before = Facts(vault)
        self.had_issued = count_issued(graph)

    def remove(self):
        """What was made, not the vault."""
        self._snapshot.remove()
        self._shim.remove()

    def count(self, kind=ONCE_FULL):
        """How many calls there are to fail when none does."""
        only = kind[1]
        if only not in self._counts:
            self.restore()
            self._counts[only] = self._shim.count(None, *self.arguments, P11DISK_ONLY=only,
                                                  **self._environment)
        return self._counts[only]

    def restore(self):
        """The vault as it was; and no page has a token, for the same would be given out again."""
        self._snapshot.restore()
        self.graph.clock(0)
        for one in self.graph.tell("tokens", made_by="pages")["tokens"]:
            self.graph.set_token(one["token"], revoked=460)
        self.had_issued = count_issued(self.graph)

    def fail_at(self, number, kind):
        """A run with the fault, and what must hold after it and after the next, which has none."""
        first, _ = self.fail_once(number, kind)
        self._check(f"{number}:{kind}", first, self._at_once if kind == DIES else 0)

    def fail_once(self, number, kind):
        """The run with the fault alone: how it ended, and how much was issued."""
        self.restore()
        environment = self._shim.environment(P11DISK_PLAN=f"{number}:{kind[0]}",
                                             P11DISK_ONLY=kind[1], **self._environment)
        result = self.vault.run(*self.arguments, env=environment)
        return result, count_issued(self.graph) - self.had_issued

    def fill(self, room):
        """The same with so many KiB left."""
        self.restore()
        first = on_small_disk(self.vault, room, *self.arguments, env=self._environment)
        self._check(f"{room} KiB", first, 0)
        return first

    def _check(self, fault, first, may_be_lost):
        self.vault.done("audit", "verify")
        lost = count_issued(self.graph) - self.had_issued - self._kept()
        assert lost == 0 or lost <= may_be_lost and LOST.search(first.err), (
            f"{lost} lost with {fault}: {first}")
        self.graph.clock(LATER)  # each grant ends later than the one before
        again = self.vault.run(*self.arguments, env=self._environment)
        self._check_all(f"{fault}: {first}\nthen {again}", again, lost)

    def _kept(self):
        """In the store or beside it, or both: what failed may have reached the disk all the same."""
        kept = set(Facts(self.vault).sealed)
        for path in self.vault.directory.glob("unkept-*"):
            lines = path.read_bytes().partition(b"\0")[0].splitlines()
            kept |= {hashlib.sha256(json.loads(one)["jwe"].encode()).hexdigest() for one in lines}
        return len(kept) - len(self.before.sealed)

    def _check_all(self, said, again, lost):
        assert again.code == 0, said
        after = Facts(self.vault)
        assert count_issued(self.graph) - self.had_issued <= (
            len(after.sealed) - len(self.before.sealed) + lost), said
        assert not list(self.vault.directory.glob("unkept-*")), said
        new = after.entries[len(self.before.entries):]
        assert "rejected" not in [entry.get("state") for entry in new], said
        assert not any(pending for _, pending in after.versions.values()), (after.versions, said)
        for name, (version, _) in self.before.versions.items():
            assert after.versions[name][0] >= version, said
