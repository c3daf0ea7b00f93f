/*
 * What `doctor` looks at in OpenSC's own configuration: whether other programs are kept off a card
 * that is logged in.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "p11vault/base/buffer.h"

#define OPENSC_CONF_MAX ((size_t)256 * 1024)

static const char system_conf[] = "/etc/opensc/opensc.conf";

/* What conf/opensc.conf says, and what follows where OpenSC is told otherwise. */
static const struct {
    const char *name, *value, *without;
} settings[] = {
    {"disconnect_action", "reset",
     "after p11vault a PIV card stays logged in, and the next program uses its keys without a "
     "PIN"},
    {"lock_login", "true",
     "while p11vault is logged in, so is every program that may talk to pcscd"},
};

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* "NAME = VALUE;" on one line of its own; a comment begins with # and so is no such line. */
static bool line_says(const char *line, const char *name, const char *value)
{
    const char *at = skip_blanks(line);
    if (strncmp(at, name, strlen(name)) != 0)
        return false;
    at = skip_blanks(at + strlen(name));
    if (*at != '=')
        return false;
    at = skip_blanks(at + 1);
    return strncmp(at, value, strlen(value)) == 0 && !isalnum((unsigned char)at[strlen(value)]);
}

static bool file_says(const char *text, const char *name, const char *value)
{
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (line_says(line, name, value))
            return true;
    }
    return false;
}

static const char *configuration_of(const struct config_module *module)
{
    static const char variable[] = "OPENSC_CONF=";
    for (size_t i = 0; i < module->env_count; i++)
        if (strncmp(module->env[i], variable, strlen(variable)) == 0)
            return module->env[i] + strlen(variable);
    return system_conf;
}

void doctor_opensc(struct doctor *doctor, const struct config_module *module)
{
    struct error ignored;
    auto_buffer struct buffer text = BUFFER_UP_TO(OPENSC_CONF_MAX);
    const char *path = configuration_of(module);
    const char *slash = strrchr(module->path, '/');
    bool well = true;
    if (!strstr(slash ? slash : module->path, "opensc-pkcs11"))
        return;
    /* One that is named and not there is a problem of its own, which was said. */
    if (path != system_conf && access(path, F_OK) != 0)
        return;
    doctor->check = "opensc";
    /* One that cannot be read is empty to OpenSC, too. */
    (void)buffer_read_file(path, OPENSC_CONF_MAX, FILE_PLAIN, &text, &ignored);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (file_says(buffer_text(&text), settings[i].name, settings[i].value))
            continue;
        well = false;
        doctor_warn(doctor,
                    "install p11vault's opensc.conf, which only root may write, and name it in the "
                    "module's section: env.OPENSC_CONF = /etc/p11vault/opensc.conf",
                    "%s: %s does not say %s = %s: %s", module->name, path, settings[i].name,
                    settings[i].value, settings[i].without);
    }
    if (well)
        doctor_ok(doctor, "%s: %s keeps other programs off the card", module->name, path);
}
