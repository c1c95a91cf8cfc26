#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every layer of tests: a sanitizer build with gcc and its tests, the library with clang, and real
# peers.  Prints a table of the layers with their times; the last line is
# "N passed, N failed, N skipped".
set -uo pipefail
cd "$(dirname "$0")/.."

jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
reports=build/check
table=()
notes=()
passed=0
failed=0
skipped=0
started=$SECONDS

# row NAME PASSED FAILED SKIPPED SECONDS
row() {
    table+=("$(printf '%-12s %8d %8d %8d %8ds' "$1" "$2" "$3" "$4" "$5")")
    passed=$((passed + $2))
    failed=$((failed + $3))
    skipped=$((skipped + $4))
}

finish() {
    printf '\n%-12s %8s %8s %8s %9s\n' layer passed failed skipped time
    printf '%s\n' "${table[@]}"
    printf '%-12s %8s %8s %8s %8ds\n\n' all "$passed" "$failed" "$skipped" $((SECONDS - started))
    if [ "${#notes[@]}" -gt 0 ]; then
        printf '%s\n' "${notes[@]}"
    fi
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}

# step NAME COMMAND...: something that works or does not.  Its output is shown when it fails.
step() {
    local name=$1 begun=$SECONDS log=$reports/$1.log
    shift
    echo "== $name"
    if "$@" >"$log" 2>&1; then
        row "$name" 1 0 0 $((SECONDS - begun))
        return 0
    fi
    cat "$log"
    notes+=("failed: $name")
    row "$name" 0 1 0 $((SECONDS - begun))
    return 1
}

# The value of an attribute in the first element of a JUnit report.
attribute() {
    grep -o "\b$2=\"[0-9]*\"" "$1" | head -n 1 | grep -o '[0-9]*'
}

run_label() {
    local label=$1 begun=$SECONDS report=$PWD/$reports/$1.xml
    echo "== $label"
    rm -f "$report"
    ctest --test-dir build/asan -L "^$label\$" -j "$jobs" --output-on-failure \
        --output-junit "$report" || true
    if [ ! -s "$report" ]; then
        notes+=("failed: $label: no report")
        row "$label" 0 1 0 $((SECONDS - begun))
        return
    fi
    local tests bad left
    tests=$(attribute "$report" tests)
    bad=$(attribute "$report" failures)
    left=$(($(attribute "$report" skipped) + $(attribute "$report" disabled)))
    row "$label" $((tests - bad - left)) "$bad" "$left" $((SECONDS - begun))
    while read -r name; do
        notes+=("failed: $label: $name")
    done < <(grep -o '<testcase name="[^"]*"[^>]*status="fail"' "$report" | cut -d '"' -f 2)
}

build_asan() {
    cmake --preset asan && cmake --build build/asan -j "$jobs"
}

build_tsan() {
    cmake --preset tsan && cmake --build build/tsan -j "$jobs" --target tsan_tests
}

build_clang() {
    cmake --preset clang && cmake --build build/clang -j "$jobs"
}

# A seed means the same run with both compilers.
same_trace() {
    local build found before=
    for build in asan clang; do
        found=$(build/$build/bin/yard sim --nodes 25 --minutes 4 --profile cometbft --faults all |
            tail -n 1)
        echo "$build: $found"
        [[ $found == *trace=* ]] && [[ -z $before || $before == "$found" ]] || return 1
        before=$found
    done
}

# Exit status 77 of the runner: no Go, nothing was run.
run_interop() {
    local begun=$SECONDS log=$reports/interop.log status
    echo "== interop"
    SY_YARD=$PWD/build/asan/bin/yard SY_INTEROP_SCALE=${SY_INTEROP_SCALE:-2} \
        python3 tests/interop/run.py 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    if [ "$status" -eq 77 ]; then
        row interop 0 0 1 $((SECONDS - begun))
    else
        count_interop "$log" "$status" $((SECONDS - begun))
    fi
    while read -r line; do
        notes+=("$line")
    done < <(grep -E '^(interop|failed|skipped): ' "$log")
}

# count_interop LOG STATUS SECONDS: the counts that the runner ends with.
count_interop() {
    local last
    last=$(tail -n 1 "$1")
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
        row interop "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "${BASH_REMATCH[3]}" "$3"
    else
        notes+=("failed: interop: it ended with status $2")
        row interop 0 1 0 "$3"
    fi
}

mkdir -p "$reports"
step deps scripts/deps.sh || finish
step build-asan build_asan || finish
while read -r label; do
    run_label "$label"
done < <(ctest --test-dir build/asan --print-labels | sed -n 's/^  \([a-z]\)/\1/p')
# The threaded programs ran with the other sanitizers above.
if step build-tsan build_tsan; then
    step thread-sanitizer ctest --test-dir build/tsan -L '^tsan$' --output-on-failure \
        --no-tests=error
fi
if step build-clang build_clang; then
    step same-trace same_trace
fi
# FUZZ_SMOKE=SECONDS: each fuzz target for so long; its inputs were replayed above.  And do these
# reach the lines of every decoder?
if [ "${FUZZ_SMOKE:-0}" -gt 0 ]; then
    step fuzz-coverage tests/fuzz/coverage.py --floor 95
    step fuzz-smoke tests/fuzz/run.py --seconds "$FUZZ_SMOKE" --jobs 2
fi
if [ -e tests/interop/run.py ]; then
    run_interop
fi
finish
