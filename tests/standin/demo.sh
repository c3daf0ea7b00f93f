#!/bin/bash
# Shows the main job of p11vault with the real programs: a soft card, an app, a grant, an exchange
# at a stand-in for the Graph API, and the log.  Uses a temporary directory and a free local port,
# and leaves nothing behind, however it ends.
set -eu
umask 077

# Of the caller's environment nothing is taken over but where programs and room for files are: by what else stands
# there, shells, Python, OpenSSL and PKCS#11 modules can be told to read anything.
if [ "${1:-}" != alone ]; then
    exec env -i PATH="$PATH" TERM="${TERM:-dumb}" TMPDIR="${TMPDIR:-/tmp}" LC_ALL=C.UTF-8 \
        P11VAULT_BUILD="${P11VAULT_BUILD:-}" PYTHON="${PYTHON:-}" "$0" alone
fi

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${P11VAULT_BUILD:-$here/../../build/release}" && pwd)
python=${PYTHON:-/usr/bin/python3}
export PYTHONDONTWRITEBYTECODE=1 PYTHONNOUSERSITE=1
if [ ! -x "$build/p11vault" ]; then
    echo "demo: no p11vault in $build: run make first" >&2
    exit 2
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/p11vault-demo.XXXXXX")
standin_pid=
command_pid=
finish() {
    for pid in $command_pid $standin_pid; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# The stand-in says "listening PORT" when it is ready.  It also ends by itself when this script is
# gone, because its standard input ends then.
mkdir "$work/graph" "$work/ann"
coproc standin { exec "$python" "$here/graph.py" --dir "$work/graph" --until-eof; }
standin_pid=$!
if ! read -r -t 60 _ port <&"${standin[0]}"; then
    echo 'demo: the stand-in for the Graph API does not start' >&2
    exit 1
fi
origin=https://localhost:$port
tell() { "$python" "$here/client.py" "$work/graph" "$@"; }

# Everything that would be Ann's lies in her directory; nothing of the caller's is read, and nothing in /etc:
# that is for an installed p11vault.
cd "$work/ann"
export HOME=$PWD XDG_CONFIG_HOME=$PWD/.config P11VAULT_DIR=$PWD/vault PATH=$build:$PATH

app=1234567890
secret=$(tell add_app "app_id=\"$app\"" --print secret)
token=$(tell add_token "app_id=\"$app\"" user_id='"10153848260347724"' --print token)
printf '%s\n' "$secret" >app-secret
printf '%s\n' "$token" >short-lived-token

if [ -t 1 ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); else bold='' plain=''; fi
explain() { printf '\n# %s\n' "$*"; }
# Shows a command line of p11vault and runs it; input is a file of ours or nothing.
run() { run_with_input /dev/null "$@"; }
run_with_input() {
    local input=$1 from='' status=0
    shift
    [ "$input" = /dev/null ] || from=" <$input"
    printf '%s$ p11vault %s%s%s\n' "$bold" "$*" "$from" "$plain"
    # In the background, so that a signal to this script ends it at once and not after the command.
    p11vault "$@" <"$input" &
    command_pid=$!
    wait "$command_pid" || status=$?
    command_pid=
    if [ "$status" -ne 0 ]; then
        echo "demo: that ended with exit code $status" >&2
        exit 1
    fi
}

explain 'A vault, and a SoftHSM card in place of a smart card.'
run init --soft
run card list
run card enroll

explain "An app and a token from Graph ($origin stands in for it)."
printf '\n[origin %s]\nca = %s\n' "$origin" "$work/graph/ca.pem" >>.config/p11vault/config
run app add ads --provider meta --id "$app" --origin "$origin" --secret-file app-secret
run_with_input short-lived-token import ads/user/alice
rm app-secret short-lived-token

explain 'The exchange: a token for one hour becomes one for sixty days.'
run exchange ads/user/alice
run status

explain 'The log, and its check with public keys alone.'
run audit show
run audit verify --trust .config/p11vault/trust

# What was said above is looked at once more from outside: at the files, and at the requests.
tell tokens | tr ',"{}[] ' '\n' | grep '^EAA' >"$work/secrets"
issued=$(grep -c . "$work/secrets")
printf '%s\n' "$secret" >>"$work/secrets"
if grep -rqaF -f "$work/secrets" "$HOME"; then
    echo 'demo: a secret stands in clear in a file' >&2
    exit 1
fi
asked=$(wc -l <"$work/graph/requests.jsonl")
clean=$(grep -c '"query_names": \[\]' "$work/graph/requests.jsonl" || true)
if [ "$asked" -eq 0 ] || [ "$clean" -ne "$asked" ]; then
    echo "demo: of $asked requests $clean had nothing in their URLs" >&2
    exit 1
fi
cat <<END

# Shown: app secret and token sealed to a card; the token exchanged and the new one verified in
# $asked requests with no parameter in a URL; each use logged, and signed by the card beforehand.
# The app secret and the $issued tokens stand in clear in no file of Ann's.  All is removed now.
END
