/*
 * Who acts, as this host says it: user, process, program, terminal, unit.
 */
#include "who.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "p11vault/base/buffer.h"

/* The last part of the process' control group when it is a service or timer of systemd. */
static void find_unit(char *ret_unit, size_t room)
{
    struct error ignored;
    auto_buffer struct buffer text = BUFFER_UP_TO(4096);
    ret_unit[0] = '\0';
    if (buffer_read_file("/proc/self/cgroup", 4096, FILE_PLAIN, &text, &ignored) < 0)
        return;
    char *line_end = strchr((char *)text.data, '\n');
    if (line_end)
        *line_end = '\0';
    const char *slash = strrchr((char *)text.data, '/');
    if (slash && strstr(slash, ".service"))
        (void)snprintf(ret_unit, room, "%s", slash + 1);
}

static void find_link(const char *path, char *ret_text, size_t room)
{
    ssize_t size = readlink(path, ret_text, room - 1);
    ret_text[size > 0 ? size : 0] = '\0';
}

static void printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
            *text = '?';
}

/* Found out once: it does not change while the process lives. */
static json_t *find_who(void)
{
    char exe[512], tty[256], unit[256];
    find_link("/proc/self/exe", exe, sizeof(exe));
    find_link("/proc/self/fd/0", tty, sizeof(tty));
    if (strncmp(tty, "/dev/pts/", 9) != 0 && strncmp(tty, "/dev/tty", 8) != 0)
        tty[0] = '\0';
    find_unit(unit, sizeof(unit));
    printable(exe);
    printable(tty);
    printable(unit);
    json_t *who = json_pack("{s:I, s:I, s:s}", "uid", (json_int_t)getuid(), "pid",
                            (json_int_t)getpid(), "exe", *exe ? exe : "?");
    if (who && *tty)
        json_object_set_new(who, "tty", json_string(tty));
    if (who && *unit)
        json_object_set_new(who, "unit", json_string(unit));
    return who;
}

json_t *who_acts(void)
{
    static json_t *who;
    if (!who)
        who = find_who();
    return json_incref(who);
}
