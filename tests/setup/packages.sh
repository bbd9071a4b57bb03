#!/bin/sh
# Installs the system packages that are missing, or says the one line to type.
#   packages.sh python VERSION   what `python -m venv` needs
#   packages.sh run              what draws PDF files: Pango and a font
#   packages.sh tests            that, PostgreSQL and its pg_dump, Chromium, a font, openssl for certificates,
#                         and a C compiler, nft and ip for the disks and networks that tests break
set -eu

missing=""
need() { missing="$missing $1"; }
need_to_run() {
    ls /usr/lib/*/libpangoft2-1.0.so.0 >/dev/null 2>&1 || need "libpango-1.0-0 libpangoft2-1.0-0"
    test -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf || need fonts-dejavu-core
}

case "$1" in
python)
    need "python$2-venv"
    ;;
run)
    need_to_run
    ;;
tests)
    need_to_run
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need postgresql
    command -v pg_dump >/dev/null 2>&1 || need postgresql-client
    command -v chromium >/dev/null 2>&1 || need chromium
    { command -v cc && test -e /usr/include/dlfcn.h; } >/dev/null 2>&1 || need "gcc libc6-dev"
    command -v openssl >/dev/null 2>&1 || need openssl
    command -v ip >/dev/null 2>&1 || need iproute2
    command -v nft >/dev/null 2>&1 || need nftables
    ;;
esac
if [ -z "$missing" ]; then exit 0; fi

as_root=""
if [ "$(id -u)" -ne 0 ]; then as_root="sudo"; fi
if ! command -v apt-get >/dev/null 2>&1 || { [ -n "$as_root" ] && ! sudo -n true 2>/dev/null; }; then
    echo "Missing system packages. Please type this line and start again:" >&2
    echo "  $as_root apt-get install$missing" >&2
    exit 1
fi

echo "Installing system packages:$missing (a minute or two)"
$as_root apt-get update -qq </dev/null
# shellcheck disable=SC2086 # the names are words of their own
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 $missing </dev/null
