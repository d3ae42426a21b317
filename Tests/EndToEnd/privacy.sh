# shellcheck shell=bash
# kill -9 of nodes that train with differential privacy on real data: what was charged stays
# charged.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly kills=6 rounds=180 dataset=fashion-mnist
declare -A entries=() epsilons=()
lost_entries=''
lost_epsilon=''
epsilon_readings=0

epsilon_of() {
    aegis node list --output json | jq -r --arg name "$1" '
        .items[] | select(.name == $name) | .status.privacy[0].epsilon // empty'
}

# At its death, a node's ledger is no shorter than at its last one.
remember_ledger() {
    local now
    now=$(evidence tip "$(node_dir "$1")" | jq .entries)
    [ "$now" -ge "${entries[$1]:-0}" ] || lost_entries+=" $1:${entries[$1]}->$now"
    entries[$1]=$now
}

remember_epsilon() {
    local now
    now=$(epsilon_of "$1")
    [ -n "$now" ] || return 0
    epsilon_readings=$((epsilon_readings + 1))
    jq -en "$now >= ${epsilons[$1]:-0}" >/dev/null || lost_epsilon+=" $1:${epsilons[$1]}->$now"
    epsilons[$1]=$now
}

crash_once() {
    local name=${mesh_names[$((RANDOM % ${#mesh_names[@]}))]} other since
    for other in "${mesh_names[@]}"; do remember_epsilon "$other"; done
    sleep_ms $((100 + RANDOM % 501))
    kill_process "$name"
    remember_ledger "$name"
    since=$(date -u +%FT%T.%3NZ)
    mesh_start_node "$name"
    wait_until 20 "$name to be back" is_reachable "$name" "$since"
    remember_epsilon "$name"
}

still_running() { equal "$(state_of_run "$run")" running "state of the run at the last kill"; }
check_entries() { [ -z "$lost_entries" ] || no "entries lost:$lost_entries"; }
check_epsilon() {
    at_least $epsilon_readings 12 "readings of epsilon"
    [ -z "$lost_epsilon" ] || no "epsilon went back:$lost_epsilon"
}

# Each round this node's update took part in was reserved before, on its own disk, in a chain of
# hashes that is whole.
rounds_were_reserved() {
    local name=$1 took_part reserved
    evidence ledger "$(node_dir "$name")" >"$work/$part/ledger-$name.json"
    took_part=$(aegis run watch "$run" --output json |
        jq -sc --arg name "$name" '[.[] | select(.participants | index($name)) | .round]')
    reserved=$(jq -c --arg d $dataset '.[$d].rounds' "$work/$part/ledger-$name.json")
    echo "took part in $took_part, reserved $reserved"
    at_least "$(jq length <<<"$took_part")" 1 "rounds it took part in"
    equal "$(jq -nc "$took_part - $reserved")" '\[\]' "rounds without a reservation"
    at_least "$(jq --arg d $dataset '.[$d].reserved' "$work/$part/ledger-$name.json")" \
        "$(jq length <<<"$took_part")" reservations
    at_least "$(jq --arg d $dataset '.[$d].entries' "$work/$part/ledger-$name.json")" \
        "${entries[$name]:-0}" "entries, as at its last death"
}

# What check says of the ledger is what the disk has, and no less than was shown before.
check_ledger() {
    check_directory "$1" >/dev/null
    jq -en --slurpfile check "$work/$part/check-$1.json" \
        --slurpfile disk "$work/$part/ledger-$1.json" \
        --arg d $dataset --argjson shown "${epsilons[$1]:-0}" '
        ($check[0].ledgers[] | select(.dataset == $d)) as $c | $disk[0][$d] as $l
        | {check: $c, disk: $l, shown: $shown},
          ($c.entries == $l.entries and $c.reserved == $l.reserved
            and $c.released == $l.released and $c.epsilon >= $shown - 0.000001)'
}

learned() {
    local accuracy
    accuracy=$(aegis run watch "$run" --output json |
        jq -s '[.[-1].measures[].accuracy] | add / length')
    jq -en "$accuracy > 0.5" || no "accuracy: $accuracy"
}

mesh_create "$work/$part/mesh"
mesh_start_admin mesh "${quick_elections[@]}"
slice=0
for name in north lakeside riverside; do
    mesh_join "$name"
    mesh_add_data "$name" $dataset $((slice++)) 30 iid 8 1e-5
    mesh_start_node "$name"
done
mesh_found
cat >"$work/$part/run.yaml" <<END
name: crashes
dataset: $dataset
model: softmax
rounds: $rounds
participants_min: 2
training: {local_steps: 20, expected_batch: 200, learning_rate: 0.1}
privacy: {epsilon: 3, delta: 1e-5, sampling_rate: 0.1, clip_norm: 1}
aggregation: {rule: mean, update_norm_max: 100}
deadlines: {soft: 1, hard: 10}
END
run=$(submit "$work/$part/run.yaml")
wait_until 30 "the first rounds" has_rounds "$run" 2
for ((i = 1; i <= kills; i++)); do
    crash_once
    [ $i -lt $kills ] || check "the run was still going on at the last kill" still_running
done
check "it completes after $kills times kill -9" eventually 60 run_is "$run" completed
check "no ledger has lost an entry" check_entries
check "epsilon as reported never goes back, over restarts too" check_epsilon
check "the model has learned" learned
sleep 1.2
for name in "${mesh_names[@]}"; do remember_epsilon "$name"; done
stop_all_nodes
check "SIGTERM stops every node within 5 s with exit 0" check_stops
for name in "${mesh_names[@]}"; do
    check "$name: every round it took part in was reserved" rounds_were_reserved "$name"
    if has_check_command; then
        check "aegis-node check: $name is sound, its ledger agrees" check_ledger "$name"
    fi
done

# The commands of docs/PRIVACY.md as they stand, but for the node's folder and its ledger's head.
documented_commands() {
    local out=$work/$part/documented head
    mkdir "$out"
    head=$(aegis privacy ledger show "$(node_dir north)" | sed -n 's/^ *head //p' | sed -n 1p)
    {
        echo 'set -euxo pipefail'
        awk '/^```/ {
                if (open) open = inside = 0; else { open = 1; inside = $0 == "```" }
                next
            }
            inside && (/^aegis / || more) { print; more = /\\$/ }' "$root/docs/PRIVACY.md"
        grep -Eo "\`aegis privacy (plan|audit)[^\`]*\`" "$root/docs/PRIVACY.md" | tr -d '`'
    } | sed -e "s|mesh/north|$(node_dir north)|" -e "s|12:sha256:…|$head|" >"$out/commands.sh"
    at_least "$(grep -c '^aegis privacy' "$out/commands.sh")" 6 "commands in docs/PRIVACY.md"
    (cd "$out" && PATH=$programs:$PATH bash commands.sh)
}
check "the commands of docs/PRIVACY.md" documented_commands
