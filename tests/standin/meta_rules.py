"""What Meta leaves open: strict unless the control command `rules` says otherwise."""

RULES = {
    # Steps whose documented GET is also taken as a POST with method=get, or as a plain POST.
    "post_as_get": ["debug_token"],
    "post": [],
    # Instagram and Threads: the token of an exchange or a refresh in the Authorization header.
    "bearer_at_exchange": False,
    # The families whose dialogs take a code_challenge, and whether Facebook's wants openid too.
    "pkce": ["facebook"],
    "pkce_needs_openid": True,
    "code_seconds": 600,
    "short_lived_seconds": 5400,
    "long_lived_extends": True,
    "expired_code_subcode": 36007,
    "redirect_mismatch_code": 100,
    "redirect_mismatch_subcode": 36008,
    "verifier_subcode": 36010,
    # Lists.
    "page_limit": 25,
    "page_limit_max": 100,
    "endless_lists": False,
    "feed_items": 60,
    "feed_paging": "cursors",
    # {"success": true} or a bare true.
    "take_back_shape": "success",
    "revoke_shape": "success",
    "revoke_types": ["SYSTEM_USER"],
    "install_first": True,
    "device_interval": 5,
    "device_seconds": 420,
    "device_declined_code": 100,
    # Instagram: data, list or flat; error_subcode 0 beside a 190; a refresh that keeps its string.
    "code_shape": "data",
    "zero_subcode": False,
    "refresh_same_token": False,
    "refresh_age": 86400,
    # A path without a version, and the version that serves whatever was asked ("": as asked).
    "unversioned": False,
    "served_version": "",
}
CHOICES = {"feed_paging": ("cursors", "time"), "take_back_shape": ("success", "true"), "revoke_shape": ("success", "true"),
           "code_shape": ("data", "list", "flat")}


def check(name, value):
    """ValueError for a rule that there is not, or a value of another kind."""
    if name not in RULES:
        raise ValueError(f"no rule {name!r}")
    if type(value) is not type(RULES[name]):
        raise ValueError(f"{name!r} is not of that type")
    if value not in CHOICES.get(name, (value,)):
        raise ValueError(f"{name!r} is one of {CHOICES[name]}")
