/*
 * test_config.c: every key, every refusal with its file and line, and which files are read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../../src/config/internal.h"
#include "leave_out.h"

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Reads texts one after the other as files "0", "1", ..., then judges the whole. */
static int read_texts(const char *const *texts, struct config **ret_config, struct error *error)
{
    static const char *const names[] = {"0", "1", "2"};
    auto_of(config_free) struct config *config = config_new();
    assert_non_null(config);
    struct config_loading loading = {.config = config};
    for (size_t i = 0; texts[i] != NULL; i++) {
        if (config_read_text(&loading, names[i], texts[i], strlen(texts[i]), error) < 0)
            return -1;
    }
    if (config_finish(&loading, error) < 0)
        return -1;
    *ret_config = TAKE(config);
    return 0;
}

static struct config *accept(const char *text)
{
    const char *texts[] = {text, NULL};
    struct config *config = NULL;
    struct error error = {0};
    if (read_texts(texts, &config, &error) < 0)
        fail_msg("%s", error.text);
    return config;
}

/* The text must be refused with exactly this error. */
static void refuse(const char *text, const char *message)
{
    const char *texts[] = {text, NULL};
    struct config *config = NULL;
    struct error error = {0};
    assert_int_equal(read_texts(texts, &config, &error), -1);
    assert_null(config);
    assert_int_equal(error.code, CODE_CONFIG);
    assert_string_equal(error.text, message);
}

static void test_defaults(void **state)
{
    (void)state;
    auto_of(config_free) struct config *config = accept("");
    assert_null(config->vault_dir);
    assert_null(config->default_module);
    assert_null(config->tls_ca);
    assert_null(config->meta.api_version);
    assert_null(config->meta.dialog);
    assert_int_equal(config->meta.debug_token_get, 0);
    assert_false(config->unlocked_memory);
    assert_int_equal(config->exchange_deadline_s, 60);
    assert_int_equal(config->connect_deadline_s, 10);
    assert_int_equal(config->module_count, 0);
    assert_int_equal(config->origin_count, 0);
}

static void test_every_key(void **state)
{
    (void)state;
    auto_of(config_free) struct config *config =
        accept("# comment\n; comment\n\n  \t\n"
               "[vault] ; where it is\ndir = /v\ntrust=/t\nmodule = soft ; the default\n"
               "[module soft]\npath = /lib/soft.so\npin-source = /p\ndeadline = 3600\n"
               "env.SOFTHSM2_CONF = /c=d\nenv._x9 = a b;c\r\n"
               "[module other]\npath = /lib/other.so\n"
               "[exchange]\ndeadline = 1\nconnect-deadline = 42\n"
               "[tls]\nca = /ca\n"
               "[origin https://Local.Host:8443/]\nca = /ca2\n"
               "[origin https://[::1]:443]\nca = /ca3\n"
               "[memory]\nunlocked = allow\n"
               "[meta]\napi-version = v27.0\ndebug-token = get");
    assert_string_equal(config->vault_dir, "/v");
    assert_string_equal(config->trust, "/t");
    assert_string_equal(config->default_module, "soft");
    assert_int_equal(config->module_count, 2);
    const struct config_module *soft = &config->modules[0];
    assert_string_equal(soft->name, "soft");
    assert_string_equal(soft->path, "/lib/soft.so");
    assert_string_equal(soft->pin_source, "/p");
    assert_int_equal(soft->deadline_s, 3600);
    assert_int_equal(soft->env_count, 2);
    assert_string_equal(soft->env[0], "SOFTHSM2_CONF=/c=d");
    assert_string_equal(soft->env[1], "_x9=a b;c");
    assert_null(soft->env[2]);
    assert_string_equal(config->modules[1].name, "other");
    assert_null(config->modules[1].pin_source);
    assert_int_equal(config->modules[1].deadline_s, 30);
    assert_int_equal(config->exchange_deadline_s, 1);
    assert_int_equal(config->connect_deadline_s, 42);
    assert_int_equal(config->origin_count, 2);
    assert_string_equal(config->meta.api_version, "v27.0");
    assert_int_equal(config->meta.debug_token_get, 1);
    assert_true(config->unlocked_memory);
    assert_string_equal(config_ca(config, "https://local.host:8443"), "/ca2");
    assert_string_equal(config_ca(config, "https://[::1]"), "/ca3");
    assert_string_equal(config_ca(config, "https://graph.facebook.com"), "/ca");
}

static void test_ca_of_the_system(void **state)
{
    (void)state;
    auto_of(config_free) struct config *config = accept("");
    assert_string_equal(config_ca(config, "https://graph.facebook.com"), "");
}

static void test_later_file_overrides_single_keys(void **state)
{
    (void)state;
    const char *texts[] = {"[vault]\ndir = /a\ntrust = /t\nmodule = m\n"
                           "[module m]\npath = /m.so\ndeadline = 9\nenv.A = 1\nenv.AB = 2\n"
                           "[origin https://h]\nca = /1\n",
                           "[vault]\ndir = /b\n[module m]\ndeadline = 8\nenv.A = 3\nenv.C = 4\n"
                           "[origin HTTPS://H:443]\nca = /2\n",
                           NULL};
    auto_of(config_free) struct config *config = NULL;
    struct error error = {0};
    assert_int_equal(read_texts(texts, &config, &error), 0);
    assert_string_equal(config->vault_dir, "/b");
    assert_string_equal(config->trust, "/t");
    assert_int_equal(config->module_count, 1);
    assert_string_equal(config->modules[0].path, "/m.so");
    assert_int_equal(config->modules[0].deadline_s, 8);
    assert_int_equal(config->modules[0].env_count, 3);
    assert_string_equal(config->modules[0].env[0], "A=3");
    assert_string_equal(config->modules[0].env[1], "AB=2");
    assert_string_equal(config->modules[0].env[2], "C=4");
    assert_int_equal(config->origin_count, 1);
    assert_string_equal(config_ca(config, "https://h"), "/2");
}

static void test_fault_is_in_the_file_that_has_it(void **state)
{
    (void)state;
    const char *texts[] = {"[vault]\ndir = /a\n", "\n\n[vault]\ndir = b\n", NULL};
    struct config *config = NULL;
    struct error error = {0};
    assert_int_equal(read_texts(texts, &config, &error), -1);
    assert_string_equal(error.text, "1:4: a path must begin with '/'");
    assert_null(config);
}

#define NOT_A_LINE "the line is neither a section, nor KEY = VALUE, nor a comment"

static void test_refused_lines(void **state)
{
    (void)state;
    refuse("dir = /v\n", "0:1: key 'dir' stands before the first section");
    refuse("\n[vault]\nnonsense\n", "0:3: " NOT_A_LINE);
    refuse("[vault]\ndir: /v\n", "0:2: " NOT_A_LINE);
    refuse("[vault]\ndir ; x = /v\n", "0:2: " NOT_A_LINE);
    refuse("[vault]\ndir ; x = /v\ndir = v\n", "0:2: " NOT_A_LINE);
    refuse("\xef\xbb\xbf[vault]\n", "0:1: " NOT_A_LINE);
    refuse("[vault]\ndir = /v\n  /w\n", "0:3: the line is indented: values take one line each");
    refuse("[vault]\n\tdir = /v\n", "0:2: the line is indented: values take one line each");
    refuse("[vault]\n = /v\n", "0:2: the line is indented: values take one line each");
    refuse("[vault]\n= /v\n", "0:2: section [vault] has no key ''");
    refuse("[vault]\ndir = /v\001\n", "0:2: the line holds a control character");
    refuse("[vault]\ndir = /v\r\r\n", "0:2: the line holds a control character");
    refuse("[vault]\ndir = /v\x7f\n", "0:2: the line holds a control character");
    refuse("[vault\n", "0:1: the section has no ']'");
    refuse("[vault] dir = /v\n", "0:1: there is something behind the ']'");
    refuse("[vault];\n", "0:1: there is something behind the ']'");
}

static void test_nul_byte(void **state)
{
    (void)state;
    static const char text[] = "[vault]\ndir = /v\0w\n";
    auto_of(config_free) struct config *config = config_new();
    struct config_loading loading = {.config = config};
    struct error error = {0};
    assert_int_equal(config_read_text(&loading, "0", text, sizeof(text) - 1, &error), -1);
    assert_int_equal(error.code, CODE_CONFIG);
    assert_string_equal(error.text, "0:2: the line holds a NUL byte");
}

/* "dir = /xxx" of so many bytes on line 2 of a file, with the line end given. */
static void make_long(char *text, size_t size, const char *end)
{
    char line[512];
    memset(line, 'x', sizeof(line));
    memcpy(line, "dir = /", 7);
    sprintf(text, "[vault]\n%.*s%s[tls]\nca = /ca\n", (int)size, line, end);
}

static void test_longest_line(void **state)
{
    (void)state;
    char text[1024];
    static const char *const ends[] = {"\n", "\r\n"};
    for (size_t i = 0; i < 2; i++) {
        make_long(text, CONFIG_LINE_MAX, ends[i]);
        auto_of(config_free) struct config *config = accept(text);
        assert_int_equal(strlen(config->vault_dir), CONFIG_LINE_MAX - strlen("dir = "));
        assert_string_equal(config->tls_ca, "/ca");
        for (size_t size = CONFIG_LINE_MAX + 1; size < CONFIG_LINE_MAX + 10; size++) {
            char message[80];
            make_long(text, size, ends[i]);
            sprintf(message, "0:2: the line has %zu bytes, more than 198", size);
            refuse(text, message);
        }
    }
}

/* inih cuts the names of sections at 49 bytes; two that differ only behind must stay two. */
static void test_long_section_names_stay_whole(void **state)
{
    (void)state;
    auto_of(config_free) struct config *config =
        accept("[origin https://" A50 ".example]\nca = /1\n"
               "[origin https://" A50 ".example:8443]\nca = /2\n"
               "[module " A50 "]\npath = /m.so\nenv.A" A50 " = 1\nenv.A" A50 "B = 2\n");
    assert_string_equal(config_ca(config, "https://" A50 ".example"), "/1");
    assert_string_equal(config_ca(config, "https://" A50 ".example:8443"), "/2");
    assert_string_equal(config->modules[0].name, A50);
    assert_int_equal(config->modules[0].env_count, 2);
}

static void test_refused_sections_and_keys(void **state)
{
    (void)state;
    refuse("[vaults]\n", "0:1: there is no section [vaults]");
    refuse("[Vault]\n", "0:1: there is no section [Vault]");
    refuse("[ vault]\n", "0:1: there is no section [ vault]");
    refuse("[]\n", "0:1: there is no section []");
    refuse("[module]\n", "0:1: there is no section [module]");
    refuse("[vault]\n[vault]\n", "0:2: section [vault] is in this file twice");
    refuse("[module m]\npath = /m\n[tls]\n[module m]\n",
           "0:4: section [module m] is in this file twice");
    refuse("[origin https://h]\nca = /c\n[origin https://H/]\n",
           "0:3: section [origin https://h] is in this file twice");
    refuse("[vault]\ncolour = red\n", "0:2: section [vault] has no key 'colour'");
    refuse("[vault]\nca = /c\n", "0:2: section [vault] has no key 'ca'");
    refuse("[tls]\nenv.A = 1\n", "0:2: section [tls] has no key 'env.A'");
    refuse("[vault]\nDir = /v\n", "0:2: section [vault] has no key 'Dir'");
    refuse("[vault]\ndir = /v\n\ndir = /v\n", "0:4: key 'dir' is in section [vault] twice");
    refuse("[module m]\nenv.A = 1\nenv.A = 2\n", "0:3: key 'env.A' is in section [module m] twice");
    refuse("[vault]\ndir =\n", "0:2: key 'dir' has no value");
    refuse("[vault]\ndir = ; /v\n", "0:2: key 'dir' has no value");
}

static void test_refused_values(void **state)
{
    (void)state;
    static const char *const paths[][2] = {
        {"vault", "dir"},           {"vault", "trust"}, {"module m", "path"},
        {"module m", "pin-source"}, {"tls", "ca"},      {"origin https://h", "ca"},
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        static const char *const values[] = {"relative/file", "~/file", "\"/file\"", "./file"};
        for (size_t j = 0; j < 4; j++) {
            char text[256];
            sprintf(text, "[%s]\n%s = %s\n", paths[i][0], paths[i][1], values[j]);
            refuse(text, "0:2: a path must begin with '/'");
        }
    }
    static const char *const deadlines[][2] = {
        {"module m", "deadline"}, {"exchange", "deadline"}, {"exchange", "connect-deadline"}};
    for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
        static const char *const values[] = {"0",  "-1", "+1",          "3601",
                                             "01", "1s", "99999999999", "x"};
        for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
            char text[256];
            sprintf(text, "[%s]\n%s = %s\n", deadlines[i][0], deadlines[i][1], values[j]);
            refuse(text, "0:2: a deadline must be 1 to 3600 seconds, in digits alone");
        }
    }
    static const char *const versions[] = {"26.0",       "v26",     "v26.", "v.0",
                                           "v26.0/../x", "v2600.0", "V1.0"};
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        char text[256];
        sprintf(text, "[meta]\napi-version = %s\n", versions[i]);
        refuse(text, "0:2: a version must look like v26.0");
    }
    refuse("[meta]\ndebug-token = GET\n", "0:2: this must be post or get");
    refuse("[memory]\nunlocked = yes\n", "0:2: this must be refuse or allow");
    refuse("[vault]\nmodule = a/b\n", "0:2: this cannot be the name of a module");
    refuse("[vault]\nmodule = m\n", "0:2: there is no section [module m]");
}

static void test_refused_modules(void **state)
{
    (void)state;
    refuse("[module ]\n", "0:1: a module's section is [module NAME]");
    refuse("[module  m]\n", "0:1: a module's section is [module NAME]");
    refuse("[module m ]\n", "0:1: a module's section is [module NAME]");
    refuse("\n[module m]\ndeadline = 3\n", "0:2: module 'm' has no path");
    refuse("[module m]\nenv. = 1\n", "0:2: '' cannot be the name of a variable");
    refuse("[module m]\nenv.9A = 1\n", "0:2: '9A' cannot be the name of a variable");
    refuse("[module m]\nenv.A-B = 1\n", "0:2: 'A-B' cannot be the name of a variable");
    refuse("[module m]\nenv.LD_PRELOAD = /x.so\n",
           "0:2: variable LD_PRELOAD steers the program loader");
    refuse("[module m]\nenv.GLIBC_TUNABLES = x\n",
           "0:2: variable GLIBC_TUNABLES steers the program loader");
}

static void test_refused_origins(void **state)
{
    (void)state;
    refuse("[origin http://h]\n", "0:1: an origin must begin with https://");
    refuse("[origin h:8443]\n", "0:1: an origin must begin with https://");
    static const char *const urls[] = {
        "https://",     "https:///",        "https://h/path",  "https://h//", "https://u@h",
        "https://h?q",  "https://h#f",      "https://:8443",   "https://h:",  "https://h:0",
        "https://h:x",  "https://h:123456", "https://[::1",    "https://[]",  "https://::1",
        "https://h%41", "https://h h",      "https://h:80:80",
    };
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        char text[256];
        sprintf(text, "[origin %s]\nca = /c\n", urls[i]);
        refuse(text, "0:1: an origin is https://HOST or https://HOST:PORT, no more");
    }
    refuse("[tls]\n[origin https://h]\n", "0:2: this origin has no ca");
}

static void test_counts(void **state)
{
    (void)state;
    auto_buffer struct buffer text = BUFFER_UP_TO(CONFIG_FILE_MAX);
    struct error error = {0};
    for (int i = 0; i < CONFIG_MODULES_MAX; i++)
        assert_int_equal(buffer_put_format(&text, &error, "[module m%d]\npath = /m\n", i), 0);
    config_free(accept(buffer_text(&text)));
    buffer_put_text(&text, "[module more]\n", &error);
    refuse(buffer_text(&text), "0:33: more than 16 modules");

    buffer_clear(&text);
    for (int i = 0; i < CONFIG_ORIGINS_MAX; i++)
        assert_int_equal(buffer_put_format(&text, &error, "[origin https://h%d]\nca = /m\n", i), 0);
    config_free(accept(buffer_text(&text)));
    buffer_put_text(&text, "[origin https://more]\n", &error);
    refuse(buffer_text(&text), "0:65: more than 32 origins");

    buffer_clear(&text);
    buffer_put_text(&text, "[module m]\npath = /m\n", &error);
    for (int i = 0; i < CONFIG_ENV_MAX; i++)
        assert_int_equal(buffer_put_format(&text, &error, "env.V%d = 1\n", i), 0);
    config_free(accept(buffer_text(&text)));
    buffer_put_text(&text, "env.MORE = 1\n", &error);
    refuse(buffer_text(&text), "0:19: more than 16 variables for one module");
}

static void test_find_module(void **state)
{
    (void)state;
    const struct config_module *module = NULL;
    struct error error = {0};
    auto_of(config_free) struct config *none = accept("");
    none->user_file = strdup("/u/config");
    assert_int_equal(config_find_module(none, NULL, &module, &error), -1);
    assert_int_equal(error.code, CODE_CONFIG);
    assert_string_equal(error.text, "no PKCS#11 module is configured");
    assert_string_equal(error.hint, "add to /u/config the line [module opensc] and below it "
                                    "path = /PATH/TO/MODULE.so");
    assert_int_equal(config_find_module(none, "x", &module, &error), -1);
    assert_string_equal(error.text, "no module 'x': none is configured");

    auto_of(config_free) struct config *one = accept("[module a]\npath = /a\n");
    assert_int_equal(config_find_module(one, NULL, &module, &error), 0);
    assert_string_equal(module->name, "a");

    auto_of(config_free) struct config *two =
        accept("[module a]\npath = /a\n[module b]\npath = /b\n");
    two->user_file = strdup("/u/config");
    module = NULL;
    assert_int_equal(config_find_module(two, NULL, &module, &error), -1);
    assert_int_equal(error.code, CODE_CONFIG);
    assert_string_equal(error.text, "which module? There are: a, b");
    assert_int_equal(config_find_module(two, "c", &module, &error), -1);
    assert_string_equal(error.text, "no module 'c' is configured; there are: a, b");
    assert_non_null(strstr(error.hint, "[module c]"));
    assert_null(module);
    assert_int_equal(config_find_module(two, "b", &module, &error), 0);
    assert_string_equal(module->path, "/b");

    auto_of(config_free) struct config *chosen =
        accept("[vault]\nmodule = b\n[module a]\npath = /a\n[module b]\npath = /b\n");
    assert_int_equal(config_find_module(chosen, NULL, &module, &error), 0);
    assert_string_equal(module->name, "b");
    assert_int_equal(config_find_module(chosen, "a", &module, &error), 0);
    assert_string_equal(module->name, "a");
}

/* ---- files ---- */

static char directory[64];

static int set_up_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/test_config.XXXXXX");
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_directory(void **state)
{
    (void)state;
    char command[128];
    sprintf(command, "rm -rf %s", directory);
    return system(command);
}

static const char *put_file(const char *name, const char *text, mode_t mode)
{
    static char path[128];
    sprintf(path, "%s/%s", directory, name);
    struct error error = {0};
    assert_int_equal(buffer_write_file(path, text, strlen(text), mode, &error), 0);
    return path;
}

static void test_named_file(void **state)
{
    (void)state;
    char expected[128];
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    const char *path = put_file("named", "[vault]\ndir = /v\n", 0644);
    auto_of(config_free) struct config *config = NULL;
    struct error error = {0};
    assert_int_equal(config_load(path, &config, &error), 0);
    assert_string_equal(config->vault_dir, "/v");
    assert_string_equal(config->user_file, path);
    sprintf(expected, "%s/trust", directory);
    assert_string_equal(config->trust, expected);

    config_free(TAKE(config));
    assert_int_equal(config_load(put_file("named", "[vault]\ntrust = /t\n", 0600), &config, &error),
                     0);
    assert_string_equal(config->trust, "/t");
}

static void test_named_file_relative(void **state)
{
    (void)state;
    char expected[128];
    auto_free char *here = getcwd(NULL, 0);
    put_file("named", "", 0600);
    assert_int_equal(chdir(directory), 0);
    auto_of(config_free) struct config *config = NULL;
    struct error error = {0};
    int result = config_load("named", &config, &error);
    assert_int_equal(chdir(here), 0);
    assert_int_equal(result, 0);
    sprintf(expected, "%s/trust", directory);
    assert_string_equal(config->trust, expected);
}

static void test_named_file_must_exist(void **state)
{
    (void)state;
    char path[128];
    sprintf(path, "%s/missing", directory);
    struct config *config = NULL;
    struct error error = {0};
    assert_int_equal(config_load(path, &config, &error), -1);
    assert_int_equal(error.code, CODE_CONFIG);
    assert_non_null(strstr(error.text, path));
    assert_int_equal(config_load("", &config, &error), -1);
    assert_int_equal(error.code, CODE_USAGE);
    assert_null(config);
}

static void test_named_file_replaces_the_users(void **state)
{
    (void)state;
    char path[128];
    sprintf(path, "%s/p11vault", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    setenv("XDG_CONFIG_HOME", directory, 1);
    put_file("p11vault/config", "[vault]\ndir = /users\n[tls]\nca = /users\n", 0600);
    struct error error = {0};
    auto_of(config_free) struct config *config = NULL;
    assert_int_equal(config_load(NULL, &config, &error), 0);
    assert_string_equal(config->vault_dir, "/users");
    sprintf(path, "%s/p11vault/trust", directory);
    assert_string_equal(config->trust, path);
    sprintf(path, "%s/p11vault/config", directory);
    assert_string_equal(config->user_file, path);

    config_free(TAKE(config));
    assert_int_equal(config_load(put_file("named", "[vault]\ndir = /v\n", 0600), &config, &error),
                     0);
    assert_string_equal(config->vault_dir, "/v");
    assert_null(config->tls_ca);
}

static void test_where_the_users_file_is(void **state)
{
    (void)state;
    char expected[128];
    struct error error = {0};
    auto_of(config_free) struct config *config = NULL;
    setenv("XDG_CONFIG_HOME", "", 1);
    setenv("HOME", directory, 1);
    assert_int_equal(config_load(NULL, &config, &error), 0);
    sprintf(expected, "%s/.config/p11vault/config", directory);
    assert_string_equal(config->user_file, expected);
    sprintf(expected, "%s/.config/p11vault/trust", directory);
    assert_string_equal(config->trust, expected);

    config_free(TAKE(config));
    setenv("HOME", "relative", 1);
    assert_int_equal(config_load(NULL, &config, &error), -1);
    assert_string_equal(error.text, "HOME is not an absolute path");
    setenv("XDG_CONFIG_HOME", "relative", 1);
    assert_int_equal(config_load(NULL, &config, &error), -1);
    assert_string_equal(error.text, "XDG_CONFIG_HOME is not an absolute path");
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("HOME");
    assert_int_equal(config_load(NULL, &config, &error), -1);
    assert_int_equal(error.code, CODE_CONFIG);
    assert_string_equal(error.hint, "p11vault --config FILE");
    assert_null(config);
}

static void load_refused(const char *path, const char *part)
{
    struct config *config = NULL;
    struct error error = {0};
    assert_int_equal(config_load(path, &config, &error), -1);
    assert_int_equal(error.code, CODE_CONFIG);
    if (strstr(error.text, part) == NULL)
        fail_msg("'%s' is not in '%s'", part, error.text);
    assert_null(config);
}

static void test_writable_by_others(void **state)
{
    (void)state;
    load_refused(put_file("named", "", 0620), "named can be written by others (mode 0620)");
    load_refused(put_file("named", "", 0602), "named can be written by others (mode 0602)");
    const char *path = put_file("named", "", 0600);
    chmod(directory, 0770);
    load_refused(path, "can be written by others (mode 0770)");
    chmod(directory, 01777);
    load_refused(path, "can be written by others (mode 1777)");
    chmod(directory, 0755);
    struct config *config = NULL;
    struct error error = {0};
    assert_int_equal(config_load(path, &config, &error), 0);
    config_free(config);
}

static void test_owned_by_another(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        leave_out("only root can give a file away");
    }
    const char *path = put_file("named", "", 0600);
    assert_int_equal(chown(path, 12345, 0), 0);
    load_refused(path, "named belongs to user 12345");
    path = put_file("named", "", 0600);
    assert_int_equal(chown(directory, 12345, 0), 0);
    load_refused(path, "belongs to user 12345");
}

static void test_not_a_file_or_too_long(void **state)
{
    (void)state;
    char path[128];
    sprintf(path, "%s/fifo", directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    load_refused(path, "is not a regular file");
    load_refused(directory, "/tmp");

    auto_free char *text = malloc(CONFIG_FILE_MAX + 2);
    memset(text, '\n', CONFIG_FILE_MAX + 1);
    text[CONFIG_FILE_MAX + 1] = '\0';
    load_refused(put_file("named", text, 0600), "is longer than 65536 bytes");
}

/* The shipped example, with every setting switched on, must name every key and be accepted. */
static void test_shipped_example(void **state)
{
    (void)state;
    auto_buffer struct buffer text = BUFFER_UP_TO(CONFIG_FILE_MAX);
    struct error error = {0};
    assert_int_equal(
        buffer_read_file("conf/p11vault.conf", CONFIG_FILE_MAX, FILE_PLAIN, &text, &error), 0);
    config_free(accept(buffer_text(&text)));
    char *shipped = (char *)text.data;
    for (char *line = shipped, *next; line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            next++;
        assert_true(*line == '#' || *line == '\n');
        if (line[0] == '#' && line[1] != ' ' && line[1] != '\n')
            *line = '\n';
    }
    static const char *const keys[] = {
        "[vault]",
        "dir",
        "trust",
        "module",
        "[module opensc]",
        "[module rutoken]",
        "[module softhsm]",
        "path",
        "pin-source",
        "deadline",
        "env.SOFTHSM2_CONF",
        "[exchange]",
        "connect-deadline",
        "[tls]",
        "ca",
        "[origin https://localhost:8443]",
        "[meta]",
        "api-version",
        "debug-token",
        "client-code",
        "revoke",
        "lists",
        "dialog",
        "[instagram]",
        "[threads]",
        "app-token",
        "[login]",
        "port",
        "[memory]",
        "unlocked",
        "[log]",
        "forward",
        "journal",
        "syslog",
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char set[64];
        snprintf(set, sizeof(set), keys[i][0] == '[' ? "\n%s\n" : "\n%s = ", keys[i]);
        if (strstr(shipped, set) == NULL)
            fail_msg("%s is not documented", keys[i]);
    }
    auto_of(config_free) struct config *config = accept(shipped);
    assert_int_equal(config->module_count, 3);
    assert_string_equal(config->default_module, "opensc");
    assert_string_equal(config->meta.api_version, "v26.0");
    assert_int_equal(config->login_port, 8714);
    assert_int_equal(config->exchange_deadline_s, 60);
    assert_int_equal(config->connect_deadline_s, 10);
    assert_int_equal(config->meta.debug_token_get, 0);
    assert_string_equal(config->meta.dialog, "https://www.facebook.com");
    assert_int_equal(config->threads.app_token_get, 0);
}

#define with_directory(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, set_up_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_ca_of_the_system),
        cmocka_unit_test(test_later_file_overrides_single_keys),
        cmocka_unit_test(test_fault_is_in_the_file_that_has_it),
        cmocka_unit_test(test_refused_lines),
        cmocka_unit_test(test_nul_byte),
        cmocka_unit_test(test_longest_line),
        cmocka_unit_test(test_long_section_names_stay_whole),
        cmocka_unit_test(test_refused_sections_and_keys),
        cmocka_unit_test(test_refused_values),
        cmocka_unit_test(test_refused_modules),
        cmocka_unit_test(test_refused_origins),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_find_module),
        with_directory(test_named_file),
        with_directory(test_named_file_relative),
        with_directory(test_named_file_must_exist),
        with_directory(test_named_file_replaces_the_users),
        with_directory(test_where_the_users_file_is),
        with_directory(test_writable_by_others),
        with_directory(test_owned_by_another),
        with_directory(test_not_a_file_or_too_long),
        cmocka_unit_test(test_shipped_example),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
