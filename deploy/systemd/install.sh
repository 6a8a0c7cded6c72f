#!/usr/bin/env bash
# Install the resolver as a service of this machine:  deploy/systemd/install.sh [WHEEL]
#
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
