#!/bin/bash
# tests/checks/fuzz.sh seeds FUZZER...     each fuzzer with a plain driver over its seeds
# tests/checks/fuzz.sh SECONDS FUZZER...   each libFuzzer program for so long
# The seeds of fuzz_NAME lie in tests/fuzz/seeds/NAME.
set -u
how=${1:?seeds or a number of seconds}
shift

failed=0
for fuzzer in "$@"; do
    name=$(basename "$fuzzer" .fuzz)
    seeds=tests/fuzz/seeds/${name#fuzz_}
    if [ "$how" = seeds ]; then
        mapfile -d '' -t inputs < <(find "$seeds" -type f -print0 2>/dev/null | sort -z)
        if [ ${#inputs[@]} -eq 0 ]; then
            echo "FAILED: $name has no seeds in $seeds"
            failed=1
        elif "$fuzzer" "${inputs[@]}"; then
            echo "ok: $name over ${#inputs[@]} seeds"
        else
            echo "FAILED: $name over its seeds"
            failed=1
        fi
        continue
    fi
    corpus=$(dirname "$fuzzer")/corpus-$name
    mkdir -p "$corpus"
    if "$fuzzer" -max_total_time="$how" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$corpus-" "$corpus" "$seeds"; then
        echo "ok: $name for $how seconds"
    else
        echo "FAILED: $name; the input lies beside $corpus"
        failed=1
    fi
done
exit $failed
