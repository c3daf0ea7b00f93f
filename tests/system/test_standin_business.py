"""The stand-in's businesses: system users and their tokens, narrowed and revoked."""

import pytest

from graphcalls import Caller, proof
from graphsteps import BUSINESS, CLIENT_BUSINESS, PERSON, SYSTEM_USER, World


@pytest.fixture
def world(graph):
    """A business with an administrator and a system user, and a client."""
    made = World(graph)
    yield made
    made.caller.close()


def install(world, bearer=None, subject=SYSTEM_USER, **changes):
    """The app for the system user."""
    fields = {"business_app": world.caller.app_id, **changes}
    return world.caller.post(f"{subject}/applications", bearer or world.user(), **fields)


def generate(world, bearer=None, subject=SYSTEM_USER, **changes):
    """A token of the system user."""
    bearer = bearer or world.user()
    fields = {"business_app": world.caller.app_id, "scope": "ads_read,ads_management",
              **world.proof(bearer), **changes}
    return world.caller.post(f"{subject}/access_tokens", bearer, **fields)


def test_install_then_generate(world):
    """Installed once or again; a token without an end and nothing else in the answer."""
    assert install(world).data == {"success": True}
    assert install(world).data == {"success": True}
    answer = generate(world)
    assert list(answer.data) == ["access_token"]
    facts = world.caller.inspect(input_token=answer.data["access_token"]).data["data"]
    assert (facts["type"], facts["user_id"], facts["expires_at"]) == (
        "SYSTEM_USER", SYSTEM_USER, 0)
    assert facts["scopes"] == ["ads_read", "ads_management"]
    assert facts["data_access_expires_at"] == 0
    me = world.caller.ask("me", answer.data["access_token"], fields="id,name").data
    assert me == {"id": SYSTEM_USER, "name": "Stand-in object"}


def test_sixty_days(graph, world):
    """With the flag."""
    install(world)
    token = generate(world, set_token_expires_in_60_days="true").data["access_token"]
    facts = graph.token(token)
    assert facts["expires_at"] - facts["made_at"] == 5183944


def test_a_business_may_want_tokens_to_expire(graph, world):
    """Then leaving the flag out fails, and so does false."""
    graph.add_business(business_id=BUSINESS, admins=[PERSON], system_users=[SYSTEM_USER],
                       must_expire=True)
    install(world)
    assert generate(world).error == (100, 0)
    assert generate(world, set_token_expires_in_60_days="false").error == (100, 0)
    assert generate(world, set_token_expires_in_60_days="true").status == 200


def test_system_users_act_for_one_another(graph, world):
    """A system user of the business may ask as well as a person."""
    other = world.business_token(client_business_id="")
    assert install(world, other).status == 200
    assert generate(world, other).status == 200
    stranger = world.user(user_id="77")
    assert install(world, stranger).error == (200, 0)
    assert generate(world, stranger).error == (200, 0)


@pytest.mark.parametrize("changes, error", [
    ({"appsecret_proof": None}, (100, 0)), ({"appsecret_proof": "0" * 64}, (100, 0)),
    ({"business_app": None}, (100, 0)), ({"business_app": "42"}, (100, 0)),
    ({"scope": None}, (100, 0)), ({"scope": "Ads Read!"}, (100, 0)),
    ({"set_token_expires_in_60_days": "perhaps"}, (100, 0)), ({"subject": "77"}, (100, 33)),
])
def test_tokens_that_are_refused(world, changes, error):
    """The proof is required always."""
    install(world)
    assert generate(world, **changes).error == error


def test_the_app_must_be_installed(graph, world):
    """Unless a rule says otherwise; and it must belong to the business."""
    assert generate(world).error == (100, 0)
    graph.rules(install_first=False)
    assert generate(world).status == 200
    graph.set_app(world.caller.app_id, business_id="")
    assert generate(world).error == (100, 0)
    assert install(world).error == (100, 0)


def test_delete_ends_all_tokens_of_a_system_user(world):
    """And no others."""
    tokens, user = [world.business_token(), world.business_token()], world.user()
    answer = world.caller.call("DELETE", f"/v26.0/{SYSTEM_USER}/access_tokens",
                               Authorization=f"Bearer {user}")
    assert answer.data == {"success": True}
    for token in tokens:
        assert not world.caller.inspect(input_token=token).data["data"]["is_valid"]
    assert world.caller.inspect(input_token=user).data["data"]["is_valid"]


def revoke(world, victim, **changes):
    """One token, as documented."""
    fields = {"client_id": world.caller.app_id, "client_secret": world.caller.secret,
              "revoke_token": victim, "access_token": world.user(), **changes}
    return world.caller.ask("oauth/revoke", **fields)


def test_one_token_is_revoked(world):
    """At once, and only once."""
    victim, other = world.business_token(), world.business_token()
    assert revoke(world, victim).data == {"success": True}
    data = world.caller.inspect(input_token=victim).data["data"]
    assert data["error"]["subcode"] == 467
    assert revoke(world, victim).error == (190, 467)
    assert world.caller.inspect(input_token=other).data["data"]["is_valid"]


@pytest.mark.parametrize("changes, error", [
    ({"client_secret": "0" * 32}, (1, 0)), ({"client_id": "42"}, (101, 0)),
    ({"access_token": None}, (2500, 0)), ({"access_token": "EAAunknown"}, (190, 0)),
    ({"revoke_token": None}, (100, 0)), ({"revoke_token": "EAAunknown"}, (190, 0))])
def test_revocations_that_are_refused(world, changes, error):
    """Each with its code."""
    assert revoke(world, world.business_token(), **changes).error == error


def test_what_can_be_revoked(graph, world):
    """System users' tokens; others by rule; another app's never.  And the other answer."""
    assert revoke(world, world.user()).error == (100, 0)
    foreign = Caller(graph)
    assert revoke(world, foreign.token).error == (190, 0)
    graph.rules(revoke_types=["USER"], revoke_shape="true")
    assert revoke(world, world.user()).body == b"true"


OWNED, SHARED = {"id": "51", "name": "Ours"}, {"id": "52", "name": "Theirs", "token": False}


def test_pages_of_a_business(graph, world):
    """Listed to who has a role in it, with a token but where the person has no task."""
    graph.add_business(business_id=BUSINESS, admins=[PERSON], owned_pages=[OWNED],
                       client_pages=[SHARED])
    graph.add_business(business_id=CLIENT_BUSINESS, admins=["77"])
    user = world.user(scopes=["business_management"])
    fields = "id,name,access_token,tasks"
    assert world.caller.ask("me/businesses", user).data["data"] == [
        {"id": BUSINESS, "name": "Stand-in business"}]
    [owned] = world.caller.ask(f"{BUSINESS}/owned_pages", user, fields=fields).data["data"]
    [shared] = world.caller.ask(f"{BUSINESS}/client_pages", user, fields=fields).data["data"]
    assert (owned["id"], shared["id"], "access_token" in shared) == ("51", "52", False)
    facts = world.caller.inspect(input_token=owned["access_token"]).data["data"]
    assert (facts["type"], facts["profile_id"], facts["user_id"]) == ("PAGE", "51", PERSON)


@pytest.mark.parametrize("path, scopes, error", [
    ("me/businesses", ["pages_show_list"], (200, 0)), ("77/businesses", None, (100, 33)),
    (f"{BUSINESS}/owned_pages", ["pages_show_list"], (200, 0)),
    (f"{CLIENT_BUSINESS}/owned_pages", None, (100, 33)), ("78/client_pages", None, (100, 33))])
def test_businesses_that_are_refused(graph, world, path, scopes, error):
    """Without the permission; another person's; one without a role in it; none."""
    graph.add_business(business_id=CLIENT_BUSINESS, admins=["77"])
    user = world.user(scopes=scopes or ["business_management"])
    assert world.caller.ask(path, user).error == error


def narrow(world, bearer, **changes):
    """A token with less in it."""
    fields = {"scope": "ads_read", **world.proof(bearer), **changes}
    return world.caller.post(f"{CLIENT_BUSINESS}/system_user_access_tokens", bearer, **fields)


def test_a_narrowed_token(graph, world):
    """Fewer scopes, fewer assets."""
    wide = world.business_token(targets={"ads_read": ["11", "12"], "ads_management": ["12"]})
    answer = narrow(world, wide, asset='["11"]')
    assert list(answer.data) == ["access_token"]
    facts = world.caller.inspect(input_token=answer.data["access_token"]).data["data"]
    assert facts["granular_scopes"] == [{"scope": "ads_read", "target_ids": ["11"]}]
    token = narrow(world, wide, scope=None, asset="11,12").data["access_token"]
    assert graph.token(token)["scopes"] == ["ads_read", "ads_management"]


@pytest.mark.parametrize("changes, error", [
    ({"scope": "ads_read,email"}, (200, 0)), ({"asset": "13"}, (200, 0)),
    ({"asset": "[13"}, (100, 0)), ({"appsecret_proof": None}, (100, 0)),
    ({"system_user_id": "77"}, (100, 33))])
def test_more_is_refused(world, changes, error):
    """More scopes, more assets, somebody else; no proof."""
    wide = world.business_token(targets={"ads_read": ["11"]})
    assert narrow(world, wide, **changes).error == error


def test_narrowing_is_for_business_tokens(world):
    """Of that client business."""
    assert narrow(world, world.user()).error == (100, 0)
    assert narrow(world, world.business_token(client_business_id="5")).error == (100, 33)


def test_fetch_only_gives_the_token_itself(world):
    """Nothing new is made."""
    wide = world.business_token()
    answer = narrow(world, wide, fetch_only="true", system_user_id=SYSTEM_USER)
    assert answer.data == {"access_token": wide}


def test_a_narrowed_token_outlives_nobody(graph, world):
    """Neither with the flag nor without it."""
    short = world.business_token(expires_in=7000)
    for flag in ("true", None):
        token = narrow(world, short, set_token_expires_in_60_days=flag).data["access_token"]
        assert graph.token(token)["expires_at"] == graph.token(short)["expires_at"]
    lasting = world.business_token()
    token = narrow(world, lasting, set_token_expires_in_60_days="true").data["access_token"]
    assert graph.token(token)["expires_at"] > 0


def test_which_client_business(world):
    """Only a business token says it; and an unknown field is refused."""
    answer = world.caller.ask("me", world.business_token(), fields="client_business_id")
    assert answer.data == {"client_business_id": CLIENT_BUSINESS, "id": SYSTEM_USER}
    answer = world.caller.ask("me", world.user(), fields="client_business_id")
    assert answer.data == {"id": PERSON}
    assert world.caller.ask("me", world.user(), fields="dance").error == (100, 0)


def test_a_proof_of_another_token_is_refused(world):
    """That of the app token, for one."""
    admin = world.user()
    install(world)
    wrong = proof(world.caller.secret, world.caller.app_token)
    assert generate(world, admin, appsecret_proof=wrong).error == (100, 0)
