"""The stand-in's pages and permissions."""

from urllib.parse import parse_qs, urlsplit

import pytest

from graphcalls import Caller, proof
from graphsteps import PAGE, PERSON, SYSTEM_USER, World


@pytest.fixture
def world(graph):
    """A person with seven pages, and a client."""
    made = World(graph)
    graph.person(PERSON, pages=[{"id": str(int(PAGE) + n), "name": f"Page {n}"}
                                for n in range(7)])
    yield made
    made.caller.close()


def ids(answer):
    """The ids of a list."""
    return [int(one["id"]) - int(PAGE) for one in answer.data["data"]]


def test_pages_with_their_tokens(graph, world):
    """What is documented; from a long-lived token page tokens without an end, the same again."""
    user = world.user()
    page = world.caller.ask("me/accounts", user).data["data"][0]
    assert set(page) == {"access_token", "category", "category_list", "name", "id", "tasks"}
    facts = world.caller.inspect(input_token=page["access_token"]).data["data"]
    assert (facts["type"], facts["expires_at"], facts["profile_id"]) == ("PAGE", 0, PAGE)
    assert facts["user_id"] == PERSON
    again = world.caller.ask(f"{PERSON}/accounts", user).data["data"][0]
    assert again["access_token"] == page["access_token"]
    assert len(graph.tell("tokens", made_by="pages")["tokens"]) == 7


def test_page_tokens_of_a_short_lived_token(world):
    """They end with it."""
    user = world.caller.add_token(scopes=world.scopes)
    page = world.caller.ask("me/accounts", user, fields="id,access_token").data["data"][0]
    assert set(page) == {"access_token", "id"}
    end = world.caller.inspect(input_token=page["access_token"]).data["data"]["expires_at"]
    assert end == world.caller.inspect(input_token=user).data["data"]["expires_at"]


def test_pages_by_cursor(world):
    """Three at a time; the last page of the list has no next."""
    user, after, found = world.user(), None, []
    while True:
        answer = world.caller.ask("me/accounts", user, limit=3, after=after)
        found.append(ids(answer))
        if "next" not in answer.data["paging"]:
            break
        after = answer.data["paging"]["cursors"]["after"]
    assert found == [[0, 1, 2], [3, 4, 5], [6]]
    before = answer.data["paging"]["cursors"]["before"]
    assert ids(world.caller.ask("me/accounts", user, limit=2, before=before)) == [4, 5]


def test_next_is_a_url_with_the_token_in_it(graph, world):
    """Even when the token came in a header; the proof is not in it."""
    user = world.user()
    paging = world.caller.ask("me/accounts", user, limit=2,
                              appsecret_proof=proof(world.caller.secret, user)).data["paging"]
    parts = urlsplit(paging["next"])
    query = parse_qs(parts.query)
    assert f"{parts.scheme}://{parts.netloc}" == graph.origin
    assert query == {"access_token": [user], "limit": ["2"], "after": [paging["cursors"]["after"]]}


def test_an_empty_page_may_have_a_next(graph, world):
    """Pages that are not visible are left out after the list was cut."""
    graph.person(PERSON, pages=[{"id": int(PAGE) + n, "visible": n > 1} for n in range(3)])
    user = world.user()
    answer = world.caller.ask("me/accounts", user, limit=2)
    assert answer.data["data"] == [] and answer.data["paging"]["next"]
    after = answer.data["paging"]["cursors"]["after"]
    assert ids(world.caller.ask("me/accounts", user, limit=2, after=after)) == [2]


def test_lists_that_are_empty(graph, world):
    """Without the permission, without pages: no paging at all."""
    token = world.caller.add_token(scopes=["public_profile"])
    assert world.caller.ask("me/accounts", token).data == {"data": []}
    graph.person(PERSON, pages=[])
    assert world.caller.ask("me/accounts", world.user()).data == {"data": []}


def test_only_the_pages_that_were_chosen(world):
    """granular_scopes with target ids."""
    user = world.user(targets={"pages_show_list": [str(int(PAGE) + 4)]})
    assert ids(world.caller.ask("me/accounts", user)) == [4]


@pytest.mark.parametrize("query, error", [
    ({"after": "bm9uc2Vuc2U="}, (2642, 0)), ({"after": "%%%"}, (2642, 0)),
    ({"limit": "0"}, (100, 0)), ({"limit": "many"}, (100, 0)), ({"fields": "dance"}, (100, 0))])
def test_lists_that_are_refused(world, query, error):
    """Each with its code."""
    assert world.caller.ask("me/accounts", world.user(), **query).error == error


def test_lists_that_lie(graph, world):
    """No end; what stands beside the data changed; one item changed."""
    user = world.user()
    graph.rules(endless_lists=True)
    first = world.caller.ask("me/accounts", user).data
    again = world.caller.ask("me/accounts", user, after=first["paging"]["cursors"]["after"]).data
    assert first["data"] == again["data"] and again["paging"]["next"]
    graph.misbehave("pages", "fields", at="top", remove=["data"], set={"paging": {"cursors": {}}})
    assert world.caller.ask("me/accounts", user).data == {"paging": {"cursors": {}}}
    graph.tell("clear_misbehaviours")
    graph.misbehave("pages", "fields", item=6, remove=["access_token"])
    found = world.caller.ask("me/accounts", user).data["data"]
    assert ["access_token" in one for one in found] == [True] * 6 + [False]


def test_limits(graph, world):
    """The default and the most, by rule."""
    graph.rules(page_limit=2, page_limit_max=5)
    user = world.user()
    assert len(ids(world.caller.ask("me/accounts", user))) == 2
    assert len(ids(world.caller.ask("me/accounts", user, limit=100))) == 5


def test_pages_need_the_right_caller(world):
    """A live user token for its own user, with a proof where one is required."""
    for token, error in ((world.user(revoked=460), (190, 460)), (None, (2500, 0)),
                         (world.user(type="PAGE", profile_id=PAGE), (100, 0)),
                         (world.caller.app_token, (100, 0)), ("EAAunknown", (190, 0))):
        assert world.caller.ask("me/accounts", token).error == error
    assert world.caller.ask("77/accounts", world.user()).error == (100, 33)


def test_a_proof_for_every_page(graph):
    """Required by the app, and of the token of that very request."""
    world = World(graph, require_proof=True)
    user = world.user()
    assert world.caller.ask("me/accounts", user).error == (100, 0)
    good = proof(world.caller.secret, user)
    answer = world.caller.ask("me/accounts", user, appsecret_proof=good)
    page = answer.data["data"][0]["access_token"]
    assert world.caller.ask("me", page, appsecret_proof=good).error == (100, 0)
    good = proof(world.caller.secret, page)
    assert world.caller.ask("me", page, appsecret_proof=good).data["id"] == PAGE
    assert world.caller.post("me/permissions", user, method="get",
                             appsecret_proof=proof(world.caller.secret, user)).status == 200
    world.caller.close()


def test_pages_of_a_system_user(graph, world):
    """Somebody who has pages and sits at no browser."""
    graph.person(SYSTEM_USER, at_browser=False, pages=[{"id": PAGE}])
    token = world.business_token(scopes=["pages_show_list"])
    page = world.caller.ask("me/accounts", token).data["data"][0]["access_token"]
    assert graph.token(page)["expires_at"] == 0
    code = world.caller.post("oauth/access_token", **world.code_fields()).data["access_token"]
    assert graph.token(code)["user_id"] == PERSON


def test_one_page_token(world):
    """By the page's id; a page of somebody else is not there."""
    answer = world.caller.ask(PAGE, world.user(), fields="access_token")
    assert set(answer.data) == {"access_token", "id"}
    assert world.caller.inspect(
        input_token=answer.data["access_token"]).data["data"]["type"] == "PAGE"
    assert world.caller.ask("77", world.user(), fields="access_token").error == (100, 33)


def test_two_access_tokens(world):
    """That differ are refused; the same one twice is not."""
    user = world.user()
    assert world.caller.ask("me/accounts", user, access_token=world.user()).error == (100, 0)
    assert world.caller.ask("me/accounts", user, access_token=user).status == 200


def test_permissions(graph, world):
    """From the dialog: granted and declined; filtered; also by app token."""
    graph.person(PERSON, decline=["email"])
    token = world.caller.post("oauth/access_token", **world.code_fields(
        code=world.code(scope="email,pages_show_list"))).data["access_token"]
    every = [{"permission": "public_profile", "status": "granted"},
             {"permission": "email", "status": "declined"},
             {"permission": "pages_show_list", "status": "granted"}]
    assert world.caller.ask("me/permissions", token).data["data"] == every
    declined = world.caller.ask("me/permissions", token, status="declined").data["data"]
    assert declined == every[1:2]
    answer = world.caller.ask(f"{PERSON}/permissions", world.caller.app_token,
                              permission="email")
    assert answer.data["data"] == every[1:2]
    assert world.caller.ask("me/permissions", world.caller.app_token).error == (2500, 0)
    assert world.caller.ask("me/permissions", token, status="lost").error == (100, 0)


def delete(world, path, bearer, **query):
    """DELETE with the token in a header."""
    return world.caller.call("DELETE", f"/v26.0/{path}", query=query,
                             Authorization=f"Bearer {bearer}")


@pytest.mark.parametrize("way", ["path", "query", "post"])
def test_one_permission_is_taken_back(world, way):
    """Three ways to say it; the token lives on with fewer scopes."""
    user = world.user()
    if way == "path":
        answer = delete(world, "me/permissions/pages_show_list", user)
    elif way == "query":
        answer = delete(world, "me/permissions", user, permission="pages_show_list")
    else:
        answer = world.caller.post("me/permissions/pages_show_list", user, method="delete")
    assert answer.data == {"success": True}
    data = world.caller.inspect(input_token=user).data["data"]
    assert data["is_valid"] and data["scopes"] == ["public_profile"]
    assert delete(world, "me/permissions/pages_show_list", user).error == (100, 0)


def test_the_app_is_deauthorised(graph, world):
    """Every token of that person with that app is dead, those of pages too."""
    graph.rules(take_back_shape="true")
    user = world.user()
    page = world.caller.ask("me/accounts", user).data["data"][0]["access_token"]
    foreign = Caller(graph)
    answer = delete(world, f"{PERSON}/permissions", user)
    assert answer.body == b"true"
    for token in (user, page, world.caller.token):
        assert world.caller.inspect(input_token=token).data["data"]["error"]["subcode"] == 458
    assert foreign.inspect().data["data"]["is_valid"]
    foreign.close()


def test_a_changed_password_takes_page_tokens_along(graph, world):
    """Another subcode does not."""
    user = world.user()
    page = world.caller.ask("me/accounts", user).data["data"][0]["access_token"]
    graph.tell("revoke", token=user, subcode=467)
    assert world.caller.inspect(input_token=page).data["data"]["is_valid"]
    graph.tell("revoke", token=user, subcode=460)
    assert not world.caller.inspect(input_token=page).data["data"]["is_valid"]
