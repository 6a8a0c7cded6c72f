#!/usr/bin/env bash
# Make this clone ready: Debian packages, Rust, .venv, the program .venv/bin/inland.
#
#   deploy/setup.sh run      what `make run` needs
#   deploy/setup.sh test     and what the tests and checks need
#   deploy/setup.sh bench    and the resolvers that the benchmarks measure beside ours
#   deploy/setup.sh native   only build the packet path again, if its sources changed
#
# Asks first and installs only what is missing, so a second call takes a moment. Without root
# or sudo it uses what is there, and says what it could not install. Stamps under .run/ are
# keyed by the contents of pyproject.toml and of the native sources.
set -euo pipefail
cd "$(dirname "$0")/.."

LEVEL=${1:-test}
RUST_LEAST=$(sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' resolver/native/Cargo.toml)
PATH=$HOME/.cargo/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH CARGO_TERM_COLOR=auto
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

[ -n "$RUST_LEAST" ] || fail "resolver/native/Cargo.toml has no rust-version"
case $LEVEL in
  run|test|bench|native) ;;
  *) fail "unknown level '$LEVEL' (run, test, bench or native)" ;;
esac

# ---- Debian packages ----------------------------------------------------------------------

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif [ -t 0 ]; then sudo "$@"
  else sudo -n "$@"
  fi
}

can_be_root() { [ "$(id -u)" = 0 ] || { have sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; }; }

# While packages are installed no service may start: a policy-rc.d that says 101 ("forbidden").
# What stood there is put back. Daemons that come new are also kept from starting at boot.
POLICY=/usr/sbin/policy-rc.d

forbid_services() {
  if [ -e $POLICY ] && [ ! -e $POLICY.inland-kept ]; then as_root mv $POLICY $POLICY.inland-kept; fi
  printf '#!/bin/sh\nexit 101\n' | as_root tee $POLICY >/dev/null
  as_root chmod 755 $POLICY
}

allow_services() {
  as_root rm -f $POLICY
  if [ -e $POLICY.inland-kept ]; then as_root mv $POLICY.inland-kept $POLICY; fi
}

install_packages() {
  trap allow_services EXIT
  forbid_services
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0
             install --no-install-recommends)
  local done=0
  as_root "${apt[@]}" "$@" >&2 && done=1
  if [ $done = 0 ]; then
    say "refreshing the package lists"
    as_root apt-get -q update >&2 || true
    as_root "${apt[@]}" "$@" >&2 && done=1
  fi
  if have systemctl; then
    for package in "$@"; do
      case $package in
        knot|nsd|prometheus|unbound|pdns-recursor|dnsdist)
          as_root systemctl -q disable "$package" || true ;;
        bind9) as_root systemctl -q disable named || true ;;
        knot-resolver) as_root systemctl -q disable kresd@1 || true ;;
      esac
    done
  fi
  allow_services
  trap - EXIT
  [ $done = 1 ]
}

# Each line: what is looked for (a command, or a file with /), the Debian package that has it.
needed() {
  cat <<'LIST'
cc gcc
/usr/include/stdlib.h libc6-dev
make make
/etc/ssl/certs/ca-certificates.crt ca-certificates
dig bind9-dnsutils
LIST
  [ "$LEVEL" = run ] || cat <<'LIST'
git git
ip iproute2
nft nftables
knotd knot
kdig knot-dnsutils
nsd nsd
dnsperf dnsperf
tcpdump tcpdump
debootstrap debootstrap
promtool prometheus
chromium chromium
pdftotext poppler-utils
LIST
  [ "$LEVEL" != bench ] || cat <<'LIST'
unbound unbound
kresd knot-resolver
pdns_recursor pdns-recursor
named bind9
dnsdist dnsdist
perf linux-perf
setpriv util-linux
LIST
}
ESSENTIAL='gcc libc6-dev'

debian_packages() {
  local what package missing=()
  while read -r what package; do
    case $what in
      /*) [ -e "$what" ] || missing+=("$package") ;;
      *) have "$what" || missing+=("$package") ;;
    esac
  done < <(needed)
  [ ${#missing[@]} -gt 0 ] || return 0
  if have apt-get && can_be_root; then
    say "installing Debian packages: ${missing[*]}"
    install_packages "${missing[@]}" && return 0
    say "apt-get did not install all of them"
  else
    say "missing, and no root or apt-get to install them: ${missing[*]}"
  fi
  for package in "${missing[@]}"; do
    case " $ESSENTIAL " in *" $package "*) fail "cannot go on without $package" ;; esac
  done
  say "going on without; tests that need them are skipped and say so"
}

# ---- Python -------------------------------------------------------------------------------

usable_python() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# The distribution's Python first: it is built with profiles of its own use, and takes a fifth less
# time than one that was only compiled.
find_python() {
  local name
  for name in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do
    if have "$name" && usable_python "$name"; then echo "$name"; return 0; fi
  done
  return 1
}

virtual_environment() {
  usable_python .venv/bin/python && return 0
  local python
  if ! python=$(find_python); then
    if have apt-get && can_be_root; then
      say "installing Debian packages: python3 python3-venv"
      install_packages python3 python3-venv || true
    fi
    python=$(find_python) || fail "needs Python 3.11 or newer with venv (Debian: python3-venv)"
  fi
  say "making .venv with $("$python" --version)"
  rm -rf .venv .run/stamp.*
  "$python" -m venv .venv
}

# ---- Rust ---------------------------------------------------------------------------------

new_enough() {  # VERSION LEAST
  [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

usable_rust() {
  local version
  version=$(cargo --version 2>/dev/null | awk '{print $2}') && [ -n "$version" ] \
    && new_enough "$version" $RUST_LEAST
}

rust() {
  usable_rust && return 0
  local candidate
  if ! have rustup && have apt-get; then
    candidate=$(apt-cache policy cargo 2>/dev/null | awk '/Candidate:/ {print $2}')
    if [ -n "$candidate" ] && new_enough "$candidate" $RUST_LEAST && can_be_root; then
      say "installing Debian packages: cargo rustfmt rust-clippy"
      install_packages cargo rustfmt rust-clippy && usable_rust && return 0
    fi
    candidate=$(apt-cache policy rustup 2>/dev/null | awk '/Candidate:/ {print $2}')
    if [ -n "$candidate" ] && [ "$candidate" != "(none)" ] && can_be_root; then
      say "installing Debian package: rustup"
      install_packages rustup || true
    fi
  fi
  if have rustup; then
    say "installing the stable Rust toolchain with rustup"
    rustup toolchain install stable --profile minimal -c rustfmt -c clippy >&2 || true
    rustup default stable >&2 || true
    usable_rust && return 0
  fi
  # Debian 12 has neither a new enough cargo nor rustup: the Rust project's own installer,
  # for this user only.
  have curl || install_packages curl || true
  if have curl; then
    say "installing Rust for this user in ~/.cargo with the installer of the Rust project"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs \
      | sh -s -- -y -q --no-modify-path --profile minimal -c rustfmt -c clippy >&2 || true
    usable_rust && return 0
  fi
  fail "needs cargo $RUST_LEAST or newer: install Rust (https://rustup.rs), then try again"
}

rust_tools() {  # for `make check`
  cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return 0
  say "adding rustfmt and clippy"
  { have rustup && rustup component add rustfmt clippy >&2; } \
    || { have apt-get && can_be_root && install_packages rustfmt rust-clippy; } \
    || say "no rustfmt or clippy: make check will fail"
}

# ---- the program --------------------------------------------------------------------------

hash_of() { sha256sum "$@" 2>/dev/null | sha256sum | cut -c1-16; }

stamped() { [ "$(cat ".run/stamp.$1" 2>/dev/null)" = "$2" ]; }

stamp() { mkdir -p .run; printf '%s\n' "$2" > ".run/stamp.$1"; }

native_sources() {
  find resolver/native -name target -prune -o -type f \
    \( -name '*.rs' -o -name 'Cargo.*' -o -name '*.toml' \) -print0 | sort -z | xargs -0 cat
}

python_packages() {  # also installs the package itself, hence builds native the first time
  local key
  key=$(hash_of pyproject.toml)-$(.venv/bin/python -c 'import sys; print(sys.version.split()[0])')
  [ -x .venv/bin/inland ] && stamped python "$key" && return 0
  rust
  say "installing Python packages and building the packet path (some minutes the first time)"
  .venv/bin/python -m pip install --quiet --upgrade 'maturin>=1.7,<2'
  .venv/bin/python -m pip install --quiet --no-build-isolation -e '.[dev]'
  stamp python "$key"
  stamp native "$NATIVE_KEY"
}

packet_path() {
  stamped native "$NATIVE_KEY" && ls resolver/_native*.so >/dev/null 2>&1 && return 0
  rust
  say "building the packet path"
  .venv/bin/maturin develop --quiet --release --skip-install
  stamp native "$NATIVE_KEY"
}

# The modules on the path of a lookup, by mypyc. A failure is told once, and costs only speed.
compiled_core() {
  local key
  key=$(PYTHONPATH=. .venv/bin/python -c 'from resolver import compiled; print(compiled.key())')
  [ ! -d ".run/compiled/$key" ] || return 0
  ! stamped uncompiled "$key" || return 0
  mkdir -p .run
  say "compiling the modules on the path of a lookup (about a minute)"
  if PYTHONPATH=. .venv/bin/python deploy/compile.py >.run/compile.log 2>&1; then return 0; fi
  tail -n 5 .run/compile.log >&2
  rm -rf .run/compiled
  say "they did not compile (.run/compile.log): running interpreted, which is slower"
  stamp uncompiled "$key"
}

[ "$LEVEL" = native ] || debian_packages
virtual_environment
PATH=$PWD/.venv/bin:$PATH  # the build backend looks for maturin there
NATIVE_KEY=$(native_sources | sha256sum | cut -c1-16)
python_packages
packet_path
[ "$LEVEL" = native ] || compiled_core
case $LEVEL in test|bench) rust; rust_tools ;; esac
