#!/usr/bin/python3 -B
"""The fault campaign: every PKCS#11 call of a use, with every way in which it can fail.

    campaign.py PROGRAMS SHIM [EVERY]

For each task of the card room (enrol, use, sign, rekey; with an EC and with an RSA card) one run without a fault writes
down which calls are made.  Then each of these calls is made to fail: by return values, before and after the real module
has done it, by wrong lengths, stale handles, other bytes, a card that is pulled out, a logout by another program, a
hang, the end of the process.  The first call of each function returns every value that PKCS#11 knows; calls after it of the
same function go through the same code, and return those that cards do return.  EVERY n: only each nth of all these.

After each run must hold: the fault was met; what the card computed with a key and is other bytes was not believed; the
room said what failed, with a code that is the card's and not ours; it was killed by nothing but the fault itself; it left
no memory behind (with sanitizers); it tried the PIN once at most; every key it handed opens its record, and came after a
signature over the log as told that verifies.
"""

import collections
import contextlib
import itertools
import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from cryptography.exceptions import InvalidTag

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from program import adopt_orphans  # noqa: E402
from rooms import NONE, Room, has_walls, parse  # noqa: E402
from sealing import digest, unseal  # noqa: E402
from telling import Use, prepared, tell  # noqa: E402
from treelog import checkpoint, verify_note  # noqa: E402

HEADER = Path("/usr/include/p11-kit-1/p11-kit/pkcs11.h")
EXTRA = (0x42, 0x1b8, 0x1b9, 0x201, 0x202, 0x203, 0x80000003, 0xffffffff)  # newer, a vendor's, nonsense
COMMON = (0x5, 0x6, 0x30, 0x32, 0x54, 0xa0, 0xa4, 0xb3, 0xe0, 0x101, 0x150)
SPOILT = ("short", "long", "endless", "garbage", "stale", "vanish", "moved")
LEAK = 99
PROGRESS = 1000  # it takes hours: so often it says how far it is
# The card's, its PIN's or the configuration's: never "our own fault", nor the log's.
CODES = {10, 14, 15, 20, 21, 22, 23}
PATIENCE = 20
HANG_SECONDS = 2  # from one message to the next, when the plan is that none comes: keys are made in less
ENDS = ("die", "hang")  # what ends the process
COMPUTED = ("C_Sign", "C_Decrypt", "C_DeriveKey", "C_UnwrapKey")  # with a key: compared with what it must be
KINDS = {"ec": "ec:P-256", "rsa": "rsa:2048"}


def return_values():
    """Every CKR that the header has, but for CKR_OK, and some that it does not have."""
    found = re.findall(r"^#define\s+CKR_\w+\s+\(?(?:CKR_VENDOR_DEFINED\s*\|\s*)?(0x[0-9a-f]+|\d+)",
                       HEADER.read_text(encoding="ascii"), re.MULTILINE)
    return sorted({int(value.rstrip("UL"), 0) for value in found} - {0} | set(EXTRA))


class Broken(AssertionError):
    """What must hold does not."""


def require(condition, words):
    """One thing that must hold after every run."""
    if not condition:
        raise Broken(words)


class Task:
    """One task of the card room, run again and again with other faults."""

    def __init__(self, programs, shim, facts, kind):
        self.programs, self.shim, self.facts, self.kind = programs, shim, facts, kind
        self.base = Path(tempfile.mkdtemp(prefix="p11f-"))
        self.counts = self.base / "counts"
        self.finds_leaks = not has_walls(programs)

    def remove(self):
        """The cards' copies."""
        shutil.rmtree(self.base)

    def environment(self, plan):
        """The module's profile, with a fresh copy of the card: what a run calls depends on what stands there."""
        cards = self.base / "tokens"
        shutil.rmtree(cards, ignore_errors=True)
        shutil.copytree(self.source, cards)
        conf = (self.facts.vault.directory / "soft/softhsm2.conf").read_text("ascii")
        (self.base / "softhsm2.conf").write_text(
            re.sub(r"(?m)^directories.tokendir.*$", f"directories.tokendir = {cards}", conf),
            "ascii")
        self.counts.unlink(missing_ok=True)
        values = {"SOFTHSM2_CONF": str(self.base / "softhsm2.conf"),
                  "P11FAULT_MODULE": "/usr/lib/softhsm/libsofthsm2.so",
                  "P11FAULT_COUNTS": str(self.counts), "P11FAULT_PLAN": plan or ""}
        if self.finds_leaks:
            values["ASAN_OPTIONS"] = f"detect_leaks=1:exitcode={LEAK}"
        return values

    @property
    def source(self):
        """The directory with the card as it is before the task."""
        return self.facts.vault.directory / "soft/tokens"

    def use(self):
        """All that is said of the log."""
        made = Use(self.facts)
        opening = made.opening()
        opening[0] = str(self.shim)
        made.opening = lambda: opening
        return made

    def calls(self):
        """Which calls were made, in order, with what they returned."""
        if not self.counts.exists():
            return []
        return [tuple(line.split()) for line in self.counts.read_text("ascii").splitlines()]

    def run(self, plan):
        """One run; what came of it, in a word."""
        self.note = self.last = None
        with Room(self.programs, "card", self.environment(plan),
                  arguments=["--writable", str(self.base)]) as room:
            said, hangs = None, bool(plan) and plan.endswith(":hang")
            for channel in (room.channel, room.keys):
                channel.settimeout(HANG_SECONDS if hangs else PATIENCE)
            try:
                said = self.talk(room)
            except TimeoutError:
                os.kill(room.pid, signal.SIGKILL)  # what a front does at its deadline
                require(hangs, "hangs")
            except Ended as ended:
                said = ended.said
            room.close()
            room.wait(PATIENCE)
            left = room.on_keys()
        return self.judge(plan, room, said, left)

    def judge(self, plan, room, said, left):
        """What must hold after every run."""
        logins = sum(name == "C_Login" for name, _ in self.calls())
        require(logins <= 1, f"{logins} logins for one PIN")
        killed = room.code < 0
        if killed:
            require(plan and plan.rsplit(":", 1)[1] in ENDS, f"ended by {-room.code}")
        if plan:
            self.must_have_met(plan, killed)
        require(room.code != LEAK, f"leaks: {room.said}")
        names = {name for name, _ in left}
        require("key" not in names, "a key that nobody asked for")
        require(bool(self.note) or names <= {"appkey"}, f"{names} without a signature")
        if killed:
            return "ended"
        if said is None:
            require(not (plan and self.spoils_a_result(plan)), "believes what the card computed")
            require(room.code == 0, f"ended with {room.code} and no word: {room.said}")
            return "done"
        code, text, hint = self.last = said
        require(plan, f"fails without a fault: {said}")
        require(room.code == code, f"ended with {room.code} but said {code}")
        # A card that computes wrongly cannot be told from a record that was sealed wrongly: both are said.
        wrong = plan.endswith(":garbage") and "cannot be opened" in text and "the card may" in hint
        require(code in CODES or wrong, f"code {code}: {text}")
        require(text and len(text) < 1024, "no words")
        return f"code {code}"

    def must_have_met(self, plan, killed):
        """The planned call was made, and it did what was planned."""
        name, at, kind = plan.split(":")
        returned = [value for call, value in self.calls() if call == name][int(at) - 1:int(at)]
        wanted = kind if kind in ENDS else kind.partition("=")[2]
        require(returned and wanted in ("", *returned), f"the fault was not met: {returned}")
        require(killed == (kind in ENDS), f"'{kind}' and not killed, or the reverse")

    def spoils_a_result(self, plan):
        """Whether other bytes stand for what was computed with a key, or for the handle by which it is read."""
        name, at, kind = plan.split(":")
        calls = [call for call, _ in self.calls()]
        place = [number for number, call in enumerate(calls) if call == name][int(at) - 1]
        is_read = name == "C_GetAttributeValue" and calls[place - 1] in COMPUTED
        return kind == "garbage" and (name in COMPUTED or is_read)

    # ---- what a front does ----

    def hear(self, room, name):
        """The fields of the message that must come now."""
        try:
            data = room.channel.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Ended(None)
        got, values = parse(data)
        if got == "fail":
            raise Ended(values)
        require(got == name, f"'{got}' where '{name}' belongs")
        return values

    def log_in(self, room):
        """The PIN may be tried, once."""
        self.hear(room, "trying")
        room.send("try")
        self.hear(room, "tried")
        self.hear(room, "loggedin")

    def take_signature(self, room, use, vkey):
        """What was signed is the log as told, and nothing else."""
        note, size, *_ = self.hear(room, "signed")
        require(size == len(use.entries), "signed another size")
        text = verify_note(note, vkey)
        require(text == checkpoint(use.origin, use.leaves(len(use.entries))), "signed another log")
        self.note = note

    def end(self, room):
        """Until it has ended by itself."""
        room.send("end")
        if room.channel.recv(65536):
            raise Broken("said something after the end")


class Ended(Exception):
    """The room has said that it failed, or is gone."""

    def __init__(self, said):
        super().__init__()
        self.said = said


class Enrol(Task):
    """A new card: two keys made on it, one proved, one signs."""

    name = "enrol"

    @property
    def source(self):
        """EC keys are made; of RSA keys, which take long, those that are there are taken."""
        return self.facts.vault.base / "blank" if self.kind == "ec" else super().source

    def talk(self, room):
        use = self.use()
        room.send("enroll", *use.opening()[:4], KINDS[self.kind], "", use.origin,
                  str(use.trust))
        self.log_in(room)
        serial, label, model, maker, kid, jwk, alg, vkey, _, _ = self.hear(room, "enrolled")
        use.plant("card", card=serial, label=label, model=model, manufacturer=maker, kid=kid,
                  jwk=json.loads(jwk), alg=alg, sign=vkey)
        tell(room, [use.head(), *use.tail(), ["sign"]])
        self.take_signature(room, use, vkey)
        self.end(room)


class Open(Task):
    """An exchange: signed, unwrapped, a key for each record."""

    name = "use"

    def talk(self, room):
        use = self.use()
        room.send("open", *use.opening())
        self.log_in(room)
        self.hear(room, "ready")
        tell(room, [*use.orders(), ["sign"]])
        self.take_signature(room, use, self.facts.read_entry(self.facts.card_index)["sign"])
        opened = json.loads(use.entries[-1])["opens"]
        parse(room.keys.recv(65536))
        for number, name, _, jwe in use.unlocks:
            room.send("hand", number, NONE)
            self.hear(room, "handed")
            got, values = parse(room.keys.recv(65536))
            require(got == "key" and unseal(jwe, values[2])["name"] == name, "another key")
            require(digest(jwe) in [one["digest"] for one in opened], "a key without an intent")
        self.end(room)


class Sign(Task):
    """`app add`: an app key is made and signed for; none is unwrapped."""

    name = "sign"

    def talk(self, room):
        use = self.use()
        use.count = use.slots = 0
        opening = use.opening()
        opening[4] = opening[5] = 0
        room.send("open", *opening)
        self.log_in(room)
        self.hear(room, "ready")
        tell(room, [use.head(), use.recipient(), ["make", "bds"]])
        record, key, kid, cards = self.hear(room, "made")
        use.plant("app", app="bds")
        use.plant("app-key", app="bds", digest=digest(record), jwk=json.loads(key), kid=kid,
                  cards=json.loads(cards))
        tell(room, [*use.tail(), ["sign"]])
        self.take_signature(room, use, self.facts.read_entry(self.facts.card_index)["sign"])
        self.end(room)


class Rekey(Task):
    """`app rekey`: another app key beside the old one; a key for each record, and one for what it becomes."""

    name = "rekey"

    def talk(self, room):
        use = self.use()
        opening = use.opening()
        opening[3], opening[5] = "app rekey ads", use.count
        use.set_intent(verb="app rekey", name="ads", origin="",
                       seals=[name for _, name, _, _ in use.unlocks])
        room.send("open", *opening)
        self.log_in(room)
        self.hear(room, "ready")
        first = len(use.orders()) - len(use.tail())
        tell(room, [*use.orders()[:first], use.recipient(), ["rekey"]])
        record, jwk, kid, cards = self.hear(room, "made")
        use.plant("app-key", digest=digest(record), jwk=json.loads(jwk), kid=kid,
                  cards=json.loads(cards))
        require(kid != self.facts.read_entry(self.facts.key_index)["kid"], "the same key")
        tell(room, [*use.tail(), ["sign"]])
        self.take_signature(room, use, self.facts.read_entry(self.facts.card_index)["sign"])
        got, values = parse(room.keys.recv(65536))
        require((got, values) == ("appkey", [jwk]), "what is issued is sealed to another key")
        for number, name, _, jwe in use.unlocks:
            require(unseal(jwe, self.take_key(room, number))["name"] == name, "another key")
            fresh = self.take_key(room, use.count + number)
            with contextlib.suppress(InvalidTag):
                raise Broken(f"the old record opens with the new key: {unseal(jwe, fresh)}")
        self.end(room)

    def take_key(self, room, number):
        """A key that is handed over when asked for."""
        room.send("hand", number, NONE)
        self.hear(room, "handed")
        got, values = parse(room.keys.recv(65536))
        require(got == "key" and values[0] == number, "another key")
        return values[2]


TASKS = (Enrol, Open, Sign, Rekey)


def plans(calls):
    """Each call with each fault, for the calls of a run without one."""
    counted = collections.Counter()
    others = [*SPOILT, "die", "hang"]
    first = [*(f"rv={value:#x}" for value in return_values()), *(f"late={v:#x}" for v in COMMON)]
    later = [*(f"rv={value:#x}" for value in COMMON)]
    for name, _ in calls:
        counted[name] += 1
        for fault in [*(first if counted[name] == 1 else later), *others]:
            yield f"{name}:{counted[name]}:{fault}"


def work(jobs, results, programs, shim, cards):
    """One process: takes plans until there are none."""
    adopt_orphans()
    try:
        with tasks_of(programs, shim, cards) as tasks:
            for name, plan in iter(jobs.get, None):
                try:
                    outcome = tasks[name].run(plan)
                except Exception as error:  # pylint: disable=broad-except
                    outcome = f"BROKEN {type(error).__name__}: {error}"
                results.put((name, plan, outcome))
    finally:
        results.put(None)


@contextlib.contextmanager
def tasks_of(programs, shim, cards):
    """All tasks on cards of both kinds, by name."""
    made = {f"{task.name}/{kind}": task(programs, shim, facts, kind)
            for kind, facts in cards.items() for task in TASKS}
    try:
        yield made
    finally:
        for task in made.values():
            task.remove()


def first_calls(programs, shim, cards):
    """What each task calls when nothing fails."""
    calls = {}
    with tasks_of(programs, shim, cards) as tasks:
        for name, task in tasks.items():
            outcome = task.run(None)
            assert outcome == "done", (name, outcome, task.last)
            calls[name] = task.calls()
    return calls


def campaign(programs, shim, every):
    """All of it; the number of runs that did not end as they must.

    The cards are made once, and every process has copies: how many of a card's objects are looked at until the right
    one is found differs from card to card.
    """
    with contextlib.ExitStack() as stack:
        cards = {kind: stack.enter_context(prepared(programs, key)) for kind, key in KINDS.items()}
        firsts = first_calls(programs, shim, cards)
        full = [(name, plan) for name, calls in firsts.items() for plan in plans(calls)]
        chosen = full[::every]
        outcomes, broken = run_all(chosen, programs, shim, cards)
    return firsts, len(full), len(chosen), outcomes, broken


def run_all(chosen, programs, shim, cards):
    """Every plan by one of several processes: how often each outcome was seen, and what is wrong."""
    workers = os.cpu_count() or 1
    jobs, results = multiprocessing.Queue(), multiprocessing.Queue()
    processes = [multiprocessing.Process(target=work, args=(jobs, results, programs, shim, cards))
                 for _ in range(workers)]
    for process in processes:
        process.start()
    for job in itertools.chain(chosen, [None] * workers):
        jobs.put(job)
    outcomes, broken, running = collections.Counter(), [], workers
    while running:
        found = results.get()
        if found is None:
            running -= 1
            continue
        name, plan, outcome = found
        outcomes["broken" if outcome.startswith("BROKEN") else outcome] += 1
        if outcome.startswith("BROKEN"):
            broken.append(f"{name} {plan}: {outcome}")
            print(broken[-1], flush=True)
        if sum(outcomes.values()) % PROGRESS == 0:
            print(f"{sum(outcomes.values())} of {len(chosen)} runs", flush=True)
    for process in processes:
        process.join()
    return outcomes, broken


def main():
    """Totals at the end; the exit code says whether all is well."""
    programs, shim = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    every = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    began = time.monotonic()
    adopt_orphans()
    firsts, whole, runs, outcomes, broken = campaign(programs, shim, every)
    for name, calls in firsts.items():
        counted = collections.Counter(call for call, _ in calls)
        print(f"{name}: {len(calls)} calls of {len(counted)} functions; login {counted['C_Login']}, "
              f"signatures {counted['C_Sign']}, "
              f"unwrapped {counted['C_Decrypt'] + counted['C_DeriveKey']}")
    print(", ".join(f"{count} {what}" for what, count in sorted(outcomes.items())))
    leaks = "" if has_walls(programs) else "0 leaks, "
    if broken or runs != sum(outcomes.values()):
        print(f"FAILED: fault campaign: {len(broken)} of {runs} runs")
        return 1
    print(f"ok: fault campaign: {runs} of {whole} faults, 0 crashes, {leaks}at most one login for a "
          f"PIN, no key without a signature, 0 hangs ({time.monotonic() - began:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
