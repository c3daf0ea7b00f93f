/*
 * `doctor`: runs the checks and tells what they find, with a fix for each.
 */
#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The order is that of the ground: a check may use what one before it has opened. */
static const struct {
    const char *name;
    doctor_check *check;
} checks[] = {
    {"process", doctor_process},   {"privileges", doctor_privileges},
    {"seccomp", doctor_filters},   {"landlock", doctor_landlock},
    {"tracing", doctor_tracing},   {"swap", doctor_swap},
    {"cores", doctor_cores},       {"build", doctor_build},
    {"programs", doctor_programs}, {"config", doctor_config},
    {"memory", doctor_memory},     {"secretmem", doctor_secret_memory},
    {"tls", doctor_tls},           {"vault", doctor_vault},
    {"disk", doctor_disk},         {"files", doctor_files},
    {"store", doctor_store},
    {"trust", doctor_trust},       {"log", doctor_log},
    {"head", doctor_head},
    {"anchor", doctor_anchor},
    {"journal", doctor_forward},
    {"clock", doctor_clock},       {"apps", doctor_apps},
    {"modules", doctor_modules},
};

enum finding { FINDING_OK, FINDING_WARNING, FINDING_PROBLEM };
static const char *const state_names[] = {"ok", "warning", "problem"};

/* What a card or a path says need not be text: then it is told without what is not. */
static json_t *text_value(const char *text)
{
    char plain[ERROR_TEXT_MAX];
    json_t *value = json_string(text);
    if (value)
        return value;
    size_t size = 0;
    for (; text[size] && size < sizeof(plain) - 1; size++)
        plain[size] = (unsigned char)text[size] < 0x80 ? text[size] : '?';
    plain[size] = '\0';
    return json_string(plain);
}

static void tell(struct doctor *doctor, enum finding state, const struct error *finding)
{
    const char *name = state_names[state];
    if (doctor->findings) {
        json_t *told =
            json_pack("{s:s, s:s, s:o, s:o}", "check", doctor->check, "state", name, "text",
                      text_value(finding->text), "fix", text_value(finding->hint));
        if (!told || json_array_append_new(doctor->findings, told) < 0)
            doctor->out_of_memory = true;
        return;
    }
    printf("%-8s %-10s %s\n", name, doctor->check, finding->text);
    if (*finding->hint)
        printf("         fix: %s\n", finding->hint);
    /* The next check may wait for a card. */
    (void)fflush(stdout);
}

static void tell_problem(struct doctor *doctor, const struct error *finding)
{
    tell(doctor, FINDING_PROBLEM, finding);
    if (doctor->problems++ == 0 || finding->code > doctor->worst.code) {
        doctor->worst = *finding;
        error_prefix(&doctor->worst, "%s", doctor->check);
    }
}

/* The text of a finding goes through an error: that is what keeps it one line. */
__attribute__((format(printf, 3, 0))) static struct error
found(enum code code, const char *fix, const char *format, va_list arguments)
{
    struct error made;
    char text[ERROR_TEXT_MAX];
    (void)vsnprintf(text, sizeof(text), format, arguments);
    error_set(&made, code, "%s", text);
    error_hint(&made, "%s", fix);
    return made;
}

void doctor_ok(struct doctor *doctor, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const struct error made = found(CODE_DONE, "", format, arguments);
    va_end(arguments);
    tell(doctor, FINDING_OK, &made);
}

void doctor_warn(struct doctor *doctor, const char *fix, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const struct error made = found(CODE_DONE, fix, format, arguments);
    va_end(arguments);
    tell(doctor, FINDING_WARNING, &made);
}

void doctor_problem(struct doctor *doctor, enum code code, const char *fix, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const struct error made = found(code, fix, format, arguments);
    va_end(arguments);
    tell_problem(doctor, &made);
}

void doctor_failure(struct doctor *doctor, const struct error *failure, const char *fix)
{
    struct error made = *failure;
    if (!*made.hint)
        error_hint(&made, "%s", fix);
    tell_problem(doctor, &made);
}

int cli_doctor(struct cli *cli, struct error *error)
{
    auto_json json_t *findings = cli->arguments.json ? json_array() : NULL;
    struct doctor doctor = {.cli = cli, .findings = findings, .head = {.note = BUFFER_UP_TO(0)}};
    if (cli->arguments.json && !findings)
        return error_memory(error);
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        doctor.check = checks[i].name;
        checks[i].check(&doctor);
    }
    signed_head_clear(&doctor.head);
    if (doctor.out_of_memory)
        return error_memory(error);
    if (findings && print_json(json_incref(findings), error) < 0)
        return -1;
    if (doctor.problems == 0)
        return 0;
    *error = doctor.worst;
    if (doctor.problems > 1)
        error_prefix(error, "%zu problems, the gravest", doctor.problems);
    return error_prefix(error, "doctor");
}
