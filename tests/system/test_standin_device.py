"""The stand-in's device login, with a clock that the tests set."""

import pytest

from graphsteps import PERSON, World

PENDING, SLOW_DOWN, DECLINED, EXPIRED = ((31, 1349174), (17, 1349172), (100, 1349173),
                                         (463, 1349152))


@pytest.fixture
def world(graph):
    """An app, a person, and a client."""
    made = World(graph)
    yield made
    made.caller.close()


def start(world, **changes):
    """Begin; the answer."""
    fields = {"access_token": world.device_token, "scope": "email,pages_show_list", **changes}
    return world.caller.post("device/login", **fields)


def poll(world, code, **changes):
    """Ask how it stands."""
    fields = {"access_token": world.device_token, "code": code, **changes}
    return world.caller.post("device/login_status", **fields)


def test_the_person_confirms(graph, world):
    """Pending until then; afterwards a long-lived token, once."""
    begun = start(world).data
    assert set(begun) == {"code", "user_code", "verification_uri", "expires_in", "interval"}
    assert len(begun["user_code"]) == 8 and begun["interval"] == 5 and begun["expires_in"] == 420
    assert begun["verification_uri"] == "https://www.facebook.com/device"
    assert graph.issued("device code") == [begun["code"]]
    assert poll(world, begun["code"]).error == PENDING
    graph.device_answer(user_code=begun["user_code"], decline=["email"])
    graph.clock(5)
    answer = poll(world, begun["code"]).data
    assert set(answer) == {"access_token", "expires_in", "data_access_expiration_time"}
    facts = graph.token(answer["access_token"])
    assert facts["user_id"] == PERSON and facts["scopes"] == ["pages_show_list"]
    assert answer["expires_in"] == 5183944
    assert answer["data_access_expiration_time"] == facts["data_access_expires_at"]
    graph.clock(10)
    assert poll(world, begun["code"]).error == EXPIRED
    known = world.caller.ask("me/permissions", answer["access_token"]).data["data"]
    assert {one["permission"]: one["status"] for one in known} == {
        "email": "declined", "pages_show_list": "granted"}


def test_asked_too_fast(graph, world):
    """Sooner than the interval, even when the person has confirmed."""
    code = start(world).data["code"]
    assert poll(world, code).error == PENDING
    graph.clock(-3600)
    assert poll(world, code).error == SLOW_DOWN
    graph.clock(-3596)
    graph.device_answer()
    assert poll(world, code).error == SLOW_DOWN
    graph.clock(-3580)
    assert poll(world, code).status == 200


def test_the_person_says_no(graph, world):
    """By subcode; the code beside it can be chosen."""
    code = start(world).data["code"]
    graph.device_answer("decline")
    assert poll(world, code).error == DECLINED
    graph.rules(device_declined_code=31)
    graph.clock(60)
    assert poll(world, code).error == (31, 1349173)


def test_the_code_expires(graph, world):
    """By the stand-in's clock; interval and life by rule."""
    graph.rules(device_interval=1, device_seconds=60)
    begun = start(world).data
    assert (begun["interval"], begun["expires_in"]) == (1, 60)
    graph.clock(61)
    assert poll(world, begun["code"]).error == EXPIRED


def test_no_interval(graph, world):
    """With the rule 0 nobody has to wait."""
    graph.rules(device_interval=0)
    code = start(world).data["code"]
    assert [poll(world, code).error for _ in range(3)] == [PENDING] * 3


def test_devices_know_no_app_secret(graph, world):
    """The client token, in the form or as a bearer; nothing else."""
    wrong = (world.caller.app_token, f"{world.caller.app_id}|", world.user(), "77|x")
    found = [start(world, access_token=token).error for token in wrong]
    assert found == [(190, 0), (190, 0), (101, 0), (101, 0)]
    assert start(world, access_token=None).error == (2500, 0)
    assert world.caller.post("device/login", world.device_token).status == 200
    code = start(world).data["code"]
    assert poll(world, code, access_token=world.caller.app_token).error == (190, 0)
    assert poll(world, "unknown").error == (100, 0)
    assert poll(world, None).error == (100, 0)


def test_device_calls_are_posts(world):
    """A GET is refused."""
    answer = world.caller.ask("device/login", access_token=world.device_token)
    assert answer.error == (100, 33)
