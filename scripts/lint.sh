#!/usr/bin/env bash
# The layout of the sources (clang-format 14, .clang-format) and common mistakes (clang-tidy, .clang-tidy).
#   scripts/lint.sh [--format-only | --fix] [FILE...]     FILE: .cpp files for clang-tidy, default all of src and apps
# --format-only leaves clang-tidy out; --fix lays the sources out and does nothing else.
# clang-tidy needs a configured build: BUILD=build/release unless set. CLANG_FORMAT and CLANG_TIDY name the tools.
set -euo pipefail

mode=all
case "${1:-}" in
  --format-only) mode=format; shift ;;
  --fix) mode=fix; shift ;;
  -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
  -*) echo "lint: unknown option '$1'" >&2; exit 2 ;;
esac
files=()
for file in "$@"; do files+=("$(realpath -- "$file")"); done
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

find_tool() { # find_tool CHOSEN NAME: the tool to use, version 14 first
  local candidate
  for candidate in "$1" "$2-14" "$2"; do
    if [[ -n $candidate ]] && command -v "$candidate" 2>/dev/null; then return 0; fi
  done
  return 1
}

mapfile -t sources < <(find include src apps tests bench -name '*.[ch]pp' 2>/dev/null | sort)
format=$(find_tool "${CLANG_FORMAT:-}" clang-format) || { echo "lint: clang-format is not installed" >&2; exit 2; }
if [[ $mode == fix ]]; then
  "$format" -i "${sources[@]}"
  exit 0
fi
if ! report=$("$format" --dry-run -Werror "${sources[@]}" 2>&1); then
  grep -oE '^[^ :]+:[0-9]+:[0-9]+: error: .*' <<<"$report" | sort -u -t: -k1,2 || printf '%s\n' "$report"
  echo "lint: the layout is not that of .clang-format; scripts/lint.sh --fix changes it" >&2
  exit 1
fi
echo "lint: the layout of ${#sources[@]} files is right"
[[ $mode == all ]] || exit 0

tidy=$(find_tool "${CLANG_TIDY:-}" clang-tidy) || { echo "lint: clang-tidy is not installed" >&2; exit 2; }
build=${BUILD:-build/release}
if [[ ! -f $build/compile_commands.json ]]; then
  echo "lint: $build/compile_commands.json is missing: configure first (cmake --preset release), or set BUILD" >&2
  exit 2
fi
if [[ ${#files[@]} -eq 0 ]]; then
  mapfile -t files < <(find src apps -name '*.cpp' | sort)
fi
# Options of gcc that clang does not know must not count as findings.
printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "$(nproc)" "$tidy" -p "$build" --quiet --extra-arg=-Wno-unknown-warning-option \
    --extra-arg=-Wno-ignored-optimization-argument
echo "lint: clang-tidy has nothing to say about ${#files[@]} files"
