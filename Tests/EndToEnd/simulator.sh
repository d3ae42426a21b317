# shellcheck shell=bash
# The simulator as a program: real cryptography, schedules of Twins, the exploration, and going on.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly out=$work/$part sim=$programs/aegis-sim
cd "$root"

real_cryptography() {
    "$sim" --scenario all --simulations 60 --crypto real --threads 2 --output json >"$out/real.json"
    jq -e '.total.seeds == 60 and .total.failed == 0' "$out/real.json"
}
check "60 simulations with Ed25519 and SHA-256" real_cryptography

goes_on() {
    "$sim" --scenario all --simulations 300 --threads 2 --output json >"$out/whole.json"
    # Ends early, and goes on with half as many threads: the same result.
    timeout -s INT 0.2 "$sim" --scenario all --simulations 300 --threads 2 \
        --resume "$out/half.json" >"$out/half.txt" || true
    "$sim" --scenario all --simulations 300 --resume "$out/half.json" --output json \
        >"$out/rest.json"
    local totals='.total | "\(.seeds) \(.trace) \(.events)"'
    equal "$(jq -r "$totals" "$out/rest.json")" "$(jq -r "$totals" "$out/whole.json")" result
}
check "a campaign that was stopped goes on to the same result, on any number of threads" goes_on

fork_is_found() {
    local status=0
    "$sim" explore --nodes 3 --fork >"$out/fork.txt" || status=$?
    equal $status 1 status
    contains "$out/fork.txt" '^I1: two values decided'
}
check "the exploration finds the fork of three nodes and a traitor" fork_is_found

schedule_replays() {
    local status=0 replay
    "$sim" twins --views 3 --limit 4000 --break vote2WithoutQuorum --output json \
        >"$out/twins.json" || status=$?
    equal $status 1 status
    replay=$(jq -r '.failures[0].minimisedCommand' "$out/twins.json")
    read -ra words <<<"$replay"
    status=0
    "$sim" "${words[@]:1}" >"$out/replay.txt" || status=$?
    equal $status 1 status
    contains "$out/replay.txt" 'VIOLATION'
}
check "a schedule of Twins that breaks a rule's mutant replays" schedule_replays
