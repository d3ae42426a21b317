# shellcheck shell=bash
# The admin's machine is in the wrong hands: the participants make another key the admin's by a
# quorum, while a run goes on. The old admin is let in nowhere, what it granted is void.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

long_run() {
    run_file "$work/$part/$1.yaml" "$1" "$2" 1000
    submit "$work/$part/$1.yaml" >/dev/null
}

# adopt: the next admin's folder, from what any node has; its key in $next_key.
adopt() {
    take_port
    next_api=127.0.0.1:$port
    take_port
    "$programs/aegis-admin" adopt --dir "$mesh_dir/next" \
        --genesis "$(node_dir north)/genesis.cbor" --api "$next_api" --listen "127.0.0.1:$port" \
        >"$work/$part/adopt.txt"
    next_key=$(awk '$1 == "its" && $2 == "key" {print $3}' "$work/$part/adopt.txt")
}

approve() {
    "$programs/aegis-node" motion admin "$mesh_dir/next/consent.cose" --key "$next_key" \
        --dir "$(node_dir "$1")"
}

other_key_is_refused() {
    refused_with 'another key' "$programs/aegis-node" motion admin "$mesh_dir/next/consent.cose" \
        --key "$(printf 'a%.0s' {1..52})" --dir "$(node_dir north)"
}

approval_says() {
    approve "$1" >"$work/$part/approve-$1.txt" 2>&1 || no "$(cat "$work/$part/approve-$1.txt")"
    contains "$work/$part/approve-$1.txt" "$2"
}

list_at_lakeside() { "$programs/aegis-node" motion list --dir "$(node_dir lakeside)"; }
admin_is_listed() { list_at_lakeside | grep -q "make $next_key the admin"; }

listed_admin_is_refused() {
    refused_with 'its key is to be given' "$programs/aegis-node" motion agree \
        "$(list_at_lakeside | awk 'NR == 1 {print $1}')" --dir "$(node_dir lakeside)"
}

the_admin_is() { [ "$(aegis mesh show --output json | jq -r .admin)" = "$1" ]; }

is_refused_by_its_nodes() {
    run_file "$work/$part/refused.yaml" refused 2 1000
    refused_with 'another key|no node answers|not-the-admin' "$programs/aegis" run submit "$work/$part/refused.yaml"
}

with_old_admin() { AEGIS_CONTEXT=$mesh_dir/admin/credentials/context.json "$@"; }

# The old admin signs as it likes: no height follows from it.
old_commands_do_nothing() {
    local before
    before=$(top_height)
    with_old_admin aegis token create --name thief --output json >"$work/$part/stolen.json" || true
    sleep 3
    equal "$(top_height)" "$before" "height"
}

newcomer_joins() {
    local token before
    before=$(top_height)
    token=$(aegis token create --name east --output json | jq -r .token)
    wait_until 20 "the grant of east" higher_than "$before"
    join_live east "$token" lakeside
}

old_token_is_void() {
    refused_with 'knows of no token|unknown-token' "$programs/aegis-node" join --token "$1" \
        --peer "127.0.0.1:${node_ports[north]}" --dir "$work/$part/thief" \
        --listen "127.0.0.1:${node_ports[thief]}"
}

log_is_witnessed() {
    eventually 30 audit_is_signed
    aegis audit export --to "$work/$part/audit.jsonl" --evidence "$work/$part/audit-evidence"
    "$programs/aegis" audit verify "$work/$part/audit.jsonl" --evidence "$work/$part/audit-evidence" \
        >"$work/$part/audit.txt"
    contains "$work/$part/audit.txt" 'signed by the mesh up to record'
}

evidence_holds() {
    "$programs/aegis-node" evidence --dir "$(node_dir south)" --to "$work/$part/evidence"
    "$programs/aegis" verify "$work/$part/evidence"
}

small_mesh mesh north lakeside riverside south
take_ports east
take_ports thief
before=$(top_height)
stolen=$(aegis token create --name thief --output json | jq -r .token)
wait_until 20 "the grant of thief" higher_than "$before"
long_run steady 400
wait_until 30 "the first rounds" has_rounds steady 3

adopt
start_process next "$programs/aegis-admin" run --dir "$mesh_dir/next"
export AEGIS_CONTEXT=$mesh_dir/next/credentials/context.json
wait_until 30 "the next admin to answer" aegis mesh show
check "an admin that nobody has approved can ask for nothing" is_refused_by_its_nodes
check "a key that its owner did not tell is not approved" other_key_is_refused
check "the first word is counted" approval_says north '1 of the 3'
wait_until 20 "the motion at lakeside" admin_is_listed
check "an admin is not agreed to by what a list says" listed_admin_is_refused
check "so is the second, and the old admin is still there" approval_says lakeside '2 of the 3'
check "a word given twice counts once" approval_says north '2 of the 3'
check "with the third the mesh has another admin" approval_says riverside "carried: make $next_key the admin"
wait_until 30 "the next admin to follow the mesh" has_rounds steady 5
check "it knows who it is, and the run of the one before" \
    eventually 30 the_admin_is "$next_key"
wait_until 120 "the run to go on to its end" run_is steady completed
wait_until 30 "the mesh to sign the audit log" audit_is_signed
check "what the old admin asks for does nothing" old_commands_do_nothing
check "its tokens are void" old_token_is_void "$stolen"
check "the next admin's token lets a node in" newcomer_joins
mesh_start_node east
long_run after 4
wait_until 60 "a run of the next admin" run_is after completed
check "its audit log is signed by the mesh" log_is_witnessed
check "a node's evidence verifies from the founding on" evidence_holds
stop_process next
kill_process admin
stop_all_nodes
check "everybody stops cleanly" check_stops
for name in north lakeside riverside south; do
    check "$name's folder is whole" check_directory "$name"
done
