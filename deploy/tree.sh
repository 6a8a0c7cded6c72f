#!/usr/bin/env bash
# Make the program's tree: a virtual environment with the program in it, its modules compiled.
#
#   deploy/tree.sh PLACE [WHEEL]
#
# PLACE must not exist. Without a WHEEL one is built from this clone, which needs cargo. Python
# libraries come from the package index; with SYSTEM_LIBRARIES=1 only those that the distribution
# has not installed in a version that is new enough.
#
# COMPILE=1 (the usual): the modules on the path of a lookup are compiled with mypyc, or nothing
# is made; needs a C compiler and Python's headers. COMPILE=0: they run interpreted, and a cold
# lookup takes half as much processor time again.
set -euo pipefail

fail() { printf 'tree: %s\n' "$*" >&2; exit 1; }
[ $# = 1 ] || [ $# = 2 ] || fail "usage: deploy/tree.sh PLACE [WHEEL]"
PLACE=$(realpath -m "$1")
WHEEL=${2:+$(realpath -e "$2")}
[ ! -e "$PLACE" ] || fail "$PLACE exists"
cd "$(dirname "$0")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
export PYTHONDONTWRITEBYTECODE=1  # what pip installs, it compiles itself
unset PYTHONPATH INLAND_COMPILED

work=$(mktemp -d)
made=0
trap 'rm -rf "$work"; [ $made = 1 ] || rm -rf "$PLACE"' EXIT

words=()
[ "${SYSTEM_LIBRARIES:-0}" = 0 ] || words+=(--system-site-packages)
"${PYTHON:-python3}" -m venv "${words[@]}" "$PLACE"
pip=("$PLACE/bin/python" -m pip --quiet)
if [ -z "$WHEEL" ]; then
  "${pip[@]}" wheel --no-deps --wheel-dir "$work" .
  WHEEL=$(echo "$work"/inland-*.whl)
fi
"${pip[@]}" install "$WHEEL"
site=$("$PLACE/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

# Compiled on a stage, since mypy does not take sources among installed packages. The result goes
# by a hash of the sources, which are those of the wheel (docs/decisions/0015-compiled-core.md).
if [ "${COMPILE:-1}" != 0 ]; then
  mkdir -p "$work/stage" "$site/deploy"
  cp -r "$site/resolver" "$site/policy" "$work/stage"
  cp -r pyproject.toml deploy "$work/stage"
  "${pip[@]}" install --target "$work/tools" 'mypy>=1.10' 'setuptools>=68' types-PyYAML
  (cd "$work/stage" && PYTHONPATH=$work/stage:$work/tools "$PLACE/bin/python" deploy/compile.py) \
    >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; fail "the modules did not compile"; }
  cp deploy/compile.py "$site/deploy"
  cp -r "$work/stage/.run" "$site"
  (cd / && "$PLACE/bin/python" -c 'from resolver import compiled; assert compiled.USED') \
    || fail "what was compiled is not used"
fi

"${pip[@]}" uninstall --yes pip  # the tree is made anew, never changed
made=1
