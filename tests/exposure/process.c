/*
 * process.c: reads the maps through /proc/PID/mem, which shows what the process itself would read,
 * and the registers through ptrace.
 */
#include "process.h"

#include <elf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECE ((size_t)4 << 20)
#define FOUND_MAX 512
#define NAME_SIZE 256

/* VSYSCALL and VVAR are the kernel's own pages, the same for everybody. */
static const char *const kernels[] = {"[vvar]", "[vvar_vclock]", "[vsyscall]"};

struct place {
    uint64_t start, end;
    char name[NAME_SIZE];
    bool readable, locked, left_out; /* locked in memory, left out of core dumps */
};

struct found {
    const struct form *form;
    size_t size;
    uint64_t offset;
    struct place place;
};

struct look {
    const struct needles *needles;
    int memory;
    uint8_t *piece;
    struct found found[FOUND_MAX];
    size_t found_count;
    struct place *places;
    size_t place_count;
    uint64_t bytes;
};

static void note(struct look *look, const struct place *place, uint64_t offset,
                 const struct match *match)
{
    if (look->found_count == FOUND_MAX)
        errx(2, "more than %d finds", FOUND_MAX);
    look->found[look->found_count++] = (struct found){match->form, match->size, offset, *place};
}

/*
 * Looks through bytes that begin `base` bytes into the place.  Finds that begin behind `own` belong
 * to the next piece.  Returns where the last find ends.
 */
static uint64_t look_through(struct look *look, const struct place *place, uint64_t base,
                             const uint8_t *bytes, size_t size, size_t own, uint64_t from)
{
    struct match match;
    size_t end = size < WINDOW ? 0 : own < size - WINDOW + 1 ? own : size - WINDOW + 1;
    for (size_t i = from > base ? from - base : 0;
         (i = needles_next(look->needles, bytes, i, end)) < end; i++) {
        size_t before = from > base ? i - (from - base) : i;
        if (!needles_match(look->needles, bytes + i, before, size - i, &match))
            continue;
        note(look, place, base + i - match.before, &match);
        from = base + i - match.before + match.size;
        i = from - base - 1;
    }
    return from;
}

/* ---- maps ---- */

static void read_places(struct look *look, pid_t pid)
{
    char path[64], line[1024], rights[5];
    snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        err(2, "%s", path);
    while (fgets(line, sizeof(line), file) != NULL) {
        struct place place = {.name = ""};
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %*s %255[^\n]", &place.start,
                   &place.end, rights, place.name) >= 3) {
            place.readable = rights[0] == 'r';
            look->places = realloc(look->places, (look->place_count + 1) * sizeof(*look->places));
            if (look->places == NULL)
                err(2, "memory");
            look->places[look->place_count++] = place;
        } else if (strncmp(line, "VmFlags:", 8) == 0 && look->place_count > 0) {
            look->places[look->place_count - 1].locked = strstr(line, " lo") != NULL;
            look->places[look->place_count - 1].left_out = strstr(line, " dd") != NULL;
        }
    }
    fclose(file);
}

static bool is_kernels(const struct place *place)
{
    for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
        if (strcmp(place->name, kernels[i]) == 0)
            return true;
    return false;
}

/* Returns false when a part could not be read. */
static bool read_place(struct look *look, const struct place *place)
{
    size_t overlap = needles_longest(look->needles);
    uint64_t from = 0, size = place->end - place->start;
    bool whole = true;
    for (uint64_t base = 0; base < size; base += PIECE) {
        size_t wanted = size - base < PIECE + overlap ? size - base : PIECE + overlap;
        size_t own = wanted < PIECE ? wanted : PIECE;
        ssize_t got = pread(look->memory, look->piece, wanted, (off_t)(place->start + base));
        /* Behind the end of a mapped file, and in memory made secret, there is nothing to read. */
        if (got < 0 || (size_t)got < own)
            whole = false;
        if (got <= 0)
            continue;
        look->bytes += (size_t)got;
        from = look_through(look, place, base, look->piece, (size_t)got, own, from);
    }
    return whole;
}

/* ---- registers ---- */

static void read_registers(struct look *look, pid_t thread)
{
    static const struct {
        int type;
        const char *name;
        bool must; /* this machine has it */
    } sets[] = {{NT_PRSTATUS, "general", true},
                {NT_PRFPREG, "floating", true},
#ifdef __x86_64__
                {NT_X86_XSTATE, "vector", true}
#endif
    };
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        struct iovec into = {look->piece, PIECE};
        struct place place = {.readable = true};
        if (ptrace(PTRACE_GETREGSET, thread, sets[i].type, &into) < 0)
            err(2, "registers of thread %d", thread);
        snprintf(place.name, sizeof(place.name), "%s registers", sets[i].name);
        look_through(look, &place, 0, look->piece, into.iov_len, into.iov_len, 0);
    }
}

/* ---- what is said ---- */

static void say_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        if ((unsigned char)*text >= ' ')
            putchar(*text);
    }
    putchar('"');
}

static void say_counts(const struct look *look)
{
    bool said[FOUND_MAX] = {false};
    const char *between = "";
    printf("\"counts\": [");
    for (size_t i = 0; i < look->found_count; i++) {
        size_t count = 0;
        for (size_t j = i; j < look->found_count; j++)
            if (!said[j] && look->found[j].form == look->found[i].form) {
                said[j] = true;
                count++;
            }
        if (count == 0)
            continue;
        printf("%s{\"needle\": ", between);
        say_text(look->found[i].form->needle);
        printf(", \"form\": \"%s\", \"count\": %zu}", look->found[i].form->name, count);
        between = ", ";
    }
    printf("]");
}

static void say_finds(const struct look *look)
{
    printf("\"hits\": [");
    for (size_t i = 0; i < look->found_count; i++) {
        const struct found *found = &look->found[i];
        printf("%s{\"needle\": ", i == 0 ? "" : ", ");
        say_text(found->form->needle);
        printf(", \"form\": \"%s\", \"length\": %zu, \"map\": ", found->form->name, found->size);
        say_text(found->place.name);
        printf(", \"start\": \"%" PRIx64 "\", \"offset\": %" PRIu64
               ", \"locked\": %s, \"dumped\": %s}",
               found->place.start, found->offset, found->place.locked ? "true" : "false",
               found->place.left_out ? "false" : "true");
    }
    printf("]");
}

static void name_program(pid_t pid, char ret_name[NAME_SIZE])
{
    char path[64], target[NAME_SIZE];
    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    ssize_t size = readlink(path, target, sizeof(target) - 1);
    target[size < 0 ? 0 : size] = '\0';
    const char *slash = strrchr(target, '/');
    snprintf(ret_name, NAME_SIZE, "%s", slash == NULL ? target : slash + 1);
}

void process_look(const struct needles *needles, pid_t pid, const pid_t *threads, size_t count,
                  const char *moment)
{
    static struct look look;
    char path[64], name[NAME_SIZE];
    const char *between = "";
    look = (struct look){.needles = needles};
    look.piece = malloc(PIECE + needles_longest(needles));
    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    look.memory = open(path, O_RDONLY | O_CLOEXEC);
    if (look.piece == NULL || look.memory < 0)
        err(2, "%s", path);
    name_program(pid, name);
    printf("{\"moment\": ");
    say_text(moment);
    printf(", \"pid\": %d, \"program\": ", pid);
    say_text(name);
    read_places(&look, pid);
    printf(", \"unread\": [");
    for (size_t i = 0; i < look.place_count; i++) {
        const struct place *place = &look.places[i];
        if (!place->readable || is_kernels(place) || read_place(&look, place))
            continue;
        printf("%s", between);
        say_text(place->name);
        between = ", ";
    }
    printf("], ");
    for (size_t i = 0; i < count; i++)
        read_registers(&look, threads[i]);
    say_counts(&look);
    printf(", ");
    say_finds(&look);
    printf(", \"maps\": %zu, \"threads\": %zu, \"bytes\": %" PRIu64 "}\n", look.place_count, count,
           look.bytes);
    fflush(stdout);
    explicit_bzero(look.piece, PIECE + needles_longest(needles));
    free(look.piece);
    free(look.places);
    close(look.memory);
}
