/*
 * `call`: what the provider answers goes to standard output as it comes, scrubbed.
 */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "p11vault/base/json.h"
#include "p11vault/oauth/batch.h"
#include "p11vault/oauth/graph.h"

/* An answer has 64 MiB at most, and some more when marks stand in the place of what is shorter. */
#define ANSWER_MAX ((size_t)256 * 1024 * 1024)

struct showing {
    bool as_json;
    struct buffer answer; /* with as_json: the one in hand */
    bool is_open;         /* an answer has begun */
    size_t answers;
    char last; /* byte that was written */
    bool at_terminal;
};

static void showing_clear(struct showing *showing)
{
    buffer_clear(&showing->answer);
}

static int put(const void *bytes, size_t size, struct error *error)
{
    return descriptor_write(STDOUT_FILENO, bytes, size) < 0
               ? error_errno(error, CODE_FAULT, "write the answer")
               : 0;
}

static int write_text(const char *text, struct error *error)
{
    return put(text, strlen(text), error);
}

/* A terminal obeys control characters, and the server chooses them: JSON has none, so nothing is lost. */
static int write_plain(const char *bytes, size_t size, char before, struct error *error)
{
    char plain[512];
    size_t to = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        bool is_c1 = (unsigned char)before == 0xc2 && byte >= 0x80 && byte <= 0x9f;
        bool obeyed = (byte < ' ' && byte != '\n' && byte != '\t') || byte == 0x7f || is_c1;
        before = bytes[i];
        plain[to++] = obeyed ? '?' : before;
        if (to == sizeof(plain) || i + 1 == size) {
            if (put(plain, to, error) < 0)
                return -1;
            to = 0;
        }
    }
    return 0;
}

static int write_shown(const struct showing *showing, const void *bytes, size_t size, char before,
                       struct error *error)
{
    return showing->at_terminal ? write_plain(bytes, size, before, error) : put(bytes, size, error);
}

static int show(void *context, const void *bytes, size_t size, struct error *error)
{
    struct showing *showing = context;
    if (size == 0)
        return 0;
    char before = showing->is_open ? showing->last : '\0';
    showing->is_open = true;
    if (showing->as_json)
        return buffer_put(&showing->answer, bytes, size, error);
    showing->last = ((const char *)bytes)[size - 1];
    return write_shown(showing, bytes, size, before, error);
}

static int dump(const char *bytes, size_t size, void *context)
{
    return put(bytes, size, context);
}

/* What is no JSON, as a string. */
static int write_string(struct buffer *answer, struct error *error)
{
    auto_json json_t *text = json_stringn(buffer_text(answer), answer->size);
    for (size_t i = 0; !text && i < answer->size; i++)
        if (answer->data[i] >= 0x80)
            answer->data[i] = '?';
    if (!text)
        text = json_stringn(buffer_text(answer), answer->size);
    if (!text)
        return error_memory(error);
    return json_dump_callback(text, dump, error, JSON_ENCODE_ANY);
}

/* An answer is the provider's word: it must not get out of its place within the frame. */
static int end_framed(struct showing *showing, struct error *error)
{
    auto_buffer struct buffer answer = showing->answer;
    showing->answer = BUFFER_UP_TO(ANSWER_MAX);
    if (showing->answers++ > 0 && write_text(",", error) < 0)
        return -1;
    if (!json_is_one(buffer_text(&answer), answer.size))
        return write_string(&answer, error);
    return write_shown(showing, answer.data, answer.size, '\0', error);
}

static int end(void *context, struct error *error)
{
    struct showing *showing = context;
    if (!showing->is_open)
        return 0;
    showing->is_open = false;
    if (showing->as_json)
        return end_framed(showing, error);
    return showing->last == '\n' ? 0 : write_text("\n", error);
}

static int show_end(const struct name *name, const struct front_called *called, struct error *error)
{
    char text[NAME_MAX_SIZE + 128];
    (void)snprintf(text, sizeof(text), "],\"http\":%d,\"name\":\"%s\",\"scrubbed\":%lld}\n",
                   called->http, name->full, (long long)called->scrubbed);
    return write_text(text, error);
}

static int read_fields(const struct arguments *arguments, struct buffer *fields, char *ret_path,
                       struct error *error)
{
    if (oauth_graph_split(arguments->positional[2], fields, ret_path, error) < 0)
        return -1;
    for (size_t i = 0; i < arguments->fields.count; i++)
        if (oauth_graph_add(fields, arguments->fields.items[i], error) < 0)
            return -1;
    return 0;
}

static int read_method(const char *word, char ret_method[8], struct error *error)
{
    size_t size = strlen(word);
    if (size >= 8)
        return error_set(error, CODE_USAGE, "the method must be GET, POST or DELETE");
    for (size_t i = 0; i <= size; i++)
        ret_method[i] = (char)toupper((unsigned char)word[i]);
    return 0;
}

static int read_call(const struct arguments *arguments, struct buffer *fields, char *ret_path,
                     char ret_method[8], struct error *error)
{
    if (arguments->count != 3) {
        error_set(error, CODE_USAGE, "'call' needs NAME METHOD PATH, or NAME and --batch");
        return error_hint(error, "p11vault call --help");
    }
    if (read_method(arguments->positional[1], ret_method, error) < 0 ||
        read_fields(arguments, fields, ret_path, error) < 0)
        return -1;
    if (arguments->paginate && !oauth_graph_repeats(ret_method))
        return error_set(error, CODE_USAGE, "--paginate is for GET: leave it out");
    return oauth_graph_check(ret_method, ret_path, buffer_text(fields), error);
}

static int read_batch(const struct arguments *arguments, char **ret_batch, struct error *error)
{
    auto_buffer struct buffer text = BUFFER_UP_TO(BATCH_INPUT_MAX);
    struct oauth_batch batch;
    if (arguments->count != 1 || arguments->fields.count > 0 || arguments->paginate)
        return error_set(error, CODE_USAGE, "--batch takes no METHOD, PATH, -F or --paginate");
    if ((strcmp(arguments->batch, "-") == 0
             ? read_input("a batch", &text, error)
             : buffer_read_file(arguments->batch, BATCH_INPUT_MAX, FILE_PLAIN, &text, error)) < 0)
        return -1;
    return oauth_batch_read(buffer_text(&text), text.size, &batch, ret_batch, error);
}

static int show_call(struct cli *cli, const struct name *name, const struct front_call *what,
                     struct showing *showing, struct error *error)
{
    struct front_called called;
    /* Whoever reads may go: the log is still to say what came of it. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (showing->as_json && write_text("{\"answers\":[", error) < 0)
        return -1;
    int result = front_call(&cli->front, name, what, &called, error);
    if (called.scrubbed > 0)
        say("p11vault: note: %s: the answer held %lld access token%s or secret%s, not shown",
            name->full, (long long)called.scrubbed, called.scrubbed == 1 ? "" : "s",
            called.scrubbed == 1 ? "" : "s");
    struct error ending;
    if ((showing->is_open && end(showing, &ending) < 0) ||
        (showing->as_json && show_end(name, &called, &ending) < 0)) {
        if (result == 0)
            *error = ending;
        return -1;
    }
    return result;
}

int cli_call(struct cli *cli, struct error *error)
{
    const struct arguments *arguments = &cli->arguments;
    auto_buffer struct buffer fields = BUFFER_UP_TO(GRAPH_FIELDS_MAX);
    auto_free char *batch = NULL;
    char path[GRAPH_PATH_MAX] = "", method[8] = "";
    struct name name;
    __attribute__((cleanup(showing_clear))) struct showing showing = {
        .as_json = arguments->json,
        .answer = BUFFER_UP_TO(ANSWER_MAX),
        .at_terminal = isatty(STDOUT_FILENO)};
    if (name_parse_grant(arguments->positional[0], &name, error) < 0 ||
        (arguments->batch ? read_batch(arguments, &batch, error)
                          : read_call(arguments, &fields, path, method, error)) < 0)
        return -1;
    const struct front_call what = {.method = method,
                                    .path = path,
                                    .fields = buffer_text(&fields),
                                    .paginate = arguments->paginate,
                                    .batch = batch,
                                    .write = show,
                                    .end = end,
                                    .context = &showing};
    return show_call(cli, &name, &what, &showing, error);
}
