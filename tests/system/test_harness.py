"""The harness itself: what it says of other programs must be true."""

import base64
import os
import signal
import urllib.parse

import pytest

from canary import Canaries
from program import Hung, Processes, Program

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


def shell(text, processes, **how):
    """A shell command as the program under test."""
    return Program(["/bin/sh", "-c", text], ENVIRONMENT, processes, **how)


def test_results(processes):
    """Exit code and both outputs, apart."""
    code, out, err = shell("echo result; echo message >&2; exit 21", processes).finish()
    assert (code, out, err) == (21, "result\n", "message\n")


def test_ended_by_a_signal(processes):
    """Python's form: the negative number."""
    assert shell("kill -TERM $$", processes).finish().code == -signal.SIGTERM


def test_environment_is_ours_alone(processes, monkeypatch):
    """Nothing of the caller's environment comes through."""
    monkeypatch.setenv("P11V_CANARY", "1")
    assert "CANARY" not in shell("env", processes).finish().out


def test_input(processes):
    """More than a pipe holds, both ways; and none at all is the end of input."""
    text = "x" * 300000
    assert shell("cat", processes, stdin=text).finish().out == text
    assert shell("cat", processes).finish().out == ""
    assert shell("exit 3", processes, stdin=text).finish().code == 3


def test_no_terminal_unless_asked_for(processes):
    """A program finds none, so it cannot hang at a prompt of this test run's terminal."""
    assert shell(": </dev/tty", processes).finish().code != 0


def test_dialogue_at_the_terminal(processes):
    """Prompts are waited for in order; the terminal is apart from output and input."""
    text = ("exec 3<>/dev/tty; stty -echo <&3; printf 'PIN: ' >&3; read -r pin <&3;"
            "printf 'name: ' >&3; read -r name <&3; read -r line; echo \"$pin $name $line\"")
    result = shell(text, processes, stdin="piped\n",
                   dialogue=[("PIN: $", "1234"), ("name: $", "ann")]).finish()
    assert result.out == "1234 ann piped\n"
    assert result.terminal.replace("\r", "").replace("\n", "") == "PIN: name: "


def test_terminal_as_input(processes):
    """Without piped input the terminal is the standard input, too; keys are typed as they are."""
    assert shell("test -t 0 && printf '? ' >/dev/tty && read -r x && echo $x", processes,
                 dialogue=[(r"\? ", "typed")]).finish().out == "typed\n"
    assert shell("echo ready >/dev/tty; exec cat", processes,
                 dialogue=[("ready", b"\x03")]).finish().code == -signal.SIGINT


def test_a_prompt_that_never_comes(processes):
    """Is a failure even when the program succeeds."""
    with pytest.raises(AssertionError, match="never asked"):
        shell("exit 0", processes, dialogue=[("PIN", "1234")]).finish()


def test_hung_programs_are_ended(processes):
    """With everything in their session; what they wrote is in the report."""
    program = shell("echo before; cat <&0 >/dev/null", processes, dialogue=[])
    with pytest.raises(Hung, match="before"):
        program.finish(timeout=0.2)
    assert processes.left() == []


def test_a_child_that_holds_the_output_is_found(processes):
    """A room that outlives its front would do this."""
    program = shell("exec 9<>/dev/ptmx; cat <&9 & exit 0", processes)
    with pytest.raises(Hung, match="left a process"):
        program.finish(timeout=0.5)


@pytest.mark.parametrize("detach", ["", "setsid "])
def test_processes_left_are_found(detach):
    """Also one that has left its session; and they are ended."""
    started = Processes()
    text = f"exec 9<>/dev/ptmx; {detach}cat <&9 >/dev/null 2>&1 & exit 0"
    shell(text, started).finish()
    left = started.left(grace=0.1)
    assert len(left) == 1 and left[0].split()[1] in ("cat", "setsid")
    assert started.left(grace=5) == []


def test_a_child_that_is_just_ending_is_not_left(processes):
    """The grace is for this: it has work to do after its parent has ended, and then ends."""
    work = "head -c 3000M /dev/zero"
    assert shell(f"{work} >/dev/null 2>&1 & exit 0", processes).finish().code == 0
    assert processes.left() == []


@pytest.mark.parametrize("disguise", [
    str.encode,
    lambda text: text.encode().hex().encode(),
    lambda text: text.encode().hex().upper().encode(),
    lambda text: "".join(f"%{byte:02X}" for byte in text.encode()).encode(),
    lambda text: "".join(f"%{byte:02x}" for byte in text.encode()).encode(),
    lambda text: base64.b64encode(text.encode()),
    lambda text: base64.b64encode(b"1" + text.encode()),
    lambda text: base64.b64encode(b"12" + text.encode() + b"rest"),
    lambda text: base64.urlsafe_b64encode(b"12" + text.encode()),
    lambda text: urllib.parse.quote_plus(text).encode(),
])
@pytest.mark.parametrize("start", [0, 5, 24])
def test_fragments_are_found(canaries, tmp_path, disguise, start):
    """Eight bytes from anywhere in the secret, in every form, in text, file and file name."""
    piece = disguise(canaries.app_secret[start:start + 8])
    assert canaries.leaks(texts=[b"before " + piece + b"\0after"])
    (tmp_path / "deep").mkdir()
    assert canaries.leaks([tmp_path]) == []
    (tmp_path / "deep" / "file").write_bytes(os.urandom(5000) + b"\0" + piece + b"\0")
    assert len(canaries.leaks([tmp_path])) == 1
    if b"/" not in piece:
        (tmp_path / "deep" / f"x{piece.decode()}").touch()
        assert len(canaries.leaks([tmp_path])) == 2


def test_fragments_with_special_characters():
    """Those that base64 writes with + and / or - and _, and that URLs escape."""
    canaries = Canaries()
    secret = canaries.add("odd", "~?>~?>~?>|" + "/+&=%" * 3)
    for text in (secret, urllib.parse.quote(secret, safe=""),
                 base64.b64encode(secret.encode()).decode(),
                 base64.urlsafe_b64encode(b"0" + secret.encode()).decode()):
        assert canaries.leaks(texts=[text]), text


def test_innocent_texts_are_not_found(canaries, tmp_path):
    """Seven bytes are no leak, nor is anything random; and a report never quotes the piece."""
    assert canaries.leaks(texts=[canaries.app_secret[:7], os.urandom(1000).hex()]) == []
    (tmp_path / "random").write_bytes(os.urandom(1000000))
    assert canaries.leaks([tmp_path]) == []
    report = canaries.leaks(texts=[canaries.app_secret])
    assert report == ["text 0 at 0: app secret, raw"]
    assert Canaries().leaks(texts=report) == []


def test_a_path_that_is_not_there_is_no_clean_path(canaries, tmp_path):
    """A misspelt directory must not pass as free of leaks."""
    with pytest.raises(FileNotFoundError):
        canaries.leaks([tmp_path / "missing"])


def test_a_ready_vault_is_ready(ready_vault, graph, canaries, run):
    """What the fixtures promise: card, app and grant are there, and the stand-in knows them."""
    result = run("exchange", "ads/user/alice")
    assert result.code == 0, result
    assert [one["step"] for one in graph.requests()] == ["debug_token", "exchange", "debug_token"]
    canaries.add_issued(graph)
    assert canaries.leaks([ready_vault.directory, ready_vault.home, ready_vault.tmp,
                           ready_vault.config.parent], [result.out, result.err]) == []
    assert canaries.leaks([ready_vault.base])  # the files that the harness gave to the programs


def test_a_typed_token_is_not_shown(ready_vault, canaries, run):
    """The terminal shows the prompt and nothing of what was typed."""
    token = canaries.add("typed token", "EAA" + canaries.app_secret * 3)
    result = run("import", "ads/user/bob", pty=[("access token: ?$", token)])
    assert result.code == 0, result
    assert "access token:" in result.terminal
    assert canaries.leaks([ready_vault.directory], [result.out, result.err, result.terminal]) == []
