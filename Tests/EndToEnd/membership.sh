# shellcheck shell=bash
# Members of a running mesh: joining with a token while the admin is down, promotion, suspension,
# leaving, eviction. Nobody else's files change, and nobody restarts.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What owners decide and identities are made of.
files_of_the_others() {
    local name
    for name in north lakeside riverside south; do
        (cd "$(node_dir "$name")" && sha256sum node.yaml genesis.cbor identity.key)
    done
}

standing() {
    aegis mesh members --output json |
        jq -r --arg name "$1" '.items[] | select(.name == $name) | .standing'
}

stands() { [ "$(standing "$1")" = "$2" ]; }
is_gone() { [ -z "$(standing "$1")" ]; }

# live_token NAME: a token that the mesh has committed.
live_token() {
    local before
    before=$(top_height)
    aegis token create --name "$1" --output json >"$work/$part/token-$1.json"
    wait_until 20 "the grant of $1" higher_than "$before"
    jq -r .token "$work/$part/token-$1.json"
}

used_token_is_refused() {
    refused_with 'token-used|TokenUsed|used' "$programs/aegis-node" join --token "$1" \
        --peer "127.0.0.1:${node_ports[north]}" --dir "$work/$part/thief" \
        --listen "127.0.0.1:${node_ports[thief]}"
    [ ! -e "$work/$part/thief" ] || no "a folder was left behind"
}

takes_part() {
    aegis run export "$1" --to "$work/$part/$1" >/dev/null
    tail -n 1 "$work/$part/$1/metrics.csv" | grep -q "$2"
}

does_not_take_part() { ! takes_part "$1" "$2"; }

# A leaf of the evicted node's own key gets no answer.
is_shut_out() {
    local mesh status
    mesh=$(aegis mesh show --output json | jq -r .mesh)
    python3 "$here/forge.py" "$(node_dir east)" "$work/$part/leaf" --mesh "$mesh" \
        --sequence $(($(date +%s%3N) + 1000))
    status=$(curl --silent --insecure --max-time 10 --tlsv1.3 --output /dev/null \
        --write-out '%{http_code}' --cert "$work/$part/leaf.pem" \
        "https://127.0.0.1:${node_ports[$1]}/mesh/v1/status" || true)
    equal "$status" "$2" "HTTP status"
}

short_run() {
    run_file "$work/$part/$1.yaml" "$1" 4 1000
    submit "$work/$part/$1.yaml" >/dev/null
    wait_until 60 "run $1" run_is "$1" completed
}

small_mesh mesh north lakeside riverside south
files_of_the_others >"$work/$part/files-before"
take_ports east
take_ports thief
token=$(live_token east)
kill_process admin
check "a node joins with a token through a member while the admin is down" \
    join_live east "$token" lakeside
mesh_start_node east
check "it follows the chain, and says that it has no vote yet" \
    eventually 20 says east 'no vote yet'
start_process admin "$programs/aegis-admin" run --dir "$mesh_dir/admin"
wait_until 30 "the admin to answer" aegis mesh show
check "the admin sees it, ready to be promoted" eventually 30 stands east ready
check "the token can't be used again, by another node" used_token_is_refused "$token"
short_run before
check "a learner's updates don't count" does_not_take_part before east
check "aegis node promote" "$programs/aegis" node promote east
check "it is a participant" eventually 20 stands east participant
check "and ready" eventually 20 says east '^ready'
short_run joined
check "its updates count" takes_part joined east
check "its own leaf is served (so the refusal below means something)" is_shut_out north 200
check "aegis node suspend" "$programs/aegis" node suspend south --reason maintenance
check "its vote rests" eventually 20 stands south suspended
short_run suspended
check "and its updates don't count" does_not_take_part suspended south
check "aegis node resume" "$programs/aegis" node resume south
check "it votes again" eventually 20 stands south participant
check "aegis-node leave" "$programs/aegis-node" leave --dir "$(node_dir south)"
check "it is no member any more" eventually 20 is_gone south
check "aegis node evict" "$programs/aegis" node evict east --reason 'key stolen'
check "it is no member any more, at once" eventually 20 is_gone east
check "its connections are refused" is_shut_out north 000
short_run after
check "the others go on" takes_part after north
files_of_the_others >"$work/$part/files-after"
check "nobody else's files were touched" cmp "$work/$part/files-before" "$work/$part/files-after"
check "aegis verify follows the changes of the roster" \
    "$programs/aegis" verify "$(node_dir north)"
