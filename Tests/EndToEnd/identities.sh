# shellcheck shell=bash
# Identities of a running mesh: a key that is changed while rounds go on and the node is killed in
# the middle of it, a lost disk that comes back on another machine under a new key, and what its
# data set has spent; another address; tokens for several nodes, for observers, and their ends.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# So many that the change of a key is over long before the run is.
readonly dataset=fashion-mnist changing_rounds=60

member() { aegis mesh members --output json | jq -r --arg n "$1" ".items[] | select(.name == \$n) | .$2"; }
member_is() { [ "$(member "$1" "$2")" = "$3" ]; }
key_of() { member "$1" node; }
has_other_key() { [ "$(key_of "$1")" != "$2" ] && [ -n "$(key_of "$1")" ]; }
members_of_last_round() { aegis run watch "$1" --output json | tail -n 1 | jq -r '.participants[]'; }
takes_part() { members_of_last_round "$1" | grep -qx "$2"; }
does_not_take_part() { ! takes_part "$1" "$2"; }

# training_run NAME ROUNDS
training_run() {
    cat >"$work/$part/$1.yaml" <<END
name: $1
dataset: $dataset
model: softmax
rounds: $2
participants_min: 2
training: {local_steps: 5, expected_batch: 100, learning_rate: 0.1}
privacy: {noise_multiplier: 4, delta: 1e-5, sampling_rate: 0.05, clip_norm: 1}
aggregation: {rule: mean, update_norm_max: 100}
deadlines: {soft: 1, hard: 10}
END
    submit "$work/$part/$1.yaml"
}

each_measures_once() {
    aegis run watch "$1" --output json >"$work/$part/rounds.json"
    jq -s -e --argjson rounds $changing_rounds '
        length == $rounds and all(.[].measures | map(.name); length >= 3 and . == unique)' \
        "$work/$part/rounds.json" ||
        no "$(jq -c '[.round, [.measures[].name]]' "$work/$part/rounds.json")"
}

all_rounds_committed() { run_is "$1" completed && [ "$(rounds_committed "$1")" = "$2" ]; }

# The old key of a node, in a leaf of its own: what answers it.
answer_to_old_key() {
    local mesh status
    mesh=$(aegis mesh show --output json | jq -r .mesh)
    mkdir -p "$work/$part/old"
    cp "$1" "$work/$part/old/identity.key"
    python3 "$here/forge.py" "$work/$part/old" "$work/$part/old/leaf" --mesh "$mesh" \
        --sequence $(($(date +%s%3N) + 1000))
    status=$(curl --silent --insecure --max-time 10 --tlsv1.3 --output /dev/null \
        --write-out '%{http_code}' --cert "$work/$part/old/leaf.pem" \
        "https://127.0.0.1:${node_ports[north]}/mesh/v1/status" || true)
    equal "$status" "$2" "HTTP status"
}

rotated_live() {
    "$programs/aegis-node" rotate-key --dir "$(node_dir lakeside)"
    eventually 10 has_other_key lakeside "$1"
}

# Killed at a moment that is drawn, again and again, the change of the key under way.
rotate_under_kills() {
    local before i
    before=$(key_of riverside)
    "$programs/aegis-node" rotate-key --dir "$(node_dir riverside)" \
        >"$work/$part/rotate-riverside.log" 2>&1 &
    process_ids[rotate]=$!
    for ((i = 0; i < 4; i++)); do
        sleep_ms $((RANDOM % 700))
        kill_process riverside
        mesh_start_node riverside
    done
    wait "${process_ids[rotate]}" || true
    unset 'process_ids[rotate]'
    wait_until 60 "riverside to have another key" has_other_key riverside "$before"
}

folder_is_of_the_member() { eventually 20 equal_ids "$1"; }
equal_ids() {
    [ "$(python3 -c 'import sys; d = open(sys.argv[1], "rb").read()[10:42]; import base64
print(base64.b32encode(d).decode().lower().rstrip("="))' "$(node_dir "$1")/identity.key")" = \
        "$(key_of "$1")" ]
}

has_models() { [ "$(find "$(node_dir "$1")/blobs" -type f | wc -l)" -ge 2 ]; }
says_what_is_lost() { ready_of south; grep -q 'privacy ledger is lost' "$mesh_dir/logs/south.log"; }

recovered() {
    "$programs/aegis-node" dataset recover --dir "$(node_dir south)" $dataset |
        tee "$work/$part/recovered.txt"
    at_least "$(sed -nE "s/^$dataset: ([0-9]+) rounds count as spent.*/\1/p" \
        "$work/$part/recovered.txt")" "$1" "rounds that count"
}

ledger_is_no_less() {
    local now
    now=$(aegis node show south --output json | jq '.status.privacy[0].epsilon')
    echo "epsilon $now, before the loss $1"
    jq -en "$now >= $1 - 0.001" >/dev/null
}

join_named() {
    "$programs/aegis-node" join --token "$2" --peer "127.0.0.1:${node_ports[north]}" \
        --name "$1" --dir "$(node_dir "$1")" --listen "127.0.0.1:${node_ports[$1]}" \
        --monitor "127.0.0.1:${monitor_ports[$1]}"
}

token_with() { aegis token create "$@" --output json >"$work/$part/token.json"; jq -r .token "$work/$part/token.json"; }

# A token that the mesh has committed.
live_token() {
    local before
    before=$(top_height)
    token_with "$@"
    wait_until 20 "the grant" higher_than "$before"
}

mesh_create "$work/$part/mesh"
mesh_start_admin mesh "${quick_elections[@]}"
slice=0
for name in north lakeside riverside south; do
    mesh_join "$name"
    mesh_add_data "$name" $dataset $((slice++)) 40 iid 8 1e-5
    mesh_start_node "$name"
done
mesh_found

# --- A key is changed while rounds go on ----------------------------------------------------------
old=$(key_of lakeside)
cp "$(node_dir lakeside)/identity.key" "$work/$part/lakeside.key"
run=$(training_run changing $changing_rounds)
wait_until 30 "the first rounds" has_rounds "$run" 2
check "aegis-node rotate-key: one name, a new key, while a run goes on" rotated_live "$old"
check "no round is lost" eventually 60 all_rounds_committed "$run" $changing_rounds
check "who has changed its key is told of once in each round" each_measures_once "$run"
check "and it takes part under the new key" takes_part "$run" lakeside
check "the old key is not let in any more" answer_to_old_key "$work/$part/lakeside.key" 000
run=$(training_run killed 12)
wait_until 30 "the first rounds" has_rounds "$run" 2
rotate_under_kills
check "killed four times in the middle, the node ends with the key that the mesh knows" \
    folder_is_of_the_member riverside
check "no round is lost" eventually 60 all_rounds_committed "$run" 12

# --- A lost disk, another machine, the same seat ----------------------------------------------
epsilon=$(aegis node show south --output json | jq '.status.privacy[0].epsilon')
old=$(key_of south)
kill_process south
cp "$(node_dir south)/identity.key" "$work/$part/south.key"
rm -rf "$(node_dir south)"
take_ports south
token=$(token_with --replaces south)
check "a token to replace a member is no token to join" refused_with 'unknown-token|knows of no token' \
    "$programs/aegis-node" join --token "$token" --peer "127.0.0.1:${node_ports[north]}" \
    --dir "$work/$part/thief" --listen "127.0.0.1:${node_ports[south]}"
check "aegis-node join --replaces: back as itself, on another machine" \
    "$programs/aegis-node" join --token "$token" --replaces south --admin "$admin_address" \
    --dir "$(node_dir south)" --listen "127.0.0.1:${node_ports[south]}" \
    --monitor "127.0.0.1:${monitor_ports[south]}"
check "the mesh has one member of this name, with a new key" \
    eventually 20 has_other_key south "$old"
check "at the new address" eventually 20 member_is south address "127.0.0.1:${node_ports[south]}"
check "the old key is not let in any more" answer_to_old_key "$work/$part/south.key" 000
mesh_add_data south $dataset 3 40 iid 8 1e-5
mesh_start_node south
check "it is ready, with its vote" eventually 20 says south '^ready'
check "it has fetched the models of past runs" eventually 20 has_models south
check "it says that its privacy ledger is lost" eventually 10 says_what_is_lost
run=$(training_run lost 3)
wait_until 60 "the run" run_is "$run" completed
check "and trains on nothing" does_not_take_part "$run" south
check "the others go on" takes_part "$run" north
stop_process south
check "its owner says what was spent: what the mesh knows of" recovered 22
mesh_start_node south
check "no less than before the loss" eventually 20 ledger_is_no_less "$epsilon"
run=$(training_run again 3)
wait_until 60 "the run" run_is "$run" completed
check "it trains again" takes_part "$run" south
token=$(token_with --replaces lakeside)
check "a second one within a day is refused: not the mesh's way to be taken over" \
    refused_with 'may evict the next|not-ready' "$programs/aegis-node" join --token "$token" \
    --replaces lakeside --admin "$admin_address" --dir "$work/$part/second" \
    --listen "127.0.0.1:${node_ports[south]}"

# --- Another address --------------------------------------------------------------------------
stop_process north
take_ports north
check "aegis-node move" "$programs/aegis-node" move --dir "$(node_dir north)" \
    --advertise "127.0.0.1:${node_ports[north]}"
sed -i -E "s/^(listen|advertise): .*/\1: 127.0.0.1:${node_ports[north]}/;
    s/^monitor: .*/monitor: 127.0.0.1:${monitor_ports[north]}/" "$(node_dir north)/node.yaml"
mesh_start_node north
check "it is ready at its new address" eventually 20 says north '^ready'
check "the admin has it" eventually 20 member_is north address "127.0.0.1:${node_ports[north]}"
run=$(training_run moved 3)
wait_until 60 "the run" run_is "$run" completed
check "and its updates count" takes_part "$run" north

# --- Tokens for several ---------------------------------------------------------------------------
take_ports east
take_ports west
take_ports third
token=$(live_token --uses 2 --expires 10m)
# What raised the height may have been another decision than the grant.
check "a token for two: the first" eventually 20 join_named east "$token"
check "the second" join_named west "$token"
check "no third" refused_with 'used' "$programs/aegis-node" join --token "$token" \
    --peer "127.0.0.1:${node_ports[north]}" --name third --dir "$(node_dir third)" \
    --listen "127.0.0.1:${node_ports[third]}"
lists_used() { aegis token list | grep -q "used $1"; }
check "the list says so" eventually 20 lists_used 2/2
token=$(live_token --name third --observer)
check "an observer joins" "$programs/aegis-node" join --token "$token" \
    --peer "127.0.0.1:${node_ports[north]}" --dir "$(node_dir third)" \
    --listen "127.0.0.1:${node_ports[third]}" --monitor "127.0.0.1:${monitor_ports[third]}"
check "and watches" eventually 20 member_is third standing observer
token=$(live_token --name fourth --expires 2s)
sleep 2.5
check "an expired token is refused" refused_with 'expired' "$programs/aegis-node" join \
    --token "$token" --peer "127.0.0.1:${node_ports[north]}" --dir "$work/$part/fourth" \
    --listen "127.0.0.1:${node_ports[south]}"
for name in "${mesh_names[@]}"; do stop_process "$name" || true; done
for name in "${mesh_names[@]}"; do
    check "aegis-node check: $name is sound" check_directory "$name"
done
check "aegis verify follows the keys" "$programs/aegis" verify "$(node_dir north)"
