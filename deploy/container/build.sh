#!/usr/bin/env bash
# Build the image of the resolver:  deploy/container/build.sh [TAG [WORDS FOR docker build…]]
#
#   BASE=IMAGE         the base, Debian 13 or newer (usual: debian:trixie-slim);
#                      debootstrap: made here from Debian's packages, without a registry
#   WHEEL=dist/FILE    a wheel of this clone, in place of building with Rust in the container
#   COMPILE=0          without the compiled modules
#   EXTRA_CA=FILE      certificates of a proxy before the package indexes
#   DOCKERFILE=FILE    another one of ours, such as deploy/compose/prometheus.Dockerfile
#
# A base that was made here is kept in .run/ under a name of its contents' recipe. Exit status 3:
# Debian's packages cannot be had for it.
set -euo pipefail
cd "$(dirname "$0")/../.."

TAG=${1:-inland:latest}
[ $# = 0 ] || shift
BASE=${BASE:-debian:trixie-slim}
SUITE=trixie
PATH=$PATH:/usr/sbin:/sbin

say() { printf 'build: %s\n' "$*" >&2; }

# A small Debian as a tar file: no lists, no packages kept, and (like the official slim images)
# neither manuals nor translations, now or later.
make_base() {  # FILE
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
  debootstrap --variant=minbase "$SUITE" "$root" >&2 || { say "no base could be made"; exit 3; }
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/dev/*
  rm -rf "$root"/usr/share/{man,info,locale,lintian} "$root"/var/log/*
  find "$root/usr/share/doc" -type f ! -name copyright -delete
  printf 'path-exclude /usr/share/%s/*\n' man info locale lintian \
    >"$root/etc/dpkg/dpkg.cfg.d/slim"
  printf 'path-exclude /usr/share/doc/*\npath-include /usr/share/doc/*/copyright\n' \
    >>"$root/etc/dpkg/dpkg.cfg.d/slim"
  # A service that is installed is not started while an image is built.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  tar -C "$root" -cf "$1.new" .
  mv "$1.new" "$1"
  rm -rf "$root"
}

if [ "$BASE" = debootstrap ]; then
  key=$({ echo "$SUITE"; declare -f make_base; } | sha256sum | cut -c1-12)
  BASE=inland-base:$SUITE-$key
  if ! docker image inspect "$BASE" >/dev/null 2>&1; then
    mkdir -p .run
    kept=.run/base-$SUITE-$key.tar
    if [ ! -e "$kept" ]; then
      say "making a base from Debian's packages (about a minute)"
      make_base "$kept"
    fi
    docker import --change 'CMD ["bash"]' "$kept" "$BASE" >/dev/null
  fi
fi

words=(--build-arg "BASE=$BASE")
[ -z "${WHEEL:-}" ] || words+=(--build-arg "WHEEL=$WHEEL")
[ -z "${COMPILE:-}" ] || words+=(--build-arg "COMPILE=$COMPILE")
[ -z "${EXTRA_CA:-}" ] || words+=(--build-arg "EXTRA_CA=$(cat "$EXTRA_CA")")
docker build "${words[@]}" -f "${DOCKERFILE:-deploy/container/Dockerfile}" -t "$TAG" "$@" .
