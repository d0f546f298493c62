#!/usr/bin/env bash
# Sets up, builds and runs every test: an optimised build, then one with sanitizers.
#   scripts/test.sh [--quick]     --quick: without the sanitizer build
# Exit code 0 only if everything passed. What was skipped, and why, stands at the end.
set -euo pipefail
exec </dev/null # mpirun would read it

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
jobs=$(nproc)
presets=(release sanitize)
case "${1:-}" in
  "") ;;
  --quick) presets=(release) ;;
  -h | --help) sed -n '2,4s/^# \{0,1\}//p' scripts/test.sh; exit 0 ;;
  *) echo "test.sh: unknown option '$1'" >&2; exit 2 ;;
esac

logs=$(mktemp -d)
trap 'rm -rf -- "$logs"' EXIT

build() {
  echo "== $1: configure and build"
  cmake --preset "$1"
  cmake --build --preset "$1" -j "$jobs"
}

# Runs the tests of preset $1 and keeps what ctest says last in $logs/$1.
run_tests() {
  local limit=25m status=0
  echo "== $1: tests"
  timeout --foreground "$limit" ctest --preset "$1" -j "$jobs" 2>&1 | tee "$logs/$1.log" || status=$?
  [[ $status -ne 124 ]] || echo "test.sh: stopped after $limit"
  grep -E '^[0-9]+% tests passed' "$logs/$1.log" >"$logs/$1" || echo "ctest did not finish" >"$logs/$1"
  return "$status"
}

# A skip inside a test that passed shows in ctest's log alone: googletest's "[  SKIPPED ]" with the reason above it,
# "SKIP: reason" of the other tests.
list_skips() {
  awk -v preset="$1" '
    /^[0-9]+\/[0-9]+ Test: / { test = $3 }
    after_skip { reason = $0; after_skip = 0 }
    /: Skipped$/ { after_skip = 1 }
    /^\[  SKIPPED \] [^ ,]+\.[^ ,]+ \(/ { line = $4 ": " reason }
    /^SKIP: / { line = substr($0, 7) }
    line != "" { if (!seen[test, line]++) printf "  %s %s: %s\n", preset, test, line; line = "" }
  ' "build/$1/Testing/Temporary/LastTest.log" 2>/dev/null || true
}

bash scripts/setup_deps.sh --optional

status=0
for preset in "${presets[@]}"; do
  build "$preset"
  run_tests "$preset" || status=1
done

echo
skips=$(for preset in "${presets[@]}"; do list_skips "$preset"; done)
printf 'skipped inside the tests:\n%s\n' "${skips:-  nothing}"
# The optimised build has all the tests, so its line comes last.
[[ ${#presets[@]} -eq 2 ]] || echo "== sanitize: not run (--quick)"
for ((i = ${#presets[@]} - 1; i >= 0; i--)); do
  echo "== ${presets[i]}"
  cat "$logs/${presets[i]}"
done
exit "$status"
