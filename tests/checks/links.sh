#!/bin/bash
# The walls between the rooms, seen in the programs themselves: what each is linked with, and that
# each is position independent, bound at start and without an executable stack.
# tests/checks/links.sh BUILD-DIRECTORY
set -u
build=${1:?the build directory}

# A program and the libraries it must not be linked with.
walls='
p11vault libcurl libssl libp11-kit
p11vault-card libcurl libssl libsqlite3 libinih
p11vault-exchange libp11-kit libsqlite3 libinih'

failed=0
check() { # TEXT COMMAND...
    local text=$1
    shift
    if "$@" >/dev/null; then
        echo "ok: $text"
    else
        echo "FAILED: $text"
        failed=1
    fi
}
# Called through check().
# shellcheck disable=SC2317
links_none_of() { # DYNAMIC-SECTION LIBRARY
    ! grep -qE "\(NEEDED\).*\[$2(-[^]]*)?\.so" <<<"$1"
}

while read -r program libraries; do
    [ -n "$program" ] || continue
    if ! dynamic=$(readelf -dW "$build/$program"); then
        echo "FAILED: $program can be read"
        failed=1
        continue
    fi
    headers=$(readelf -hlW "$build/$program")
    for library in $libraries; do
        check "$program is not linked with $library" links_none_of "$dynamic" "$library"
    done
    check "$program binds all symbols at start" grep -qE 'FLAGS_1.*\bNOW\b' <<<"$dynamic"
    check "$program is position independent" grep -qE 'FLAGS_1.*\bPIE\b' <<<"$dynamic"
    check "$program has read-only relocations" grep -q GNU_RELRO <<<"$headers"
    check "$program has no executable stack" grep -qE 'GNU_STACK.* RW ' <<<"$headers"
done <<<"$walls"

# A module's own free(3) would leave what it unwrapped behind: the room has another one.
# shellcheck disable=SC2317
exports() { # PROGRAM SYMBOL
    readelf --dyn-syms -W "$1" | awk -v symbol="$2" '$8 == symbol && $7 != "UND" { n++ } END { exit !n }'
}
for symbol in free realloc; do
    check "p11vault-card has its own $symbol" exports "$build/p11vault-card" "$symbol"
done
exit $failed
