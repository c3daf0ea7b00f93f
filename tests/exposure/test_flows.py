"""Logins, lists, what is issued, renewed and revoked: the same zeros as in an exchange, at every wait.

What may stand outside the card room's app key is said in each test: a login's state while its answer is awaited, a code that
waits for the card's PIN, and the code of a device while a person confirms, each in one locked page of the exchange room.
"""

import html
import re
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from browsing import open_dialog
from cards import GRANT
from logging_in import free_port
from killing import points
from scene import AFTER
from stage import APP_KEY, CARD, EXCHANGE, awaited, steps_of, waits

BOB = "ads/user/bob"
PAGE = "1353269864728879"
PASTED = "https://www.facebook.com/connect/login_success.html"
LOGIN = [("code", 1), ("exchange", 1), ("debug_token", 1)]
BATCH = 100
ADDRESS, PIN, QUESTION = "wait for the address", "wait for the PIN", "wait for the person"


@pytest.fixture
def stage(stage):  # pylint: disable=redefined-outer-name
    """A person at the browser, with a page, who says yes."""
    stage.graph.person(stage.vault.user_id, name="Ann", answer="grant",
                       pages=[{"id": PAGE, "name": "Ann's page"}])
    stage.vault.configure(f"[meta]\ndialog = {stage.graph.origin}\n")
    return stage


def ask_pin(stage):
    """A person types it: a wait that can be looked at."""
    stage.card.change("pin-source", None)
    return (r"\): $", stage.pin, PIN)


def dialog(stage, url):
    """Where the browser is sent."""
    return open_dialog(SimpleNamespace(ca=stage.graph.ca, port=stage.graph.port), url)


def stands(needle, moment):
    """In one locked page of the exchange room."""
    return {(EXCHANGE, moment): [(needle, "raw", True)]}


def learn_state(stage, url):
    """Whoever has it can answer in the provider's place; only the browser's page and the screen show it."""
    stage.needles.add("state", parse_qs(urlsplit(url).query)["state"][0])


def test_login_pasted(stage):
    """The address stands nowhere once it is read, the code in one page until the card has been asked."""
    stage.graph.set_app(stage.vault.app_id, redirect_uris=[PASTED], mode="live")
    stage.plan(LOGIN)
    stage.hold()

    def address(scene):
        redirect = dialog(stage, shown(scene))
        stage.learn()
        return redirect.location

    def shown(scene):
        return scene.said(rb"\n  (https://\S+)\n\nthen paste")[1].decode()

    scene = stage.start("login", BOB, "--paste", talk=[
        ("sent to: $", address, ADDRESS), ask_pin(stage), (r"\[y/N\] $|\[Y/n\] $", "y", QUESTION)])
    learn_state(stage, shown(scene))
    scene.talk_through(left=1)
    stage.at_each_answer(scene)
    allowed = {**stands("state", ADDRESS), **stands("code:0", PIN), (CARD, QUESTION): APP_KEY}
    stage.judge(scene, 0, [*waits(ADDRESS, rooms=(EXCHANGE,)), *waits(PIN, *awaited(3), QUESTION)],
                allowed)


@pytest.mark.parametrize("options, steps", [
    ((), LOGIN), (("--config-id", "7"), [("code", 1), ("debug_token", 1), ("debug_token", 2)])],
    ids=["person", "system-user"])
def test_login_by_loopback(stage, options, steps):
    """The browser brings the code straight to the exchange room.

    With the configuration the grant is a system user's: it is sealed anew under another name in between.
    """
    port = free_port()
    stage.graph.set_app(stage.vault.app_id, redirect_uris=[f"http://localhost:{port}/"],
                        mode="development", configs={"7": {"token": "system_user"}})
    stage.plan(steps)
    stage.hold()
    scene = stage.start("login", BOB, "--port", port, "--yes", *options, talk=[ask_pin(stage)],
                        env={"BROWSER": "/bin/true"})
    page = Path(scene.said(rb"if none opened, open (\S+)\n")[1].decode())
    url = html.unescape(re.search('href="([^"]+)"', page.read_text())[1])
    learn_state(stage, url)
    scene.look(ADDRESS)
    redirect = dialog(stage, url)
    stage.learn()
    assert redirect.follow()[0] == 200
    scene.talk_through()
    stage.at_each_answer(scene)
    allowed = {**stands("state", ADDRESS), **stands("state", AFTER), **stands("code:0", PIN)}
    stage.judge(scene, 0, [*waits(ADDRESS, rooms=(EXCHANGE,)), *waits(PIN, *awaited(3))], allowed)


def test_login_by_device(stage):
    """Its code and the client token stand in a page each until the person has confirmed: each poll needs both."""
    token = stage.graph.set_app(stage.vault.app_id)["client_token"]
    stage.needles.add("client-token", token)
    file = stage.vault.write("given/client-token", token)
    stage.plan([("device_start", 1), ("device_poll", 1), ("exchange", 1), ("debug_token", 1)])
    stage.hold()
    scene = stage.start("login", BOB, "--device", "--client-token-file", file, "--yes")
    stage.at_each_answer(scene, 1)
    scene.said(rb"and type (\S+)")
    stage.learn()
    scene.look(QUESTION)
    stage.graph.device_answer("grant")
    stage.at_each_answer(scene, first=1)
    first, second = awaited(2)
    polled = [("client-token", "raw", True), ("device-code:0", "raw", True)]
    allowed = {**stands("client-token", first), (EXCHANGE, QUESTION): polled,
               (CARD, QUESTION): APP_KEY, (EXCHANGE, second): polled}
    stage.judge(scene, 0, waits(QUESTION, *awaited(4)), allowed)


def test_pages(stage):
    """A list with somebody's grants in it: each is sealed, and the answer gone, before the next is asked about."""
    stage.graph.set_token(stage.vault.token, scopes=["public_profile", "pages_show_list"])
    stage.plan([("debug_token", 1), ("pages", 1), ("debug_token", 2)])
    stage.hold()
    scene = stage.start("pages", GRANT)
    stage.at_each_answer(scene)
    stage.judge(scene, 0, waits(*awaited(3)))


ISSUED = {
    "app": ("ads/app/main", (), [("app_token", 1), ("debug_token", 1)]),
    "session": ("ads/session/one", ("--from", GRANT),
                [("session_info", 1), ("debug_token", 1)]),
}


@pytest.mark.parametrize("name, options, steps", ISSUED.values(), ids=ISSUED)
def test_issue(stage, name, options, steps):
    """From the app itself, and from a grant."""
    stage.plan(steps)
    stage.hold()
    scene = stage.start("issue", name, *options)
    stage.at_each_answer(scene)
    stage.judge(scene, 0, waits(*awaited(len(steps))))


@pytest.mark.parametrize("verb, options, steps", [
    ("inspect", (), [("debug_token", 1)]),
    ("refresh", (), steps_of()),
    ("permissions", (), [("permissions", 1)]),
    ("revoke", ("--yes",), [("take_back", 1)]),
])
def test_of_one_grant(stage, verb, options, steps):
    """What is said, renewed, listed and ended."""
    stage.plan(steps)
    stage.hold()
    scene = stage.start(verb, GRANT, *options)
    stage.at_each_answer(scene)
    stage.judge(scene, 0, waits(*awaited(len(steps))))


def test_batch(stage):
    """A hundred grants by one use of the card: nothing of one stands while another is waited for.

    Looked at is each wait of every twentieth and of the last; a campaign looks at all.
    """
    names = [f"ads/user/u{number}" for number in range(BATCH)]
    for name in names:
        token = stage.graph.add_token(stage.vault.app_id, stage.vault.user_id)
        stage.needles.add(f"token:{name}", token)
        stage.vault.done("import", name, stdin=token)
    stage.case = f"{BATCH} grants"
    looked = set(points(BATCH, 20))
    stage.plan([step for number in range(1, BATCH + 1) if number in looked for step in (
        ("debug_token", 2 * number - 1), ("exchange", number), ("debug_token", 2 * number))])
    stage.hold()
    scene = stage.start("exchange", *names)
    stage.at_each_answer(scene)
    stage.judge(scene, 0, waits(*awaited(len(stage.steps))))
