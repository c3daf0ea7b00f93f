#!/bin/bash
# Runs every stage of `make check`, goes on after a failed one, and says on the last line how many
# checks passed, failed and were skipped: cmocka tests, pytest tests, and the "ok: ..." lines of single checks.
set -u
cd "$(dirname "$0")/../.." || exit 2
# Each stage states its own settings: nothing of the make that called us may leak in.
unset MAKE MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL SANITIZE CC WERROR B DEPS

logs=build/check
rm -rf "$logs"
mkdir -p "$logs"
parallel=-j$(nproc)
sanitize=SANITIZE=address,undefined
passed=0
failed=0
skipped=0
stages_failed=()

# The counts of one log as "passed failed skipped".
count() {
    sed -E 's/\x1b\[[0-9;]*m//g' "$1" | awk '
        /^ok: / { passed++ }
        /^FAILED: / { failed++ }
        /^\[  PASSED  \] [0-9]+ test/ { passed += $4 }
        /^\[  FAILED  \] [0-9]+ test/ { failed += $4 }
        /^\[  SKIPPED \] [0-9]+ test/ { skipped += $4 }
        / in [0-9.]+s/ && /[0-9] (passed|failed|skipped|error)/ { # the last line of pytest
            for (i = 2; i <= NF; i++) {
                if ($i ~ /^passed/) passed += $(i - 1)
                if ($i ~ /^(failed|errors?)/) failed += $(i - 1)
                if ($i ~ /^skipped/) skipped += $(i - 1)
            }
        }
        END { print passed + 0, failed + 0, skipped + 0 }'
}

stage() { # NAME COMMAND...
    local name=$1 log status good bad left_out
    shift
    log=$logs/${name//[^a-zA-Z0-9]/-}
    printf '\n== %s\n' "$name"
    # Every pytest says what it skipped, and why, and leaves its results for the table of findings.
    PYTEST_ADDOPTS="-rs --junitxml=$PWD/$log.xml ${pytest_options:-}" "$@" </dev/null 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    read -r good bad left_out < <(count "$log")
    # A stage that fails without counting anything failed as a whole: a build, a crashed test.
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
    skipped=$((skipped + left_out))
    [ "$bad" -eq 0 ] || stages_failed+=("$name")
}

# A build says nothing that could be counted, so it is one check of its own.
build() { # NAME SETTINGS...
    make "$parallel" WERROR=1 "${@:2}" all && echo "ok: $1"
}

shell_scripts() {
    local scripts
    mapfile -t scripts < <(find . -path ./build -prune -o -name '*.sh' -print)
    shellcheck "${scripts[@]}" .ci/run && echo "ok: shellcheck over ${#scripts[@]} scripts"
}

manuals() {
    local pages
    mapfile -t pages < <(find docs/man -name '*.[1-8]' 2>/dev/null)
    [ ${#pages[@]} -gt 0 ] || return 1
    mandoc -T lint -W warning "${pages[@]}" && echo "ok: mandoc over ${#pages[@]} pages"
}

stage 'build with gcc' build 'gcc builds without a warning' CC=gcc
stage 'headers' make "$parallel" CC=gcc WERROR=1 headers
stage 'floors' make floors
stage 'links' make CC=gcc WERROR=1 links
stage 'unit tests' make "$parallel" CC=gcc WERROR=1 unit
stage 'fuzz seeds' make "$parallel" CC=gcc WERROR=1 fuzz-seeds
stage 'system tests' make CC=gcc WERROR=1 system
stage 'faults' make "$parallel" CC=gcc WERROR=1 FAULTS=97 faults-run
stage 'matrix' make "$parallel" CC=gcc WERROR=1 MATRIX=--quick matrix
stage 'exposure' make "$parallel" CC=gcc WERROR=1 exposure
stage 'simulated Rutoken' make "$parallel" CC=gcc WERROR=1 rutoken
stage 'simulated YubiKey' make "$parallel" CC=gcc WERROR=1 piv
stage 'build with clang' build 'clang builds without a warning' CC=clang
stage 'build with sanitizers' build 'gcc builds with sanitizers' CC=gcc "$sanitize"
stage 'unit tests, sanitizers' make "$parallel" CC=gcc WERROR=1 "$sanitize" unit
stage 'fuzz seeds, sanitizers' make "$parallel" CC=gcc WERROR=1 "$sanitize" fuzz-seeds
# The stand-in is no program of ours: its own tests run once.
pytest_options='--ignore-glob=*/test_standin*' \
    stage 'system tests, sanitizers' make CC=gcc WERROR=1 "$sanitize" system
stage 'faults, sanitizers' make "$parallel" CC=gcc WERROR=1 "$sanitize" FAULTS=101 faults
stage 'unit tests, valgrind' make "$parallel" CC=gcc WERROR=1 valgrind
stage 'findings' make CC=gcc WERROR=1 RECORDED="$logs" findings
stage 'static analysis' make "$parallel" CC=gcc WERROR=1 analyze
stage 'shell scripts' shell_scripts
stage 'manual pages' manuals

printf '\n'
for name in "${stages_failed[@]}"; do
    echo "failed: $name (see $logs/${name//[^a-zA-Z0-9]/-})"
done
# "SKIPPED [3] file: why" is pytest's, "SKIP: why" our unit tests'.
[ "$skipped" -eq 0 ] || echo "$skipped skipped:"
sed -nE 's/^SKIPPED \[([0-9]+)\] [^ ]+ (.*)$/\1 \2/p; s/^SKIP: (.*)$/1 \1/p' "$logs"/* | awk '
    { many = $1; sub(/^[0-9]+ /, ""); why[$0] += many }
    END { for (one in why) printf "  %d  %s\n", why[one], one }' | sort -rn
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
