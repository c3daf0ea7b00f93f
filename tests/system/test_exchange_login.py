"""The exchange room, driven directly: logins, whose answer comes to a loopback address or is pasted."""

import contextlib
import os
import socket
import threading

import pytest

from logging_in import ADDRESSES, BUSY, CODE, Login, free_port, has_ipv6
from rooms import FAULT, Room

USAGE, RETRY, LOGIN, PERMISSION, CONFIG, STOP = 2, 10, 12, 13, 14, 15


@pytest.fixture(name="room")
def _room(programs):
    """An exchange room that has been told nothing yet."""
    with Room(programs, "exchange") as room:
        yield room


@pytest.fixture(name="login")
def _login(room):
    """A login that waits for its answer."""
    return Login(room, free_port()).begin()


@contextlib.contextmanager
def pasting(programs, text, seconds=20, ends=True):
    """A login whose answer is to come from standard input, with the writing end."""
    ours, theirs = os.pipe()
    with Room(programs, "exchange", stdin=ours) as room, os.fdopen(theirs, "wb", 0) as pipe:
        os.close(ours)
        login = Login(room, 0, seconds,
                      redirect_uri="https://www.facebook.com/connect/login_success.html").begin()
        with contextlib.suppress(BrokenPipeError):  # its time may have ended already
            pipe.write((text(login) if callable(text) else text).encode())
        if ends:
            pipe.close()
        yield login


# ---- the dialog ----

def test_the_dialog(login):
    """What the person's browser is sent to; the state is the room's own."""
    assert login.address.startswith("https://www.facebook.com/v26.0/dialog/oauth?")
    asked = login.asked
    assert len(asked.pop("state")) == 64
    assert asked == {"client_id": "1234567890", "redirect_uri": f"http://localhost:{login.port}/",
                     "response_type": "code", "scope": "ads_read"}
    login.redirect()
    login.came()


def test_every_login_has_another_state(programs):
    """It cannot be foretold."""
    states = set()
    for _ in range(3):
        with pasting(programs, "") as login:
            states.add(login.state)
            login.room.refuses(USAGE, "it is empty")
    assert len(states) == 3


def test_pkce_goes_with_openid(programs):
    """The verifier stays in the room."""
    with Room(programs, "exchange") as room:
        login = Login(room, free_port(), scopes="openid,ads_read").begin()
        assert login.asked["code_challenge_method"] == "S256"
        assert len(login.asked["code_challenge"]) == 43
        login.redirect()
        login.came()


@pytest.mark.parametrize("text, code, part", [
    ("", STOP, "dialog"), ("{", STOP, "dialog"), ("[]", STOP, "not a JSON object"),
    ('{"client_id":"1","client_id":"2"}', STOP, "dialog"), ('{"client_id":7}', FAULT, ""),
    ('{"secret":"x"}', FAULT, ""), ('{"state":"0123456789abcdef"}', FAULT, ""),
], ids=range(7))
def test_dialogs_that_are_none(room, text, code, part):
    """Nobody listens for their answer."""
    login = Login(room, free_port())
    login.order(text=text)
    room.refuses(code, part)
    assert not login.listens()


@pytest.mark.parametrize("order, code, part", [
    ({"provider": "nobody"}, FAULT, "invalid login"),
    ({"port": 65536}, FAULT, "invalid login"),
    ({"port": 2 ** 64 - 1}, FAULT, "invalid login"),
])
def test_orders_that_are_none(room, order, code, part):
    """The front would not send them."""
    Login(room, free_port()).order(**order)
    room.refuses(code, part)


@pytest.mark.parametrize("changes, code, part, hint", [
    ({"redirect_uri": "http://localhost:1/"}, USAGE, "leads to port 1, not to port", "--port 1"),
    ({"redirect_uri": "https://example.com/"}, USAGE, "does not lead to this machine", "--paste"),
    ({"redirect_uri": "http://example.com/"}, USAGE, "does not lead to this machine", "--paste"),
    ({"client_id": "x"}, CONFIG, "login dialog: ", ""),
    ({"scopes": "a b"}, USAGE, "login dialog: ", ""),
])
def test_dialogs_that_cannot_be_asked_for(room, changes, code, part, hint):
    """With what is wrong."""
    login = Login(room, free_port(), **changes)
    login.order()
    room.refuses(code, part, hint)
    assert not login.listens()


# ---- the loopback address ----

@pytest.mark.parametrize("host", ADDRESSES)
def test_the_code_comes(login, host):
    """At either address; afterwards nobody listens, and the front hears nothing of it."""
    if host == "::1" and not has_ipv6():
        pytest.skip("this machine has no ::1")
    status, headers, page = login.redirect(host=host)
    assert (status, CODE in page, login.state in page) == (200, False, False)
    assert headers["Connection"] == "close" and headers["Cache-Control"] == "no-store"
    assert "The login has arrived" in page
    assert login.room.expect("came") == []
    assert not login.listens()
    login.room.close()
    login.room.wait()
    assert "canary" not in login.room.said


def test_another_state_first(login):
    """It is told that it is none; the right one still counts."""
    for query in (login.answer(state="0123456789abcdef0123456789abcdef"),
                  login.answer(state=None), login.answer(code=None), "",
                  login.answer() + "&code=again", login.answer(error="access_denied"),
                  login.answer(code=None, state=None, error="access_denied"),
                  login.answer(code=None, state=None, error_code="2", error_message="x")):
        status, _, page = login.redirect(query)
        assert (status, "This is not the answer" in page) == (400, True), query
    assert login.redirect()[0] == 200
    login.came()


def test_what_else_browsers_and_strangers_send(login):
    """Icons, other methods, frames of other pages, names that were bent."""
    answer = "/?" + login.answer()
    assert login.get("/favicon.ico")[0] == 404
    assert login.get("/elsewhere?" + login.answer())[0] == 404
    for method in ("HEAD", "POST", "OPTIONS"):
        status, headers, _ = login.get(answer, method=method)
        assert (status, headers["Allow"]) == (405, "GET")
    for host in ("evil.example", f"evil.example:{login.port}", "localhost", "localhost:1"):
        assert login.get(answer, Host=host)[0] == 421
    for kind in ("image", "iframe", "empty"):
        assert login.get("/?error=access_denied", Sec_Fetch_Dest=kind)[0] == 400
    assert login.get(answer, Sec_Fetch_Dest="document")[0] == 200
    login.came()


def test_a_long_path(programs):
    """As the app's dashboard has it."""
    with Room(programs, "exchange") as room:
        port = free_port()
        login = Login(room, port, redirect_uri=f"http://127.0.0.1:{port}/a/b?c=d").begin()
        assert login.redirect()[0] == 404
        assert login.get(f"/a/b?c=d&{login.answer()}", Host=f"127.0.0.1:{port}")[0] == 200
        login.came()


@pytest.mark.parametrize("given, code, part, hint, heading", [
    ({"error": "access_denied", "error_reason": "user_denied"}, LOGIN, "has declined",
     "--rerequest", "The login was declined"),
    ({"error": "temporarily_unavailable"}, RETRY, "out of order", "p11vault login",
     "cannot log you in now"),
    ({"error": "invalid_scope"}, CONFIG, "does not know a permission", "dashboard",
     "refused the login"),
    ({"error_code": "100", "error_message": "canary"}, CONFIG, "", "", "refused the login"),
    ({"error_code": "987654", "error_message": "canary"}, CONFIG, "", "", "refused the login"),
])
def test_the_provider_says_no(login, given, code, part, hint, heading):
    """The login is over, with one action; what the provider wrote is shown nowhere."""
    status, _, page = login.redirect(login.answer(code=None, **given))
    assert (status, heading in page, "canary" in page) == (200, True, False)
    login.room.refuses(code, part, hint)
    assert not login.listens()
    assert "canary" not in login.room.said


@pytest.mark.parametrize("host", ADDRESSES)
def test_a_port_that_is_taken(room, host):
    """At one of the two is enough: the browser might go there."""
    if host == "::1" and not has_ipv6():
        pytest.skip("this machine has no ::1")
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host
                              else socket.AF_INET) as other:
        Login(room, other.getsockname()[1]).order()
        room.refuses(BUSY, "is taken by another process", "p11vault login NAME --port N")


def test_a_login_after_another(programs):
    """At the same port at once, although the kernel remembers the first."""
    port = free_port()
    for _ in range(2):
        with Room(programs, "exchange") as room:
            login = Login(room, port).begin()
            assert login.redirect()[0] == 200
            login.came()


def test_two_logins_at_the_same_port(programs, login):
    """The second does not take the first one's answer."""
    with Room(programs, "exchange") as second:
        Login(second, login.port).order()
        second.refuses(BUSY, "is taken by another process")
    assert login.redirect()[0] == 200
    login.came()


def test_nobody_answers(room):
    """At once, when no time is given."""
    Login(room, free_port(), seconds=0).begin()
    room.refuses(RETRY, "in time", "p11vault login NAME")


def test_silent_and_slow_visitors(login):
    """They keep nobody out, however many."""
    with contextlib.ExitStack() as held:
        for number in range(20):
            one = held.enter_context(socket.create_connection(("127.0.0.1", login.port)))
            one.sendall(b"GET /?code=canary"[:number])
        assert login.redirect()[0] == 200
        login.came()


def test_the_answer_many_times_at_once(login):
    """Whichever is first; the others do no harm."""
    statuses = []

    def ask():
        with contextlib.suppress(OSError):
            statuses.append(login.redirect()[0])

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 200 in statuses and set(statuses) == {200}
    login.came()


# ---- pasted ----

@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "#_=_\n"])
def test_a_pasted_address(programs, ending):
    """The whole address."""
    with pasting(programs, lambda login: login.url() + ending) as login:
        login.came()


def test_a_pasted_query(programs):
    """Or what stands behind the question mark."""
    with pasting(programs, lambda login: login.answer()) as login:
        login.came()


@pytest.mark.parametrize("text, code, part", [
    ("", USAGE, "it is empty"),
    ("canary", STOP, "it does not belong to this login"),
    ("https://www.facebook.com/?code=canary&state=0123456789abcdef0123", STOP, "another state"),
    (lambda login: login.answer(code=None, error="access_denied"), LOGIN, "has declined"),
    ("x" * 20000, USAGE, "longer than"),
], ids=range(5))
def test_pasted_text_that_is_no_answer(programs, text, code, part):
    """What it was is not said."""
    with pasting(programs, text) as login:
        login.room.refuses(code, part)
        assert "canary" not in login.room.said


def test_nothing_is_pasted(programs):
    """The end of the time that was given."""
    with pasting(programs, "half", seconds=0, ends=False) as login:
        login.room.refuses(RETRY, "nothing came in time")
