"""App secret, tokens and PIN stand nowhere in clear: not in files, not in output, not in /proc."""

import os
import shutil
import subprocess

import pytest

from cards import GRANT, SoftCard
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from program import Program
from watching import Watched, look

STEPS = [("debug_token", 1), ("exchange", 1), ("debug_token", 2)]
NOBODY = 65534


@pytest.fixture
def watch(ready_vault, graph, canaries):
    """Everything is a canary now, also the PINs; returns a search through all that was written."""
    card = SoftCard(ready_vault)
    shutil.rmtree(ready_vault.base / "given")  # the files that a person had the secrets in
    for file in (card.pin, card.directory / "so-pin"):
        canaries.add(file.name, file.read_text())

    def search(*texts):
        canaries.add_issued(graph)
        files = [path for path in ready_vault.base.rglob("*") if path.is_file()
                 and path not in (card.pin, card.directory / "so-pin")]
        assert ready_vault.directory / "vault.db" in files
        leaks = canaries.leaks([*files, graph.directory / "requests.jsonl"], texts)
        assert leaks == []
        return files
    return search


@pytest.fixture
def walls(programs, vault):
    """Skips where there are none by design."""
    if "sanitizer build" in vault.start_bare("--version").finish().err:
        pytest.skip("a build with sanitizers can be traced and has no walls: this is about walls")


def held(vault, graph, step, which, *options, start=None):
    """An exchange that waits for the answer of a step."""
    graph.misbehave(step, "silent", which)
    count = len(graph.requests(step)) + which
    program = (start or vault.start)("exchange", GRANT, *options)
    graph.wait(f"request:{step}", count)
    return program


def let_go(program, graph):
    """The answer comes; the exchange succeeds."""
    graph.tell("release")
    result = program.finish()
    assert result.code == 0, result
    return result


# ---- what is written and what is seen ----

@pytest.mark.parametrize("step, which", STEPS)
def test_exchange(ready_vault, graph, canaries, watch, step, which):
    """While each answer is awaited, and afterwards; with the store's write-ahead log in between."""
    program = held(ready_vault, graph, step, which, "-v")
    rooms = look(program.pid)
    assert set(rooms) == {"front", "card", "exchange"}
    canaries.add_issued(graph)
    for seen in rooms.values():
        assert canaries.leaks(texts=seen.texts) == []
    files = watch()
    assert [path for path in files if path.name.endswith("-wal") and path.stat().st_size > 0]
    result = let_go(program, graph)
    said = [ready_vault.done(*verb).out for verb in (
        ("status",), ("status", "--json"), ("audit", "show"), ("audit", "show", "--json"))]
    watch(result.out, result.err, *said)


def test_a_failed_exchange(ready_vault, graph, watch):
    """A server that sends everything back."""
    for step, which in STEPS:
        graph.tell("clear_misbehaviours")
        graph.misbehave(step, "echo", which, code=100)
        result = ready_vault.run("exchange", GRANT, "-v")
        assert result.code not in (0, 1), result
        watch(result.out, result.err, ready_vault.done("audit", "show", "--json").out)


@pytest.mark.parametrize("arguments, dialogue, rooms", [
    (("import", "ads/user/bob"), [("access token: $", "token")], [{"front", "exchange"}]),
    (("app", "set-secret", "ads"), [("app secret: $", "secret")], [{"front", "exchange"}]),
    (("app", "add", "more", "--id", "1", "--ask-pin"),
     [("PIN for .*: $", "PIN"), ("app secret: $", "secret")],
     [{"front", "exchange", "card"}, {"front", "exchange", "card"}]),
    (("exchange", GRANT, "--ask-pin"), [("PIN for .*: $", "PIN")], [{"front", "card"}]),
    (("card", "enroll", "--ask-pin"), [("PIN for .*: $", "PIN")], [{"front", "card"}]),
], ids=["import", "set-secret", "app-add", "exchange", "enroll"])
def test_typing(ready_vault, canaries, watch, arguments, dialogue, rooms):
    """While a person is asked: the room that asks, and no other than is needed, and no trace."""
    values = {"token": "EAAB" + os.urandom(40).hex(), "secret": canaries.app_secret,
              "PIN": SoftCard(ready_vault).pin.read_text()}
    canaries.add("typed token", values["token"])
    program = Watched(ready_vault, arguments,
                      [(prompt, values[what]) for prompt, what in dialogue])
    result = program.finish()
    assert result.code == 0, result
    assert [set(seen) for seen in program.seen] == rooms
    for seen in (process for moment in program.seen for process in moment.values()):
        assert canaries.leaks(texts=seen.texts) == []
    watch(result.out, result.err, result.terminal)


def test_the_secret_of_a_new_app_is_typed_last(ready_vault):
    """When it can be sealed at once: while the card's PIN is asked for it stands nowhere."""
    both = SoftCard(ready_vault).pin.read_text()  # whichever is asked for first
    prompt = r"(PIN for .*|app secret): $"
    result = ready_vault.run("app", "add", "more", "--id", "1", "--ask-pin",
                             pty=[(prompt, both), (prompt, both)])
    assert result.code == 0, result
    asked = [line.partition(" ")[0] for line in result.terminal.split("\n")]
    assert asked[:2] == ["PIN", "app"], "the secret is typed before the PIN and waits for the card"


# ---- what the processes are ----

def test_arguments_and_environment_of_the_rooms(ready_vault, graph):
    """Nothing but the name, and of the environment what the module's profile says."""
    program = held(ready_vault, graph, *STEPS[1])
    rooms = look(program.pid)
    let_go(program, graph)
    soft = SoftCard(ready_vault).directory
    assert rooms["card"].arguments == f"p11vault-card\0--writable\0{soft}\0".encode()
    assert rooms["exchange"].arguments == b"p11vault-exchange\0"
    configuration = SoftCard(ready_vault).directory / "softhsm2.conf"
    assert rooms["card"].environment == f"SOFTHSM2_CONF={configuration}\0".encode()
    assert rooms["exchange"].environment == b""


def test_descriptors(ready_vault, graph):
    """Each room has its channel, its way for keys, and the exchange room its connection."""
    program = held(ready_vault, graph, *STEPS[1], "-v")
    rooms = look(program.pid)
    let_go(program, graph)
    for name in ("card", "exchange"):
        assert [rooms[name].descriptors[number] for number in (0, 1)] == ["/dev/null"] * 2
    assert rooms["card"].beyond_standard() == {"unix": 2}
    kinds = rooms["exchange"].beyond_standard()
    assert kinds.pop(f"tcp to {graph.port}") == 1
    kinds.pop("anon_inode:[eventfd]", None)  # libcurl's bell for its own threads, or
    assert set(kinds) == {"unix"} and kinds["unix"] in (2, 4)  # a pair of sockets for that
    front = rooms["front"].beyond_standard()
    assert front.pop("unix") == 2
    directory = str(ready_vault.directory)
    own = tuple(f"{directory}/{name}" for name in ("vault.db", "locks/", "unkept-"))
    assert all(target.startswith(own) for target in front), front


def test_walls(walls, ready_vault, graph):
    """No core, no new privileges; the exchange room is locked while it waits."""
    for step, which in STEPS:
        graph.tell("clear_misbehaviours")
        program = held(ready_vault, graph, step, which)
        rooms = look(program.pid)
        graph.tell("release")
        program.finish()
        for seen in rooms.values():
            core = next(line for line in seen.limits.splitlines() if line.startswith("Max core"))
            assert core.split()[-3:] == ["0", "0", "bytes"]
            assert seen.status["NoNewPrivs"] == "1"
        assert rooms["exchange"].status["Seccomp"] == "2"


# What a debugger of the same user would do first: PTRACE_ATTACH, PTRACE_SEIZE, then process_vm_readv
# and process_vm_writev, and pidfd_getfd for its first descriptor.
ATTACH = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
room = ctypes.create_string_buffer(8)
piece = (ctypes.c_size_t * 2)(ctypes.addressof(room), 8)
for call in (lambda pid: libc.ptrace(16, pid, None, None),
             lambda pid: libc.ptrace(0x4206, pid, None, None),
             lambda pid: libc.process_vm_readv(pid, piece, 1, piece, 1, 0),
             lambda pid: libc.process_vm_writev(pid, piece, 1, piece, 1, 0),
             lambda pid: libc.syscall(438, libc.syscall(434, pid, 0), 3, 0)):
    print(call(int(sys.argv[1])), ctypes.get_errno())
"""
EPERM = 1


def test_not_dumpable(walls, ready_vault, graph, programs):
    """What /proc shows of a process that must not be dumped is root's: its user cannot look in."""
    if os.geteuid() != 0:
        pytest.skip("needs root to run the programs as another user")
    drop = ["/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    # Copies, because the build may lie where that user cannot go.
    programs = shutil.copytree(programs, ready_vault.base / "programs",
                               ignore=lambda _, names: [name for name in names
                                                        if not name.startswith("p11vault")])
    ready_vault.write("conf/ca.pem", graph.ca.read_text())
    text = ready_vault.config.read_text()
    ready_vault.config.write_text(text.replace(str(graph.ca), f"{ready_vault.base}/conf/ca.pem"))
    for path in [ready_vault.base, *ready_vault.base.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)

    def start(*arguments):
        command = [*drop, programs / "p11vault", "--config", ready_vault.config, "--vault",
                   ready_vault.directory, *arguments]
        return Program(command, ready_vault.environment(), ready_vault.processes)

    program = held(ready_vault, graph, *STEPS[1], start=start)
    rooms = look(program.pid)
    peeks = [subprocess.run([*drop, "/bin/cat", f"/proc/{seen.pid}/{secret}"],
                            capture_output=True, check=False)
             for seen in rooms.values() for secret in ("environ", "mem", "maps")]
    attached = {subprocess.run([*drop, "/usr/bin/python3", "-c", ATTACH, str(seen.pid)],
                               capture_output=True, check=True).stdout
                for seen in rooms.values()}
    let_go(program, graph)
    assert len(rooms) == 3
    assert attached == {f"-1 {EPERM}\n".encode() * 5}
    assert {seen.status["Uid"].split()[0] for seen in rooms.values()} == {str(NOBODY)}
    assert {name: seen.owner for name, seen in rooms.items()} == dict.fromkeys(rooms, 0)
    assert {(peek.returncode, peek.stdout) for peek in peeks} == {(1, b"")}


def test_the_search_itself(ready_vault, canaries, watch):
    """Would find eight bytes of the PIN, also in a file of the soft card."""
    watch()
    pin = SoftCard(ready_vault).pin.read_text()
    (ready_vault.directory / "soft" / "note").write_text(f"x{pin[2:10]}x")
    with pytest.raises(AssertionError, match="soft/note"):
        watch()
    assert canaries.leaks(texts=[f"--pin={pin}"])
