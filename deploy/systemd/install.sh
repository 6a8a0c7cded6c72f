#!/usr/bin/env bash
# Install the resolver as a service of this machine:  deploy/systemd/install.sh [WHEEL]
# and take it away again:                             deploy/systemd/install.sh --remove
#
# Debian packages that are missing are installed: Python with its virtual environments, and for the
# compiled modules a C compiler and Python's headers. Without a WHEEL cargo must be there.
# The program goes to /opt/inland (deploy/tree.sh, whose settings count here too), its unit, user
# and kernel settings to /usr/local/lib. What stands in /etc is the site's own and stays. Started
# again with a newer clone or WHEEL it upgrades; "systemctl restart inland" then puts it in force.
#
# ROOT=FOLDER: put the files of the service below FOLDER, and nothing else.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
ROOT=${ROOT:-}
LIB=$ROOT/usr/local/lib

say() { printf 'install: %s\n' "$*" >&2; }

# Each line: a command or a file that is needed, and the Debian package that has it.
needed() {
  printf '%s\n' 'python3 python3' '/etc/ssl/certs/ca-certificates.crt ca-certificates'
  [ "${COMPILE:-1}" = 0 ] || printf '%s\n' 'cc gcc' '/usr/include/stdlib.h libc6-dev'
}

packages() {
  local what package missing=()
  while read -r what package; do
    command -v "$what" >/dev/null 2>&1 || [ -e "$what" ] || missing+=("$package")
  done < <(needed)
  python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
  [ "${COMPILE:-1}" = 0 ] || has_headers || missing+=(python3-dev)
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing Debian packages: ${missing[*]}"
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y)
  { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "${missing[@]}"; } >&2 \
    || { say "they could not be installed; nothing was changed"; exit 1; }
}

has_headers() {
  python3 -c 'import os, sysconfig
raise SystemExit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' 2>/dev/null
}

# What the site wrote, what the resolver kept, and its user stay; the kernel settings do until the
# next boot.
remove() {
  if [ -d /run/systemd/system ]; then systemctl disable --now inland || true; fi
  rm -rf /opt/inland /opt/inland.old
  rm -f /usr/local/bin/inland "$LIB"/systemd/system/inland.service "$LIB"/sysusers.d/inland.conf \
    "$LIB"/tmpfiles.d/inland.conf "$LIB"/sysctl.d/60-inland.conf
  if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
  say "removed; /etc/inland, /var/lib/inland and the user inland are left"
  say "the kernel settings hold until the next boot"
}

put() { install -D -m 0644 "$here/$1" "$LIB/$2"; }

program() {  # [WHEEL]
  local wheel=${1:+$(realpath -e "$1")} old=/opt/inland.old
  rm -rf $old
  [ ! -e /opt/inland ] || mv /opt/inland $old
  if ! "$here/../tree.sh" /opt/inland ${wheel:+"$wheel"}; then
    [ ! -e $old ] || mv $old /opt/inland
    say "nothing was changed"
    exit 1
  fi
  rm -rf $old
}

if [ -z "$ROOT" ]; then
  [ "$(id -u)" = 0 ] || { say "needs root"; exit 1; }
  if [ "${1:-}" = --remove ]; then remove; exit 0; fi
  packages
  [ $# -gt 0 ] || command -v cargo >/dev/null \
    || { say "needs cargo (https://rustup.rs), or a WHEEL; nothing was changed"; exit 1; }
  program "$@"
  ln -sf /opt/inland/bin/inland /usr/local/bin/inland
fi
put inland.service systemd/system/inland.service
put inland.sysusers.conf sysusers.d/inland.conf
put inland.tmpfiles.conf tmpfiles.d/inland.conf
put inland.sysctl.conf sysctl.d/60-inland.conf
[ -z "$ROOT" ] || exit 0
systemd-sysusers inland.conf
systemd-tmpfiles --create inland.conf
if [ -d /run/systemd/system ]; then
  sysctl --quiet --load "$LIB/sysctl.d/60-inland.conf" || say "not all kernel settings were taken"
  systemctl daemon-reload
fi
if [ ! -e /etc/inland/inland.yaml ]; then
  say "now write /etc/inland/inland.yaml (config/examples has some), then:"
  say "  systemctl enable --now inland"
fi
