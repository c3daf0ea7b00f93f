/*
 * Starting a browser.  It must not inherit this program's walls, so a process is made before they are built and waits for a
 * page; and the address goes by way of a page that only this user can read, because arguments can be read by everybody.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "p11vault/base/buffer.h"
#include "p11vault/base/digest.h"

#define PAGE_MAX ((size_t)64 * 1024)
#define NAME_BYTES 8

static int opener = -1; /* the pipe to the waiting process */

__attribute__((noreturn)) static void become_browser(const char *page)
{
    const char *browser = getenv("BROWSER");
    if (browser && *browser)
        execlp(browser, browser, page, NULL);
    execlp("xdg-open", "xdg-open", page, NULL);
    dprintf(STDERR_FILENO, "p11vault: no browser could be started\n");
    _exit(1);
}

/* Up to the line's end, or to that of the pipe; false when there was nothing. */
static bool read_page(int pipe_end, char *ret_page, size_t room)
{
    size_t size = 0;
    while (size < room - 1 && read(pipe_end, ret_page + size, 1) == 1 && ret_page[size] != '\n')
        size++;
    ret_page[size] = '\0';
    return size > 0;
}

/*
 * One page, one browser; the pipe's end without a page means that none is wanted.  Its end behind one means that the login is
 * over, however it ended: a killed program leaves no page.
 */
__attribute__((noreturn)) static void wait_for_page(int pipe_end)
{
    static const char scheme[] = "file://";
    char page[PATH_MAX + sizeof(scheme)];
    char rest;
    if (!read_page(pipe_end, page, sizeof(page)))
        _exit(0);
    if (fork() == 0)
        become_browser(page);
    /* It must not hold the output that somebody may be reading to its end. */
    (void)dup2(pipe_end, STDIN_FILENO);
    (void)dup2(pipe_end, STDOUT_FILENO);
    (void)dup2(pipe_end, STDERR_FILENO);
    while (read(pipe_end, &rest, 1) > 0) {
    }
    (void)unlink(page + sizeof(scheme) - 1);
    _exit(0);
}

int browser_prepare(struct error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(error, CODE_FAULT, "make a pipe for the browser");
    pid_t child = fork();
    if (child < 0) {
        close(ends[0]);
        close(ends[1]);
        return error_errno(error, CODE_FAULT, "make a process for the browser");
    }
    if (child == 0) {
        close(ends[1]);
        setsid();
        wait_for_page(ends[0]);
    }
    close(ends[0]);
    opener = ends[1];
    return 0;
}

/* Text as it stands in an attribute of HTML. */
static int put_escaped(struct buffer *page, const char *text, struct error *error)
{
    for (; *text; text++) {
        const char *entity = *text == '&'    ? "&amp;"
                             : *text == '"'  ? "&quot;"
                             : *text == '\'' ? "&#39;"
                             : *text == '<'  ? "&lt;"
                             : *text == '>'  ? "&gt;"
                                             : NULL;
        if ((entity ? buffer_put_text(page, entity, error) : buffer_put(page, text, 1, error)) < 0)
            return -1;
    }
    return 0;
}

static int compose(const char *address, struct buffer *page, struct error *error)
{
    if (buffer_put_text(
            page,
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
            "<meta name=\"referrer\" content=\"no-referrer\">\n<title>p11vault</title>\n"
            "<meta http-equiv=\"refresh\" content=\"0; url=",
            error) < 0 ||
        put_escaped(page, address, error) < 0 ||
        buffer_put_text(page, "\">\n<p><a href=\"", error) < 0 ||
        put_escaped(page, address, error) < 0)
        return -1;
    return buffer_put_text(page, "\">Log in</a>\n</html>\n", error);
}

int browser_open(const char *directory, const char *address, char **ret_page, struct error *error)
{
    auto_buffer struct buffer page = BUFFER_UP_TO(PAGE_MAX);
    auto_free char *path = NULL;
    uint8_t bytes[NAME_BYTES];
    char name[2 * NAME_BYTES + 1];
    if (random_bytes(bytes, sizeof(bytes), error) < 0)
        return -1;
    hex_encode(bytes, sizeof(bytes), name);
    if (asprintf(&path, "%s/login-%s.html", directory, name) < 0)
        return error_memory(error);
    if (compose(address, &page, error) < 0 ||
        buffer_write_file(path, page.data, page.size, 0600, error) < 0)
        return -1;
    if (dprintf(opener, "file://%s\n", path) < 0) {
        (void)unlink(path);
        return error_errno(error, CODE_FAULT, "tell the browser of the page");
    }
    *ret_page = TAKE(path);
    return 0;
}

void browser_forget(const char *page)
{
    if (page)
        (void)unlink(page);
    if (opener >= 0)
        close(TAKE_FD(opener));
}
