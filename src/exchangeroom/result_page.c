/*
 * The page at the end of a login: one file without anything from elsewhere, for light and dark, for desk and telephone.
 *
 * Its policy allows its own style and its own script by their hashes and nothing else at all.  The script takes the code
 * out of the address bar, and so out of the tab's history and of restored sessions; browsers still keep it among the
 * addresses visited, which nothing here can change.  A code counts once and for minutes only, but where it is easily seen
 * and shared it need not stay.
 */
#include "result_page.h"

#include "p11vault/base/base64.h"
#include "p11vault/base/digest.h"

#define SCRIPT "history.replaceState(null,\"\",location.pathname)"

/* clang-format off */
#define STYLE \
    ":root{color-scheme:light dark;--page:#eef1f5;--card:#fff;--line:#d5dbe3;--text:#171c24;--soft:#48525f;" \
    "--good:#0f6b3c;--good-back:#dcf3e5;--halt:#8a4b08;--halt-back:#fcecd2}" \
    "@media(prefers-color-scheme:dark){:root{--page:#11151b;--card:#1a2029;--line:#313a47;--text:#edf1f6;" \
    "--soft:#b4bfcc;--good:#74dca4;--good-back:#143524;--halt:#f5bd76;--halt-back:#3b2a12}}" \
    "*{box-sizing:border-box;margin:0}" \
    "body{min-height:100vh;min-height:100dvh;display:grid;place-items:center;padding:24px 16px;" \
    "background:var(--page);color:var(--text);font:17px/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto," \
    "\"Noto Sans\",\"DejaVu Sans\",sans-serif;overflow-wrap:break-word}" \
    "main{width:100%;max-width:33rem}" \
    "section{background:var(--card);border:1px solid var(--line);border-radius:16px;padding:2.25rem 2.25rem 2rem;" \
    "box-shadow:0 1px 2px rgb(0 0 0/.05),0 12px 32px rgb(0 0 0/.07)}" \
    "svg{display:block;width:56px;height:56px;padding:14px;border-radius:50%;fill:none;stroke:currentColor;" \
    "stroke-width:2.75;stroke-linecap:round;stroke-linejoin:round}" \
    ".good svg{color:var(--good);background:var(--good-back)}" \
    ".halt svg{color:var(--halt);background:var(--halt-back)}" \
    "h1{font-size:1.6rem;line-height:1.25;text-wrap:balance;letter-spacing:-.01em;margin:1.25rem 0 .6rem}" \
    "p{color:var(--soft);text-wrap:pretty}" \
    ".next{margin-top:1.5rem;padding-top:1.35rem;border-top:1px solid var(--line);color:var(--text)}" \
    "footer{margin-top:1.1rem;text-align:center;font-size:.85rem;color:var(--soft)}" \
    "@media(max-width:30rem){section{padding:1.6rem 1.4rem 1.5rem}h1{font-size:1.4rem}}"

#define TICK "<path d=\"m4 12.5 5.2 5.2L20 6.8\"/>"
#define CROSS "<path d=\"m6 6 12 12M18 6 6 18\"/>"
#define CLOCK "<path d=\"M12 3.5V13l6 3.5\"/>"
#define MARK "<path d=\"M12 4.5v9.5M12 19.2v.1\"/>"

#define FINISH "Finish the login in the page that p11vault opened. When that is gone, stop the command in the " \
    "terminal and start it again."
#define BACK "Go back to the terminal: "
#define CLOSE " You can close this page."

static const struct {
    const char *status, *tone, *icon, *heading, *text, *next;
} pages[RESULT_COUNT] = {
    [RESULT_CAME] = {"200 OK", "good", TICK, "The login has arrived",
        "p11vault has the provider&rsquo;s answer, and uses it only when your card agrees.",
        BACK "it goes on there, and asks for the card&rsquo;s PIN if it needs it." CLOSE},
    [RESULT_DECLINED] = {"200 OK", "halt", CROSS, "The login was declined",
        "Nothing was granted, and nothing was stored.",
        BACK "it says how to start again." CLOSE},
    [RESULT_LATER] = {"200 OK", "halt", CLOCK, "The provider cannot log you in now",
        "Nothing was granted, and nothing was stored. This is likely to pass.",
        BACK "it says when to try again." CLOSE},
    [RESULT_REFUSED] = {"200 OK", "halt", CROSS, "The provider refused the login",
        "Nothing was granted, and nothing was stored.",
        BACK "it says what the provider objects to, and what mends it." CLOSE},
    [RESULT_STRAY] = {"400 Bad Request", "halt", MARK, "This is not the answer",
        "A login is waiting here, but what came belongs to another one or is incomplete. It was not taken.",
        FINISH},
    [RESULT_ELSEWHERE] = {"404 Not Found", "halt", MARK, "Nothing is here",
        "p11vault waits here for a login, at another address.", FINISH},
    [RESULT_NOT_GET] = {"405 Method Not Allowed", "halt", MARK, "This is not the answer",
        "A login is waiting here, but its answer comes in another way. This was not taken.", FINISH},
    [RESULT_STRANGE] = {"421 Misdirected Request", "halt", MARK, "This is another address",
        "What was asked for leads to this machine, but not by its own name. It was not taken.", FINISH},
    [RESULT_MALFORMED] = {"400 Bad Request", "halt", MARK, "This cannot be read",
        "A login is waiting here, but what came is not a browser&rsquo;s request. It was not taken.", FINISH},
    [RESULT_TOO_LONG] = {"431 Request Header Fields Too Large", "halt", MARK, "This is too long",
        "A login is waiting here, but what came is longer than an answer can be. It was not taken. "
        "Cookies for this machine may be the cause: a private window has none.", FINISH},
};

#define HEADERS \
    "Content-Type: text/html; charset=utf-8\r\n" \
    "Connection: close\r\n" \
    "Allow: GET\r\n" \
    "Cache-Control: no-store\r\n" \
    "Referrer-Policy: no-referrer\r\n" \
    "X-Content-Type-Options: nosniff\r\n" \
    "Cross-Origin-Opener-Policy: same-origin\r\n" \
    "Cross-Origin-Resource-Policy: same-origin\r\n"

#define POLICY_BEGIN "Content-Security-Policy: default-src 'none'; style-src 'sha256-"
#define POLICY_MIDDLE "'; script-src 'sha256-"
#define POLICY_END "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
/* clang-format on */

/* Source lists name what is inline by its SHA-256 in base64 (Content Security Policy Level 3, section 2.3.1). */
static int put_hash(struct buffer *answer, const char *text, struct error *error)
{
    struct digest digest = digest_of(text, strlen(text));
    return base64_put(answer, digest.bytes, sizeof(digest.bytes), error);
}

static int put_policy(struct buffer *answer, struct error *error)
{
    if (buffer_put_text(answer, POLICY_BEGIN, error) < 0 || put_hash(answer, STYLE, error) < 0 ||
        buffer_put_text(answer, POLICY_MIDDLE, error) < 0 || put_hash(answer, SCRIPT, error) < 0)
        return -1;
    return buffer_put_text(answer, POLICY_END, error);
}

static int put_html(enum result_page page, struct buffer *html, struct error *error)
{
    if (buffer_put_format(html, error,
                          "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                          "<meta name=\"viewport\" content=\"width=device-width, "
                          "initial-scale=1\">\n<title>%s &middot; p11vault</title>\n",
                          pages[page].heading) < 0 ||
        buffer_put_text(html,
                        "<style>" STYLE "</style>\n<script>" SCRIPT "</script>\n</head>\n"
                        "<body>\n<main>\n",
                        error) < 0)
        return -1;
    return buffer_put_format(
        html, error,
        "<section class=\"%s\" role=\"status\">\n"
        "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\">%s</svg>\n"
        "<h1>%s</h1>\n<p>%s</p>\n<p class=\"next\">%s</p>\n</section>\n"
        "<footer>p11vault on this computer</footer>\n</main>\n</body>\n</html>\n",
        pages[page].tone, pages[page].icon, pages[page].heading, pages[page].text,
        pages[page].next);
}

int result_page_put(enum result_page page, struct buffer *answer, struct error *error)
{
    auto_buffer struct buffer html = BUFFER_UP_TO(RESULT_PAGE_MAX);
    if (put_html(page, &html, error) < 0 ||
        buffer_put_format(answer, error, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n",
                          pages[page].status, html.size) < 0 ||
        buffer_put_text(answer, HEADERS, error) < 0 || put_policy(answer, error) < 0 ||
        buffer_put_text(answer, "\r\n", error) < 0)
        return -1;
    return buffer_put(answer, html.data, html.size, error);
}
