/*
 * `audit accept`, and what `restore --lost-head` does behind the copying: the log goes on from an older store.
 */
#include <stdio.h>
#include <string.h>

#include "accept.h"

static const char *seer(const struct vault_lost *lost)
{
    if (strcmp(lost->seen, "card") == 0)
        return "the card";
    return strcmp(lost->seen, "file") == 0 ? "the file elsewhere" : "this machine";
}

int accept_ask(struct cli *cli, const char *command, struct error *error)
{
    static const char question[] =
        "go on from this store, and give up for good what was done since it was copied?";
    return agree(cli, question, "nothing was changed", command, error);
}

int accept_run(struct cli *cli, struct error *error)
{
    struct front_lost lost;
    if (front_accept(&cli->front, &lost, error) < 0)
        return -1;
    for (size_t i = 0; i < lost.count; i++)
        say("lost: the head of %llu entries that %s had seen; the log names it",
            (unsigned long long)lost.heads[i].head.size, seer(&lost.heads[i]));
    say("%llu entries signed; grants that were renewed since are old here: p11vault refresh --all",
        (unsigned long long)lost.signed_size);
    say("apps, cards and secrets are those of then, too; each other card has this asked once: "
        "p11vault audit accept --card SERIAL");
    return 0;
}

int cli_audit_accept(struct cli *cli, struct error *error)
{
    if (accept_ask(cli, "audit accept", error) < 0 || accept_run(cli, error) < 0)
        return error_prefix(error, "audit accept");
    return 0;
}
