#!/bin/bash
# Who may include whom: a file includes its own module and lower floors only.  The module of a file
# is its directory.  Also: one foreign library a module, wiping only where secrets live or lived, and no
# output to a device.
# tests/checks/floors.sh [DIRECTORY]: the tree to look at, by default this one.
set -u
cd "${1:-.}" || exit 2

floors='
    base=0
    pkcs11=1 store=1 http=1 config=1 confine=1 pin=1 ipc=1
    seal=2 audit=2 oauth=2 inside=2 sieve=2
    vault=3
    front=4 cardroom=4 exchangeroom=4
    cli=5'

# The foreign headers that belong to one module alone.  libcrypto serves all of floor 2, and the
# values of jansson travel through all floors.
foreign='
    p11-kit/=pkcs11 sqlite3.h=store curl/=http ini.h=config seccomp.h=confine'

failed=0
report() { # TEXT WHAT-IS-WRONG
    if [ -z "$2" ]; then
        echo "ok: $1"
    else
        printf '%s\n' "$2"
        echo "FAILED: $1"
        failed=1
    fi
}

files=$(find src include/p11vault -name '*.[ch]' | sort)
[ -n "$files" ] || exit 0
# One line an include: FILE:LINE:the header with its quotes or brackets.
# shellcheck disable=SC2086
includes=$(grep -nHoE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<][^">]*[">]' $files |
    sed -E 's/#[[:space:]]*include[[:space:]]*//')

report 'files include their own module and lower floors only' "$(
    awk -F: -v floors="$floors" '
        BEGIN {
            n = split(floors, pairs, /[[:space:]]+/)
            for (i = 1; i <= n; i++)
                if (split(pairs[i], pair, "=") == 2) floor[pair[1]] = pair[2]
        }
        {
            parts = split($1, path, "/")
            module = path[parts - 1]
            header = $3
            gsub(/[[:space:]]/, "", header)
            where = $1 ":" $2 ": "
            if (!(module in floor)) { print where "module \"" module "\" stands on no floor"; next }
            if (header ~ /^</) next
            gsub(/"/, "", header)
            if (header !~ /^p11vault\//) {
                if (header ~ /\//) print where header " reaches into another directory"
                next
            }
            split(header, parts_of, "/")
            other = parts_of[2]
            if (!(other in floor)) print where header " belongs to no floor"
            else if (other != module && floor[other] >= floor[module])
                print where module " (floor " floor[module] ") includes " other " (floor " \
                    floor[other] ")"
        }' <<<"$includes"
)"

report 'each foreign library belongs to one module' "$(
    awk -F: -v foreign="$foreign" '
        BEGIN {
            n = split(foreign, pairs, /[[:space:]]+/)
            for (i = 1; i <= n; i++)
                if (split(pairs[i], pair, "=") == 2) owner[pair[1]] = pair[2]
        }
        {
            parts = split($1, path, "/")
            for (library in owner)
                if (index($3, "<" library) && path[parts - 1] != owner[library])
                    print $1 ":" $2 ": <" library "> belongs to " owner[library]
        }' <<<"$includes"
)"

report 'only the secret type and the scrub wipe' "$(
    grep -rnE 'explicit_bzero|OPENSSL_cleanse|OPENSSL_clear_free|memset_s' src include/p11vault |
        grep -vE '^src/base/(secret[a-z_]*|scrub)\.c:'
)"

report 'clean-up is by attribute: no goto' "$(grep -rnwE 'goto' src --include='*.c')"

# As root, a tool that replaces its output file replaces the device.  A shell's redirection does not.
report 'no tool writes its output to a device' "$(
    find Makefile .ci tests \( -name Makefile -o -name run -o -name '*.sh' -o -name '*.py' \) \
        -exec grep -nHE -- "(-o|--output)['\",= ]*/dev/|\bof=/dev/" {} + 2>/dev/null
)"

exit $failed
