/*
 * The front's own walls.  Rooms inherit them through exec, so they deny only what neither the front nor a room needs.
 */
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "p11vault/base/secret.h"
#include "p11vault/confine/confine.h"
#include "p11vault/confine/kernel.h"

#define PLACES_MAX (CONFIG_MODULES_MAX + 5)

struct places {
    const char *paths[PLACES_MAX];
    size_t count;
};

static void places_clear(struct places *places)
{
    for (size_t i = 0; i < places->count; i++)
        free((void *)(uintptr_t)places->paths[i]);
}

static void cut_last(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash)
        memcpy(path, ".", 2);
    else if (slash == path)
        path[1] = '\0';
    else
        *slash = '\0';
}

/* The path, or what is there of it: below that the verb makes the directories that are missing. */
static int add(struct places *places, const char *path, struct error *error)
{
    char *there = strdup(path);
    if (!there)
        return error_memory(error);
    while (access(there, F_OK) < 0 && strcmp(there, "/") != 0 && strcmp(there, ".") != 0)
        cut_last(there);
    places->paths[places->count++] = there;
    return 0;
}

static int add_directory_of(struct places *places, const char *file, struct error *error)
{
    auto_free char *directory = strdup(file);
    if (!directory)
        return error_memory(error);
    cut_last(directory);
    return add(places, directory, error);
}

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Where files change: the vault; the newest head beside the trust file; what modules keep; and what this verb names. */
static int find_places(const struct cli *cli, unsigned needs, struct places *places,
                       struct error *error)
{
    const struct config *config = cli->config;
    const char *named = (needs & WRITES_NAMED) != 0 ? cli->arguments.positional[0] : NULL;
    bool writes_heads = (needs & (NEEDS_VAULT | NEEDS_MODULE)) != 0 || cli->arguments.lost_head;
    if (add(places, cli->directory, error) < 0 ||
        (writes_heads && add_directory_of(places, config->trust, error) < 0) ||
        (writes_heads && config->anchor && add_directory_of(places, config->anchor, error) < 0) ||
        (cli->arguments.soft && add_directory_of(places, config->user_file, error) < 0))
        return -1;
    for (size_t i = 0; i < config->module_count; i++) {
        const char *writable = config->modules[i].writable;
        /* One that is not there: the room that needs it says so. */
        if (writable && access(writable, F_OK) == 0 && add(places, writable, error) < 0)
            return -1;
    }
    if (!named)
        return 0;
    return is_directory(named) ? add(places, named, error) : add_directory_of(places, named, error);
}

int cli_walls(const struct cli *cli, unsigned needs, struct error *error)
{
    struct places places __attribute__((cleanup(places_clear))) = {.count = 0};
    if (!CONFINE_WALLS)
        return 0;
    if (find_places(cli, needs, &places, error) < 0 ||
        confine_writing(places.paths, places.count, error) < 0)
        return error_prefix(error, "the walls of p11vault");
    return 0;
}

void cli_tell_absent_walls(const struct cli *cli)
{
    static const char more[] = "p11vault doctor says what that means";
    bool files = confine_landlock_version() > 0, calls = kernel_has_filters();
    if (CONFINE_WALLS && (!files || !calls))
        say("p11vault: note: this kernel lacks %s%s%s: %s", files ? "" : "Landlock",
            files || calls ? "" : " and ", calls ? "" : "seccomp filters", more);
    if (cli->config->unlocked_memory && !kernel_can_lock(SECRETS_MAX))
        say("p11vault: note: memory cannot be locked, and [memory] unlocked = allow: "
            "secrets can be swapped out");
}
