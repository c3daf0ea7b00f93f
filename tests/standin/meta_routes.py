"""Which call a request is: its step, who answers it, and which methods and versions it takes.

Meta has a host for each family.  Here all live on one origin: the path decides, and where two
families share one, the family of the app or of the token does.
"""

import re
from dataclasses import dataclass

import meta_batch
import meta_business
import meta_data
import meta_debugger
import meta_device
import meta_dialog
import meta_grants
import meta_instagram
import meta_people
import meta_threads
from meta_errors import GraphError, method_error

OLDEST_VERSION, NEWEST_VERSION = (21, 0), (26, 0)
THREADS_VERSION = (1, 0)
PARTS = re.compile(r"/(?:(v[^/]*)/)?(.+)")
BATCH = re.compile("/v[^/]+/?")
VERSION = re.compile(r"v([1-9][0-9]?)\.([0-9])")
OBJECT = "(me|[1-9][0-9]{0,19})"


@dataclass
class Route:
    """One call.  `methods` are those it takes; `tunnel`: also as a POST with a method parameter."""

    step: str
    answer: object
    methods: tuple
    tunnel: bool = True
    subject: str = ""
    shape: str = "graph"


def _graph(step, answer, *methods, tunnel=True):
    """A choice that needs no look at the request."""
    return lambda state, request, family, found: Route(step, answer, methods, tunnel, found)


def _by_method(**choices):
    """A choice by method: GET=(step, answer); the first stands for methods that there are not."""
    def choose(_state, request, _family, found):
        method = request.effective_method()
        step, answer = choices.get(method, next(iter(choices.values())))
        return Route(step, answer, tuple(choices), True, found)
    return choose


def _token_endpoint(state, request, family, _found):
    if family == "instagram":
        return Route("code", meta_instagram.code, ("POST",), False, shape="instagram")
    if family == "threads":
        if request.value("grant_type") == "client_credentials":
            return Route("app_token", meta_threads.app_token, ("GET",), False)
        return Route("code", meta_threads.code, ("POST",), False)
    step, answer = meta_grants.choose(state, request)
    return Route(step, answer, ("GET", "POST"))


def _lengthen(_state, request, family, _found):
    threads = family == "threads"
    answer = meta_threads.exchange if threads else meta_instagram.exchange
    return Route("exchange", answer, ("GET",), False)


def _refresh(_state, request, family, _found):
    threads = family == "threads"
    return Route("refresh", meta_threads.refresh if threads else meta_instagram.refresh,
                 ("GET",), False)


def _debugger(_state, _request, family, _found):
    threads = family == "threads"
    answer = meta_threads.debug_token if threads else meta_debugger.debug_token
    return Route("debug_token", answer, ("GET",), False)


def _me(_state, _request, family, _found):
    answers = {"facebook": meta_data.me, "instagram": meta_instagram.me,
               "threads": meta_threads.me}
    return Route("me", answers[family], ("GET",), subject="me")


def _object(_state, request, _family, found):
    if "access_token" in (request.value("fields") or "").split(","):
        return Route("pages", meta_people.page_token, ("GET",), subject=found)
    return Route("call", meta_data.node, ("GET",), subject=found)


TABLE = [(re.compile(pattern), choose) for pattern, choose in (
    ("dialog/oauth", _graph("dialog", meta_dialog.facebook, "GET", tunnel=False)),
    ("oauth/authorize", _graph("dialog", meta_dialog.authorize, "GET", tunnel=False)),
    ("oauth/access_token", _token_endpoint),
    ("oauth/client_code", _graph("client_code", meta_grants.client_code, "GET", tunnel=False)),
    ("oauth/revoke", _graph("revoke", meta_business.revoke, "GET", tunnel=False)),
    ("access_token", _lengthen),
    ("refresh_access_token", _refresh),
    ("debug_token", _debugger),
    ("device/login", _graph("device_start", meta_device.start, "POST")),
    ("device/login_status", _graph("device_poll", meta_device.poll, "POST")),
    ("me", _me),
    (OBJECT + "/accounts", _graph("pages", meta_people.accounts, "GET")),
    (OBJECT + "/businesses", _graph("businesses", meta_business.businesses, "GET")),
    (OBJECT + "/owned_pages", _graph("pages", meta_business.owned_pages, "GET")),
    (OBJECT + "/client_pages", _graph("pages", meta_business.client_pages, "GET")),
    (OBJECT + "/permissions", _by_method(GET=("permissions", meta_people.permissions),
                                         DELETE=("take_back", meta_people.take_back))),
    (OBJECT + "/permissions/[a-z0-9_]+", _graph("take_back", meta_people.take_back, "DELETE")),
    (OBJECT + "/applications", _graph("call", meta_business.install, "POST")),
    (OBJECT + "/access_tokens", _by_method(POST=("system_user", meta_business.system_user),
                                           DELETE=("revoke", meta_business.delete_tokens))),
    (OBJECT + "/system_user_access_tokens", _graph("narrow", meta_business.narrow, "POST")),
    (OBJECT + "/feed", _by_method(GET=("call", meta_data.feed), POST=("call", meta_data.post))),
    (OBJECT + "/insights", _graph("call", meta_data.insights, "GET")),
    (OBJECT + "/echo", _by_method(GET=("call", meta_data.echo), POST=("call", meta_data.echo))),
    (OBJECT, _object),
)]


def find(state, request):
    """The call that a path belongs to, whatever its version part looks like, or None."""
    parts = PARTS.fullmatch(request.path)
    if BATCH.fullmatch(request.path) and request.value("batch") is not None:
        return Route("batch", meta_batch.batch, ("POST",), False)
    for pattern, choose in TABLE if parts else ():
        found = pattern.fullmatch(parts[2])
        if found:
            subject = found[1] if pattern.groups else ""
            return choose(state, request, family_of(state, request), subject)
    return None


def family_of(state, request):
    """Whose call it is: by the words of the request, by the app, by the token, by the path."""
    grant = request.value("grant_type") or ""
    for beginning, family in (("ig_", "instagram"), ("th_", "threads")):
        if grant.startswith(beginning):
            return family
    text = request.value("access_token") or request.bearer() or ""
    token = state.tokens.get(text)
    app = (state.apps.get(request.value("client_id"))
           or state.apps.get(token.app_id if token else text.partition("|")[0]))
    if app:
        return app.family
    bare = request.path in ("/oauth/access_token", "/access_token", "/refresh_access_token")
    return "instagram" if bare else "facebook"


def version_of(state, request):
    """The version that serves a request, as text; 2500 for a path that has none or a wrong one."""
    parts, family = PARTS.fullmatch(request.path), family_of(state, request)
    given = parts and (request.path.strip("/") if BATCH.fullmatch(request.path) else parts[1])
    version = given and VERSION.fullmatch(given)
    version = version and (int(version[1]), int(version[2]))
    newest = THREADS_VERSION if family == "threads" else NEWEST_VERSION
    oldest = THREADS_VERSION if family == "threads" else OLDEST_VERSION
    may_be_bare = family != "facebook" or parts and parts[2] == "oauth/authorize"
    if not given and (may_be_bare or state.rules["unversioned"]):
        version = newest
    if not version or version > newest:
        raise GraphError(2500, "Unknown path components: " + request.path)
    return state.rules["served_version"] or "v%d.%d" % max(version, oldest)


def check_method(state, request, route):
    """100/33 for a method that the call does not take, or not in this disguise."""
    method = request.effective_method()
    disguised = method != request.method
    if disguised and not route.tunnel and route.step not in state.rules["post_as_get"]:
        raise method_error("Unsupported request: this call takes no method parameter")
    if method in route.methods:
        return
    if method == "POST" and route.step in state.rules["post"]:
        return
    raise method_error(f"Unsupported request - method type: {method.lower()}")
