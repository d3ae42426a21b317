# shellcheck shell=bash
# What is committed, and what is final: three nodes of which one is away, and comes back. Five of which
# one is away for so long that it loses its vote.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

says_of() { aegis node status "$1" | tee "$work/$part/status.txt" | grep -q "$2"; }

is_final() { aegis run show "$1" --output json | jq -e '.final.height >= .model_height'; }

exports() { aegis run export "$1" --to "$work/$part/$1" "${@:2}" | tee "$work/$part/export.txt"; }

finished_run() {
    run_file "$work/$part/$1.yaml" "$1" "$2" 1000
    submit "$work/$part/$1.yaml" >/dev/null
    wait_until 120 "run $1" run_is "$1" completed
}

# The folder proves it by itself, and says so.
verifies_as_final() {
    aegis verify "$1" | tee "$work/$part/verify.txt"
    grep -q "$2" "$work/$part/verify.txt"
}

standing() {
    aegis mesh members --output json |
        jq -r --arg name "$1" '.items[] | select(.name == $name) | .standing'
}

stands() { [ "$(standing "$1")" = "$2" ]; }

small_mesh mesh north lakeside south
finished_run first 4
check "all three have co-signed: the run is final" eventually 10 is_final first
check "a node says how many traitors that resists" eventually 10 says_of north 'final (resists 2 traitors)'
check "its model is exported as a result" exports first
check "the exported folder proves it" verifies_as_final "$work/$part/first" 'final (resists 2 traitors)'

kill_process south
finished_run alone 4
check "with one away the mesh goes on, and nothing more is final" \
    eventually 10 says_of north 'not co-signed by south'
check "its model is refused as a result, and says who is missing" \
    refused_with 'not co-signed by .*south' "$programs/aegis" run export alone --to "$work/$part/refused"
check "and can be taken as provisional" exports alone --provisional
check "which it is called" grep -q 'committed, not final' "$work/$part/export.txt"
mesh_start_node south
check "it comes back and co-signs: the run is final" eventually 60 is_final alone
rm -rf "$work/$part/alone"
check "its model is exported as a result" exports alone
wait_until 30 "the mesh to have signed the audit log" audit_is_signed
stop_all_nodes
for name in north south; do
    check "$name has it on its disk" check_directory "$name"
    check "which says up to where it is final" jq -e '.final.height == .height' \
        "$work/$part/check-$name.json"
done
check "a node's own folder proves it" verifies_as_final "$(node_dir south)" 'final (resists 2 traitors)'
stop_process admin

small_mesh five north lakeside riverside south east
kill_process east
finished_run long 24
check "whoever gave no sign for twenty rounds has no vote any more" eventually 20 stands east learner
mesh_start_node east
check "it comes back, learns, and is ready" eventually 60 stands east ready
check "aegis node promote" "$programs/aegis" node promote east
check "it votes again" eventually 20 stands east participant
