/*
 * `import` and `exchange`.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"

int cli_import(struct cli *cli, struct error *error)
{
    struct name name;
    if (name_parse_grant(cli->arguments.positional[0], &name, error) < 0)
        return -1;
    if (front_import(&cli->front, &name, cli->arguments.token_file, error) < 0)
        return error_prefix(error, "import %s", name.full);
    say("%s: sealed; the provider has not been asked about it yet", name.full);
    say("next: p11vault exchange %s", name.full);
    return 0;
}

int cli_exchange(struct cli *cli, struct error *error)
{
    auto_free struct front_wanted *wanted = NULL;
    size_t persons;
    if (renewal_parse(&cli->arguments, FRONT_EXCHANGE, &wanted, error) < 0)
        return -1;
    return renewal_run(cli, "exchange", wanted, cli->arguments.count, &persons, error);
}
