# shellcheck shell=bash
# Robust rules in a mesh: whom a rule left out is the same on every node and visible to people.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly rounds=4

# robust_file FILE NAME AGGREGATION
robust_file() {
    run_file "$1" "$2" $rounds 1000
    sed -i "s/^aggregation:.*/aggregation: {$3, update_norm_max: 100000}/
        s/^participants_min:.*/participants_min: 4/" "$1"
}

# completes NAME AGGREGATION: the run ends well.
completes() {
    local file=$work/$part/$1.yaml
    robust_file "$file" "$1" "$2"
    aegis run submit "$file"
    eventually 60 run_is "$1" completed
    equal "$(state_of_run "$1")" completed "state of $1"
    equal "$(aegis run watch "$1" --output json | jq -rs 'map(.aggregation.rule) | unique[]')" \
        "$(sed -E 's/rule: ([^,]*).*/\1/' <<<"$2")" "rule in the rounds"
}

# Fixed updates: the rule leaves out the same participant in every round.
one_is_left_out() {
    aegis run watch subset --output json >"$work/$part/rounds.json"
    jq -es "length == $rounds and all(.[]; .aggregation.verdicts | length >= 4)" \
        "$work/$part/rounds.json"
    aegis run show subset --output json >"$work/$part/subset.json"
    jq -e '.dropped | length >= 1 and .[0].dropped >= 3' "$work/$part/subset.json"
    aegis run show subset >"$work/$part/subset.txt"
    contains "$work/$part/subset.txt" \
        "left out by the rule: $(jq -r '.dropped[0].peer' "$work/$part/subset.json") in .*suspicious"
    aegis node list --output json | jq -e --slurpfile run "$work/$part/subset.json" '
        [.items[].status.dropped[0].peer] | unique == [$run[0].dropped[0].peer]'
}

# is_refused PATTERN AGGREGATION
is_refused() {
    robust_file "$work/$part/unfit.yaml" unfit "$2"
    ! aegis run submit "$work/$part/unfit.yaml" >"$work/$part/unfit.txt" 2>&1 ||
        no "it was accepted"
    contains "$work/$part/unfit.txt" "$1"
}

unfit_is_refused() {
    is_refused 'aggregation.rule.*differ from node to node' "rule: fltrust"
    is_refused 'aggregation.byzantine.*needs participants_min' "rule: krum, byzantine: 1"
}

small_mesh mesh north lakeside riverside hilltop harbour
check "a run with nnm+trimmed-mean completes" completes mixed "rule: nnm+trimmed-mean, byzantine: 1"
check "a run with weights completes" completes weighed \
    "rule: weighted-trimmed-mean, byzantine: 1, weight_max: 10"
check "a run with mda completes" completes subset "rule: mda, byzantine: 1"
check "a participant that the rule keeps leaving out is named on every node" one_is_left_out
check "a rule that can't work here is refused with its reason" unfit_is_refused
