/*
 * terminal.c: asks for a secret at the terminal.
 *
 * The line is edited here and not by the kernel, whose own line editing ends at 4095 bytes, less
 * than a token may have.  Signals that would end the process wait until the terminal is as it was
 * before: they are let in only while this code sleeps, noted, and raised again at the end.  A room
 * is killed with its parent, and ^C ends both: until the terminal is as it was, that end comes as a
 * signal that can wait, too.
 */
#include "p11vault/pin/typed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <termios.h>

#define TERMINAL "/dev/tty"
#define PROMPT_MAX 256
#define CONTROL(letter) ((letter)&0x1f)

static const int held[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGTSTP};

#define HELD_COUNT (sizeof(held) / sizeof(held[0]))

/* The first signal that came while asking, 0 for none. */
static volatile sig_atomic_t arrived;

struct terminal {
    int descriptor;
    struct termios before; /* what is put back */
    sigset_t mask_before;
    int death_before; /* the signal that comes when the parent ends, 0 for none */
    struct sigaction action_before[HELD_COUNT];
    struct deadline deadline;
};

/* How one line went. */
enum line { LINE_WHOLE, LINE_TOO_LONG, LINE_CONTROL, LINE_LATE, LINE_SIGNAL, LINE_BROKEN };

static void note_signal(int number)
{
    if (arrived == 0)
        arrived = number;
}

static void hold_signals(struct terminal *terminal)
{
    struct sigaction note = {.sa_handler = note_signal};
    sigset_t mask;

    arrived = 0;
    sigemptyset(&mask);
    sigemptyset(&note.sa_mask);
    for (size_t i = 0; i < HELD_COUNT; i++)
        sigaddset(&mask, held[i]);
    /* Putting the terminal back is allowed in the background, too, where a shell may have sent us by then. */
    sigaddset(&mask, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &mask, &terminal->mask_before);
    for (size_t i = 0; i < HELD_COUNT; i++) {
        sigaction(held[i], NULL, &terminal->action_before[i]);
        /* A signal that was ignored stays so (nohup). */
        if (terminal->action_before[i].sa_handler != SIG_IGN)
            sigaction(held[i], &note, NULL);
    }
    if (prctl(PR_GET_PDEATHSIG, &terminal->death_before, 0, 0, 0) < 0)
        terminal->death_before = 0;
    if (terminal->death_before != 0)
        prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
}

static void release_signals(struct terminal *terminal)
{
    if (terminal->death_before != 0)
        prctl(PR_SET_PDEATHSIG, terminal->death_before, 0, 0, 0);
    for (size_t i = 0; i < HELD_COUNT; i++)
        sigaction(held[i], &terminal->action_before[i], NULL);
    if (arrived != 0)
        raise(arrived);
    pthread_sigmask(SIG_SETMASK, &terminal->mask_before, NULL);
}

bool typed_terminal_present(void)
{
    auto_close int descriptor = open(TERMINAL, O_RDWR | O_CLOEXEC | O_NOCTTY);

    return descriptor >= 0 && isatty(descriptor) == 1;
}

/*
 * Waits with the held signals let in.  Returns false with *ret_why set when it was not the terminal
 * that woke us.
 */
static bool wait_for(struct terminal *terminal, short events, enum line *ret_why)
{
    struct pollfd wait = {.fd = terminal->descriptor, .events = events};

    for (;;) {
        int left = deadline_left(terminal->deadline);
        struct timespec timeout = {left / 1000, (long)(left % 1000) * 1000000};
        int ready = ppoll(&wait, 1, &timeout, &terminal->mask_before);

        if (arrived != 0)
            *ret_why = LINE_SIGNAL;
        else if (ready == 0)
            *ret_why = LINE_LATE;
        else if (ready > 0)
            return true;
        else if (errno == EINTR)
            continue;
        else
            *ret_why = LINE_BROKEN;
        return false;
    }
}

static enum line show(struct terminal *terminal, const char *text)
{
    size_t size = strlen(text);
    enum line why = LINE_WHOLE;

    while (size > 0) {
        ssize_t put = write(terminal->descriptor, text, size);

        if (put >= 0) {
            text += put;
            size -= (size_t)put;
        } else if (errno != EINTR && errno != EAGAIN) {
            return LINE_BROKEN;
        } else if (!wait_for(terminal, POLLOUT, &why)) {
            return why;
        }
    }
    return LINE_WHOLE;
}

/* Removes the last character, which has several bytes when it is not ASCII. */
static void erase_last(struct secret *secret)
{
    size_t size = secret_size(secret);
    const uint8_t *bytes = secret_data(secret);

    while (size > 0 && (bytes[size - 1] & 0xc0) == 0x80)
        size--;
    secret_cut(secret, size > 0 ? size - 1 : 0);
}

static bool is_key(const struct terminal *terminal, int which, uint8_t byte, uint8_t usual)
{
    cc_t set = terminal->before.c_cc[which];

    return byte == usual || (set != _POSIX_VDISABLE && byte == set);
}

/* What one byte does to the line. */
enum effect { EFFECT_KEEP, EFFECT_EDIT, EFFECT_END, EFFECT_INTERRUPT, EFFECT_REFUSE };

static enum effect effect_of(const struct terminal *terminal, uint8_t byte, struct secret *secret)
{
    if (byte == '\n' || byte == '\r' || is_key(terminal, VEOF, byte, CONTROL('d')))
        return EFFECT_END;
    if (is_key(terminal, VINTR, byte, CONTROL('c')))
        return EFFECT_INTERRUPT;
    if (is_key(terminal, VERASE, byte, 0x7f) || byte == '\b') {
        erase_last(secret);
        return EFFECT_EDIT;
    }
    if (is_key(terminal, VKILL, byte, CONTROL('u'))) {
        secret_clear(secret);
        return EFFECT_EDIT;
    }
    return byte < 0x20 ? EFFECT_REFUSE : EFFECT_KEEP;
}

/*
 * Reads one line into the secret, whose capacity is one byte more than the line may have: each byte
 * is looked at where it lies behind the others.  A line that is refused is read to its end all the
 * same, so that the rest of it does not go to whoever reads the terminal next.
 */
static enum line read_line(struct terminal *terminal, size_t maximum, struct secret *secret)
{
    enum line result = LINE_WHOLE;
    enum line why = LINE_WHOLE;

    for (;;) {
        size_t room = 0;
        uint8_t *byte = secret_room(secret, &room);
        ssize_t got = 0;

        if (!wait_for(terminal, POLLIN, &why))
            return why;
        got = read(terminal->descriptor, byte, 1);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return LINE_BROKEN;
        switch (effect_of(terminal, *byte, secret)) {
        case EFFECT_END:
            return result;
        case EFFECT_INTERRUPT:
            arrived = SIGINT;
            return LINE_SIGNAL;
        case EFFECT_REFUSE:
            result = LINE_CONTROL;
            break;
        case EFFECT_KEEP:
            if (secret_size(secret) == maximum && result == LINE_WHOLE)
                result = LINE_TOO_LONG;
            if (result == LINE_WHOLE)
                secret_grow(secret, 1);
            break;
        case EFFECT_EDIT:
            break;
        }
    }
}

static enum line ask(struct terminal *terminal, const char *prompt, size_t maximum,
                     struct secret *secret)
{
    struct termios quiet = terminal->before;
    enum line result = LINE_WHOLE;

    /* Signal keys still work: ^C must reach every process of the command, not only this one. */
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL | ICANON | IEXTEN);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    quiet.c_cc[VSUSP] = _POSIX_VDISABLE;
    /*
     * What was typed before the question is not an answer to it, nor what is left over afterwards.
     * Not TCSAFLUSH, which would also wait for output that a ^S may hold up.
     */
    if (tcsetattr(terminal->descriptor, TCSANOW, &quiet) < 0)
        return LINE_BROKEN;
    tcflush(terminal->descriptor, TCIFLUSH);
    result = show(terminal, prompt);
    if (result == LINE_WHOLE)
        result = read_line(terminal, maximum, secret);
    tcflush(terminal->descriptor, TCIFLUSH);
    tcsetattr(terminal->descriptor, TCSANOW, &terminal->before);
    show(terminal, "\n");
    return result;
}

static int fail(enum line line, size_t maximum, struct error *error)
{
    switch (line) {
    case LINE_TOO_LONG:
        return error_set(error, CODE_USAGE, "what was typed is longer than %zu bytes", maximum);
    case LINE_CONTROL:
        return error_set(error, CODE_USAGE, "what was typed holds a control character");
    case LINE_LATE:
        return error_set(error, CODE_RETRY, "nothing was typed in time");
    case LINE_SIGNAL:
        return error_set(error, CODE_RETRY, "typing was interrupted by a signal");
    case LINE_WHOLE:
    case LINE_BROKEN:
        break;
    }
    return error_set(error, CODE_CONFIG, "the terminal cannot be read");
}

static void clean_prompt(const char *prompt, char ret_text[PROMPT_MAX])
{
    (void)snprintf(ret_text, PROMPT_MAX, "%s", prompt);
    error_clean(ret_text);
}

void typed_tell(const char *text)
{
    /* Not blocking: a terminal that was stopped with ^S gets no line, and nobody waits for it. */
    auto_close int descriptor = open(TERMINAL, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char shown[PROMPT_MAX];
    char line[PROMPT_MAX + 1];
    ssize_t put = 0;
    int size = 0;

    if (descriptor < 0)
        return;
    clean_prompt(text, shown);
    size = snprintf(line, sizeof(line), "%s\n", shown);
    put = write(descriptor, line, (size_t)size);
    (void)put;
}

int typed_ask(const char *prompt, size_t maximum, struct deadline deadline,
              struct secret **ret_secret, struct error *error)
{
    /* Not blocking: signals are let in only while waiting in ppoll(), so nothing else may wait. */
    auto_close int descriptor = open(TERMINAL, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    auto_of(secret_free) struct secret *secret = NULL;
    struct terminal terminal = {.descriptor = descriptor, .deadline = deadline};
    char shown[PROMPT_MAX];
    enum line line = LINE_WHOLE;

    if (descriptor < 0 || tcgetattr(descriptor, &terminal.before) < 0)
        return error_set(error, CODE_CONFIG, "there is no terminal to ask at");
    if (maximum == 0 || maximum > TYPED_MAX)
        return error_set(error, CODE_FAULT, "a secret of at most %zu bytes cannot be asked for",
                         maximum);
    if (secret_new(maximum + 1, &secret, error) < 0)
        return -1;
    clean_prompt(prompt, shown);
    hold_signals(&terminal);
    line = ask(&terminal, shown, maximum, secret);
    if (line != LINE_WHOLE)
        secret_clear(secret);
    release_signals(&terminal);
    if (line != LINE_WHOLE)
        return fail(line, maximum, error);
    if (secret_size(secret) == 0)
        return error_set(error, CODE_USAGE, "nothing was typed");
    *ret_secret = TAKE(secret);
    return 0;
}
