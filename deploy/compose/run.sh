#!/usr/bin/env bash
# The resolver and Prometheus beside it, with whichever Compose this machine has: the plugin
# ("docker compose") or the program ("docker-compose").
#
#   deploy/compose/run.sh up            on a network, as deploy/compose/inland.yaml says
#   deploy/compose/run.sh lab up        in a simulated country inside the container
#
# All words after that are Compose's own: up --detach, ps, logs, down, … What environment variables
# change stands in compose.yaml.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

files=(-f "$here/compose.yaml")
if [ "${1:-}" = lab ]; then
  files+=(-f "$here/lab.yaml")
  shift
fi
[ $# -gt 0 ] || { echo 'usage: deploy/compose/run.sh [lab] up|down|ps|…' >&2; exit 2; }
if docker compose version >/dev/null 2>&1; then
  exec docker compose "${files[@]}" "$@"
elif command -v docker-compose >/dev/null 2>&1; then
  exec docker-compose "${files[@]}" "$@"
fi
echo 'compose: neither "docker compose" nor docker-compose is there: install docker-compose' >&2
exit 3
