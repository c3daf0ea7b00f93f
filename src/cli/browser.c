/*
 * Opening an address in a browser: by way of a page that only this user can read, because arguments can be read by everybody.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "p11vault/base/buffer.h"
#include "p11vault/base/digest.h"
#include "p11vault/base/secret.h"

#define PAGE_MAX ((size_t)64 * 1024)
#define NAME_BYTES 8

/* The person's own, else the desktop's.  None is no failure: the person is told of the page. */
static int start(const char *page, struct error *error)
{
    const char *chosen = getenv("BROWSER");
    const char *const own[] = {chosen, page, NULL}, *const common[] = {"xdg-open", page, NULL};
    int status;
    if (chosen && *chosen && outside_run(own, 0, "", 0, &status, error) == 0)
        return 0;
    if (outside_run(common, 0, "", 0, &status, error) == 0)
        return 0;
    if (error->code != CODE_CONFIG)
        return -1;
    say("p11vault: no browser could be started");
    return 0;
}

/* Text as it stands in an attribute of HTML. */
static int put_escaped(struct secret *page, const char *text, struct error *error)
{
    for (; *text; text++) {
        const char *entity = *text == '&'    ? "&amp;"
                             : *text == '"'  ? "&quot;"
                             : *text == '\'' ? "&#39;"
                             : *text == '<'  ? "&lt;"
                             : *text == '>'  ? "&gt;"
                                             : NULL;
        if ((entity ? secret_append_text(page, entity, error)
                    : secret_append(page, text, 1, error)) < 0)
            return -1;
    }
    return 0;
}

static int compose(const char *address, struct secret *page, struct error *error)
{
    if (secret_append_text(
            page,
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
            "<meta name=\"referrer\" content=\"no-referrer\">\n<title>p11vault</title>\n"
            "<meta http-equiv=\"refresh\" content=\"0; url=",
            error) < 0 ||
        put_escaped(page, address, error) < 0 ||
        secret_append_text(page, "\">\n<p><a href=\"", error) < 0 ||
        put_escaped(page, address, error) < 0)
        return -1;
    return secret_append_text(page, "\">Log in</a>\n</html>\n", error);
}

/* Only the file keeps the address: whoever has its state can answer in the provider's place. */
static int write_page(const char *path, const char *address, struct error *error)
{
    auto_of(secret_free) struct secret *page = NULL;
    if (secret_new(PAGE_MAX, &page, error) < 0 || compose(address, page, error) < 0)
        return -1;
    return buffer_write_file(path, secret_data(page), secret_size(page), 0600, error);
}

int browser_open(const char *directory, const char *address, char **ret_page, struct error *error)
{
    auto_free char *path = NULL;
    uint8_t bytes[NAME_BYTES];
    char name[2 * NAME_BYTES + 1], page_address[PATH_MAX + 8];
    if (random_bytes(bytes, sizeof(bytes), error) < 0)
        return -1;
    hex_encode(bytes, sizeof(bytes), name);
    if (asprintf(&path, "%s/login-%s.html", directory, name) < 0)
        return error_memory(error);
    if (write_page(path, address, error) < 0)
        return -1;
    (void)snprintf(page_address, sizeof(page_address), "file://%s", path);
    if (outside_remove(path, error) < 0 || start(page_address, error) < 0) {
        (void)unlink(path);
        return -1;
    }
    *ret_page = TAKE(path);
    return 0;
}

void browser_forget(const char *page)
{
    if (page)
        (void)unlink(page);
}
