#!/bin/bash
# Installs the Debian packages that a build ("build") or all checks ("check") need and that are
# missing.  Prints the command before running it.  DEPS=no: never installs anything.
set -u

build='build-essential pkg-config libp11-kit-dev libssl-dev libcurl4-openssl-dev libjansson-dev
    libsqlite3-dev libinih-dev libseccomp-dev softhsm2 openssl python3'
check='libcmocka-dev opensc pcscd vsmartcard-vpcd ykcs11 yubico-piv-tool python3-pytest python3-pytest-xdist
    python3-cryptography python3-jwcrypto strace valgrind clang clang-tidy clang-format
    libclang-rt-14-dev shellcheck mandoc binutils pinentry-curses util-linux p11-kit p11-kit-modules
    libnss3 libnss3-tools opencryptoki swtpm libtpm2-pkcs11-1 tpm2-tools tpm2-abrmd
    libtss2-tcti-tabrmd0 dbus chromium chromium-driver fonts-dejavu-core msmtp systemd'

case "${1:-}" in
build) wanted=$build ;;
check) wanted="$build $check" ;;
*)
    echo 'usage: deps.sh build|check' >&2
    exit 2
    ;;
esac

if [ "${DEPS:-}" = no ]; then
    exit 0
fi
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "deps: not a Debian system; what is needed goes by these names there:" "$wanted" >&2
    exit 0
fi

missing=
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
fi
echo "${as_root[@]}" apt-get install -y --no-install-recommends "${missing# }"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q || exit 1
# The list is split on purpose: one word a package.
# shellcheck disable=SC2086
"${as_root[@]}" apt-get install -y -q --no-install-recommends $missing
