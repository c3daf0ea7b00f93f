"""The headers that tell how much of a limit is used, and what comes when it is used up.

Meta sends no Retry-After.  In X-Business-Use-Case-Usage its own sample repeats a key, so a value
may be given as a list of [id, entries] pairs.
"""

import json

SAMPLES = {
    "app": {"call_count": 28, "total_time": 25, "total_cputime": 25},
    "page": {"call_count": 11, "total_time": 4, "total_cputime": 4},
    "ad_account": {"acc_id_util_pct": 9.67, "reset_time_duration": 100,
                   "ads_api_access_tier": "standard_access"},
    "insights": {"app_id_util_pct": 0.0, "acc_id_util_pct": 0.0,
                 "ads_api_access_tier": "standard_access"},
    "business": [
        ["112130216863063", [{"type": "pages", "call_count": 1, "total_cputime": 1,
                              "total_time": 1, "estimated_time_to_regain_access": 0}]],
        ["10153848260347724", [{"type": "ads_management", "call_count": 95, "total_cputime": 20,
                                "total_time": 20, "estimated_time_to_regain_access": 19,
                                "ads_api_access_tier": "development_access"}]],
        ["112130216863063", [{"type": "ads_management", "call_count": 97, "total_cputime": 23,
                              "total_time": 23, "estimated_time_to_regain_access": 0,
                              "ads_api_access_tier": "development_access"}]]],
}
NAMES = {"app": "X-App-Usage", "page": "X-Page-Usage", "ad_account": "X-Ad-Account-Usage",
         "insights": "X-FB-Ads-Insights-Throttle", "business": "X-Business-Use-Case-Usage"}

# Limits by name: code, subcode, and the header that is full then.
QUOTAS = {
    "app": (4, 0, "app"), "app_1504022": (4, 1504022, "app"), "user": (17, 0, "app"),
    "user_ads": (17, 2446079, "ad_account"), "page": (32, 0, "page"), "temporary": (341, 0, "app"),
    "custom": (613, 0, "app"), "ad_account": (613, 1487742, "ad_account"),
    "mutations": (613, 5044001, "ad_account"),
    "ads_insights": (80000, 2446079, "business"), "pages": (80001, 0, "business"),
    "instagram": (80002, 0, "business"), "custom_audience": (80003, 2446079, "business"),
    "ads_management": (80004, 2446079, "business"), "leadgen": (80005, 0, "business"),
    "messenger": (80006, 0, "business"), "whatsapp": (80008, 0, "business"),
    "catalog": (80009, 0, "business"), "catalog_batch": (80014, 0, "business"),
}


def check(usage):
    """ValueError for a limit that there is not."""
    for name in usage:
        if name not in NAMES:
            raise ValueError(f"no usage {name!r}")


def headers(orders, step):
    """The fields for one answer: `orders` is {step or "all": {limit: value}}."""
    wanted = {**orders.get("all", {}), **orders.get(step, {})}
    return [(NAMES[name], text(SAMPLES[name] if value is True else value))
            for name, value in wanted.items()]


def text(value):
    """JSON, with a key as often as it stands in a list of pairs."""
    if isinstance(value, list):
        return "{" + ",".join(f"{json.dumps(str(key))}:{json.dumps(entries)}"
                              for key, entries in value) + "}"
    return json.dumps(value)


def full(limit, minutes):
    """The header of a limit that is used up: its name and its text."""
    kind = QUOTAS[limit][2]
    if kind == "business":
        value = [["10153848260347724", [{"type": limit, "call_count": 100, "total_cputime": 100,
                                         "total_time": 100,
                                         "estimated_time_to_regain_access": minutes}]]]
    elif kind == "ad_account":
        value = {"acc_id_util_pct": 100.0, "reset_time_duration": minutes * 60,
                 "ads_api_access_tier": "standard_access"}
    else:
        value = {"call_count": 100, "total_time": 100, "total_cputime": 100}
    return NAMES[kind], text(value)
