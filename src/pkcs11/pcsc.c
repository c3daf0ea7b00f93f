/*
 * pcsc.c: why a module that reaches its readers through PC/SC finds nothing in them.
 *
 * Where pcscd does not run, or refuses this user, modules say that there is no card.  The client
 * library that such a module has loaded knows better, so it is asked; a module that does without it
 * is left alone.
 */
#include "internal.h"

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#define CLIENT "libpcsclite.so.1"
#define SERVICE "/usr/sbin/pcscd"

/* pcsclite.h */
#define SCOPE_SYSTEM 2UL
#define CODE_MASK 0xffffffffUL
#define NO_SERVICE 0x8010001dUL
#define REFUSED 0x8010006aUL

typedef long establish_function(unsigned long scope, const void *, const void *, long *context);
typedef long release_function(long context);

/* What the client library says when a conversation with pcscd is begun; 0: nothing is wrong. */
static unsigned long ask(void *client)
{
    establish_function *establish = (establish_function *)dlsym(client, "SCardEstablishContext");
    release_function *release = (release_function *)dlsym(client, "SCardReleaseContext");
    long context = 0;
    if (establish == NULL || release == NULL)
        return 0;
    unsigned long said = (unsigned long)establish(SCOPE_SYSTEM, NULL, NULL, &context) & CODE_MASK;
    if (said == 0)
        release(context);
    return said;
}

static int missing(struct error *error)
{
    error_set(error, CODE_NO_CARD,
              "no card found: pcscd, the service that has the readers, is not installed");
    return error_hint(error, "apt-get install pcscd");
}

int pcsc_check(const char *module, struct error *error)
{
    /* OpenSC looks for it itself, and does not start without; the library comes with pcscd. */
    bool wants_it = strstr(module, "/opensc-pkcs11.so") != NULL;
    void *client = dlopen(CLIENT, RTLD_LAZY | (wants_it ? 0 : RTLD_NOLOAD));
    if (client == NULL)
        return wants_it ? missing(error) : 0;
    unsigned long said = ask(client);
    dlclose(client);
    if (said == NO_SERVICE && access(SERVICE, F_OK) < 0)
        return missing(error);
    if (said == NO_SERVICE) {
        error_set(error, CODE_NO_CARD,
                  "no card found: pcscd, the service that has the readers, is not running");
        return error_hint(error, "systemctl start pcscd.socket");
    }
    if (said == REFUSED) {
        error_set(error, CODE_CONFIG,
                  "no card found: pcscd refuses this user (polkit: "
                  "org.debian.pcsc-lite.access_pcsc and access_card)");
        return error_hint(error, "allow it by a rule of polkit's: docs/unattended.md has one");
    }
    return 0;
}
