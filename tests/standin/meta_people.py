"""What a person has: pages with their tokens, and the permissions they gave to an app."""

from messages import Answer
from meta_errors import GraphError, no_object
from meta_lists import listed

ACCOUNT_FIELDS = ("access_token", "category", "category_list", "name", "id", "tasks")
STATUSES = ("granted", "declined", "expired")


def accounts(call):
    """GET /{me|user}/accounts: the pages this token may see, each with a token of its own."""
    token = call.data_caller(types=("USER", "SYSTEM_USER"), family="facebook")
    _check_subject(call, token)
    return page_list(call, token, _pages(call, token))


def page_list(call, token, pages):
    """One page of a list of pages, each with a token of its own but where there is none."""
    asked = [one for one in (call.value("fields") or "").split(",") if one]
    if unknown := set(asked) - set(ACCOUNT_FIELDS):
        raise GraphError(100, f"(#100) Tried accessing nonexisting field ({sorted(unknown)[0]})")
    answer = listed(call, pages, [page["id"] for page in pages],
                    lambda page: page.get("visible", True))
    answer.data["data"] = [_account(call, token, page, asked) for page in answer.data["data"]]
    return answer


def page_token(call):
    """GET /{page}?fields=access_token"""
    token = call.data_caller(types=("USER", "SYSTEM_USER"), family="facebook")
    page = next((one for one in _pages(call, token) if str(one["id"]) == call.subject), None)
    if page is None:
        raise no_object(call.subject)
    asked = call.value("fields").split(",")
    if unknown := set(asked) - set(ACCOUNT_FIELDS):
        raise GraphError(100, f"(#100) Tried accessing nonexisting field ({sorted(unknown)[0]})")
    return Answer(200, _account(call, token, page, asked))


def _pages(call, token):
    """Without pages_show_list there are none; with target ids only those."""
    person = call.state.people.get(token.user_id)
    if person is None or "pages_show_list" not in token.scopes:
        return []
    targets = token.targets.get("pages_show_list")
    return [page for page in person.pages
            if targets is None or str(page["id"]) in [str(one) for one in targets]]


def _account(call, token, page, asked):
    shown = {"access_token": None, "category": page.get("category", "Software"),
             "category_list": [{"id": "2211", "name": page.get("category", "Software")}],
             "name": page.get("name", "A page"), "id": str(page["id"]),
             "tasks": page.get("tasks", ["ANALYZE", "ADVERTISE", "MODERATE", "CREATE_CONTENT"])}
    if asked:
        shown = {name: value for name, value in shown.items() if name in (*asked, "id")}
    if not page.get("token", True):  # the caller has no task on it
        shown.pop("access_token", None)
    if "access_token" in shown:
        issued = issue_page_token(call, token, page)
        call.facts.setdefault("issued", []).append(issued)
        shown["access_token"] = issued.token
    return shown


def issue_page_token(call, parent, page):
    """No expiry from a long-lived token; the same string when it is asked for again."""
    page_id = str(page["id"])
    for one in list(call.state.tokens.values()):
        if (one.parent, one.profile_id, one.type) == (parent.token, page_id, "PAGE"):
            if not one.revoked:
                return one
    expires_at = 0 if call.state.long_lived(parent) else parent.expires_at
    return call.state.derive(parent, "pages", type="PAGE", profile_id=page_id,
                             expires_at=expires_at,
                             issued_at=0 if expires_at else call.state.now())


# Permissions.

def permissions(call):
    """GET /{me|user}/permissions, all of them or by `permission` and `status`."""
    token = _permission_caller(call)
    known = _known(call, token)
    status = call.value("status")
    if status not in (None, *STATUSES):
        raise GraphError(100, "(#100) Param status is invalid")
    found = [{"permission": name, "status": state} for name, state in known.items()
             if call.value("permission") in (None, name) and status in (None, state)]
    return listed(call, found, [one["permission"] for one in found])


def take_back(call):
    """DELETE one permission, or all: the app is then de-authorised and its tokens are dead."""
    token = _permission_caller(call)
    known, person = _known(call, token), _person(call, token)
    name = call.value("permission")
    if "/permissions/" in call.request.path:
        name = call.request.path.rsplit("/", 1)[1]
    ours = call.state.tokens_of(token.app_id, person)
    if name is None:
        known.clear()
        for one in ours:
            call.state.revoke(one.token, 458)
    elif known.get(name) != "granted":
        raise GraphError(100, "(#100) Invalid permission or permission not granted")
    else:
        known[name] = "declined"
        for one in ours:
            one.scopes = [scope for scope in one.scopes if scope != name]
    return call.success(call.rule("take_back_shape"))


def _permission_caller(call):
    token = call.caller(types=("USER", "APP"), family="facebook")
    if token.session_info:
        raise GraphError(190, "A session info access token opens no data")
    if token.type == "APP" and call.subject == "me":
        raise GraphError(2500, "An active access token must be used to query information about "
                               "the current user.")
    if token.type == "USER":
        _check_subject(call, token)
    return token


def _check_subject(call, token):
    if call.subject not in ("me", token.user_id):
        raise no_object(call.subject)


def _person(call, token):
    return token.user_id if call.subject == "me" else call.subject


def _known(call, token):
    """The person's permissions with this app; where no dialog was held, those of the tokens."""
    person = _person(call, token)
    ours = call.state.tokens_of(token.app_id, person)
    known = call.state.permissions.get((token.app_id, person))
    if known is None:
        if not ours:
            raise no_object(person)
        known = {scope: "granted" for one in ours for scope in one.scopes}
        call.state.permissions[token.app_id, person] = known
    return known
