/*
 * The words of a notice.
 */
#include "notice.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "p11vault/base/clock.h"
#include "p11vault/base/digest.h"

/* What can be renewed was due thirteen days before: it is not being renewed. */
#define LAST_DAYS 7
#define ID_BYTES 16

static const struct {
    const char *reason, *subject, *says;
} words[] = {
    [NEED_REVOKED] = {"revoked", "was revoked",
                      "The provider says that this access token is no longer valid."},
    [NEED_EXPIRED] = {"expired", "has expired", "This access token has expired."},
    [NEED_DATA_EXPIRED] = {"data access expired", "no longer has access to data",
                           "The access to the person's data has ended; the token itself has not."},
    [NEED_RENEWAL] = {"expiring", "ends soon",
                      "This access token ends soon, and it is not being renewed."},
    [NEED_OPERATOR] = {"refresh failed", "has failed",
                       "The unattended refresh has failed: until it works again, access tokens are "
                       "not renewed."},
    [NEED_DATA_RENEWAL] = {"data access expiring", "soon loses its access to data",
                           "The access to the person's data ends soon; the token itself does not."},
};

static bool ends_within(int64_t time, int64_t now, int days)
{
    return time != STORE_UNKNOWN && time > 0 && time - now <= days * DAY;
}

enum need notice_need(const struct store_record *row, bool is_renewable, int64_t now)
{
    if (ends_within(row->expires, now, 0))
        return NEED_EXPIRED;
    if (row->valid == 0)
        return NEED_REVOKED;
    if (ends_within(row->data_expires, now, 0))
        return NEED_DATA_EXPIRED;
    if (ends_within(row->expires, now, is_renewable ? LAST_DAYS : REFRESH_DAYS))
        return NEED_RENEWAL;
    return ends_within(row->data_expires, now, LAST_DAYS) ? NEED_DATA_RENEWAL : NEED_NOTHING;
}

const char *notice_reason(enum need need)
{
    return words[need].reason;
}

/* What is done about by itself, or told of each grant, is left out. */
bool notice_of_status(int status)
{
    static const int fine[] = {CODE_DONE, CODE_RETRY, CODE_WAIT, CODE_LOGIN, CODE_BUSY};
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
        if (status == fine[i])
            return false;
    return true;
}

static const char *status_says(int status)
{
    switch (status) {
    case CODE_NO_CARD:
        return "there is no card, or more than one that fits";
    case CODE_PIN_WRONG:
        return "the PIN is wrong, and is not tried again";
    case CODE_PIN_LOCKED:
        return "the PIN is locked, or too close to it";
    case CODE_CARD:
        return "the card or its module failed";
    case CODE_CONFIG:
    case CODE_USAGE:
        return "the configuration must be mended";
    case CODE_PERMISSION:
        return "a permission at the provider is missing";
    case CODE_LOG:
        return "log or store refuses";
    default:
        return "somebody must look";
    }
}

void notice_set_command(struct notice *notice, const struct provider *provider, const char *options)
{
    if (notice->need == NEED_OPERATOR) {
        notice->verb = "doctor";
        (void)snprintf(notice->command, sizeof(notice->command), "p11vault %sdoctor", options);
        return;
    }
    bool about_data = notice->need == NEED_DATA_EXPIRED || notice->need == NEED_DATA_RENEWAL;
    notice->verb =
        revival_command(provider, notice->name, options, notice->command, sizeof(notice->command));
    size_t used = strlen(notice->command);
    if (about_data && strcmp(notice->verb, "login") == 0)
        (void)snprintf(notice->command + used, sizeof(notice->command) - used, " --reauthorize");
}

/* ---- a mail ---- */

static void machine(char ret_name[256])
{
    if (gethostname(ret_name, 256) < 0 || !*ret_name)
        (void)snprintf(ret_name, 256, "localhost");
    ret_name[255] = '\0';
    for (char *at = ret_name; *at; at++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", *at))
            *at = '-';
}

/* In English, whatever the locale: RFC 5322, section 3.3. */
static void mail_date(int64_t now, char ret_text[64])
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm parts = {0};
    time_t seconds = now;
    (void)gmtime_r(&seconds, &parts);
    (void)snprintf(ret_text, 64, "%.3s, %d %.3s %d %02d:%02d:%02d +0000", days + 3 * parts.tm_wday,
                   parts.tm_mday, months + 3 * parts.tm_mon, 1900 + parts.tm_year, parts.tm_hour,
                   parts.tm_min, parts.tm_sec);
}

static int put_head(const struct notice *notice, const struct config *config, int64_t now,
                    struct buffer *mail, struct error *error)
{
    uint8_t id[ID_BYTES];
    char host[256], date[64], hex[2 * ID_BYTES + 1];
    machine(host);
    mail_date(now, date);
    if (random_bytes(id, sizeof(id), error) < 0)
        return -1;
    hex_encode(id, sizeof(id), hex);
    return buffer_put_format(mail, error,
                             "From: p11vault <%s>\n"
                             "To: %s\n"
                             "Subject: p11vault: %s\n"
                             " %s\n"
                             "Date: %s\n"
                             "Message-ID: <%s@%s>\n"
                             "Auto-Submitted: auto-generated\n"
                             "MIME-Version: 1.0\n"
                             "Content-Type: text/plain; charset=UTF-8\n"
                             "Content-Transfer-Encoding: 8bit\n\n",
                             config->notify_from, config->notify_to, notice->name->full,
                             words[notice->need].subject, date, hex, host);
}

static int put_body(const struct notice *notice, int64_t now, struct buffer *mail,
                    struct error *error)
{
    char host[256], date[CLOCK_TEXT_SIZE], when[CLOCK_TEXT_SIZE + 64] = "";
    machine(host);
    clock_date(notice->ends, date);
    if (notice->ends > 0 && notice->need != NEED_REVOKED)
        (void)snprintf(when, sizeof(when), "It %s on %s (UTC).\n",
                       notice->ends > now ? "ends" : "ended", date);
    const char *who = strcmp(notice->verb, "login") == 0
                          ? "Only the person who granted it can renew it, by logging in at the "
                            "provider once more"
                          : "It cannot be renewed; a new one is made from what it came from";
    return buffer_put_format(
        mail, error,
        "%s\n%s\n"
        "    %s\n\n"
        "%s.\nOn %s, with the card at hand, run\n\n"
        "    %s\n\n"
        "The app’s name there is “%s”. `p11vault status` shows all grants and what each of them\n"
        "needs. You are told of a grant once a day until it is well again.\n\n"
        "-- \np11vault on %s. No token or other secret is in this message; never send one by "
        "mail.\n",
        words[notice->need].says, when, notice->name->full, who, host, notice->command,
        notice->name->app, host);
}

static int put_failure(const struct notice *notice, struct buffer *mail, struct error *error)
{
    char host[256];
    machine(host);
    return buffer_put_format(mail, error,
                             "%s\n\n    exit status %d: %s\n\n"
                             "On %s, look at its own words and at what is wrong there:\n\n"
                             "    journalctl -u p11vault-refresh.service\n    %s\n\n"
                             "You are told once a day until it is well again.\n\n"
                             "-- \np11vault on %s\n",
                             words[notice->need].says, notice->status, status_says(notice->status),
                             host, notice->command, host);
}

int notice_mail(const struct notice *notice, const struct config *config, int64_t now,
                struct buffer *ret_mail, struct error *error)
{
    if (put_head(notice, config, now, ret_mail, error) < 0)
        return -1;
    return notice->need == NEED_OPERATOR ? put_failure(notice, ret_mail, error)
                                         : put_body(notice, now, ret_mail, error);
}

json_t *notice_json(const struct notice *notice)
{
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", notice->name->full, "app",
                             notice->name->app, "kind", notice->name->kind, "reason",
                             notice_reason(notice->need), "command", notice->command);
    if (json && notice->need == NEED_OPERATOR)
        json_object_set_new(json, "status", json_integer(notice->status));
    if (json && notice->ends > 0)
        json_object_set_new(json, "ends", json_integer(notice->ends));
    return json;
}
