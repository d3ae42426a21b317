# shellcheck shell=bash
# From the first token to the model by the CLI alone, on real data where the machine has it: what an
# operator types, in this order. (By curl alone: admin.sh; by the dashboard alone: dashboard.sh.)
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly out=$work/$part
export XDG_CONFIG_HOME=$out/config

mesh_create "$out/mesh"
mesh_start_admin hospitals "${quick_elections[@]}"
first_context=$AEGIS_CONTEXT
unset AEGIS_CONTEXT
aegis context add hospitals "$first_context" >/dev/null
aegis context use hospitals >/dev/null

# One token each; who has it joins, says what it has, and serves.
for name in north lakeside riverside; do
    take_port
    monitor_ports[$name]=$port
    take_port
    token=$(aegis token create --name "$name" --expires 10m --output json | jq -r .token)
    quietly "$programs/aegis-node" join --token "$token" --admin "$admin_address" \
        --dir "$(node_dir "$name")" --listen "127.0.0.1:$port" \
        --monitor "127.0.0.1:${monitor_ports[$name]}"
    mesh_names+=("$name")
done
dataset=none
if [ -d "$datasets/fashion-mnist" ]; then
    dataset=fashion-mnist
    index=0
    for name in "${mesh_names[@]}"; do
        mesh_add_data "$name" fashion-mnist $index 30 iid 8 1e-5
        index=$((index + 1))
    done
fi
for name in "${mesh_names[@]}"; do mesh_start_node "$name"; done
founded() {
    aegis token list --output json | jq -e '[.items[] | select(.state == "used")] | length == 3'
    aegis mesh found --timeout 60
    aegis mesh show --output json | jq -e '.state == "founded" and .participants == 3'
}
check "three join with a token each, and the founding is closed" founded
wait_until 60 "every node to be idle" all_idle

cat >"$out/run.yaml" <<'END'
name: readmission
dataset: fashion-mnist
rounds: 3
model: {kind: mlp, hidden: [16]}
training: {local_steps: 5, expected_batch: 64, learning_rate: 0.3}
privacy: {epsilon: 3, delta: 1e-5, sampling_rate: 0.032, clip_norm: 1}
deadlines: {soft: 20, hard: 60}
END
if [ $dataset = none ]; then
    echo "        no $datasets/fashion-mnist: the run trains nothing"
    run_file "$out/run.yaml" readmission 3 1000
fi
trained() {
    aegis preflight
    aegis run submit "$out/run.yaml"
    aegis run watch readmission
    aegis run list --state completed | grep -q readmission
    aegis run show readmission --output yaml | grep -q 'rounds_committed: 3'
    aegis run export readmission --to "$out/results"
    [ -s "$out/results/model.safetensors" ] || no "no model"
    equal "sha256:$(sha256sum <"$out/results/model.safetensors" | cut -d' ' -f1)" \
        "$(aegis run show readmission --output json | jq -r .model)" model
    [ $dataset = none ] || aegis budget list | grep -q fashion-mnist
}
check "a run from the file to the model by the CLI alone" trained

# --- What the mesh has signed of the audit log ----------------------------------------------------

witnessed() { aegis audit head --output json | jq -e '.witnessed.sequence > 0'; }
wait_until 30 "the mesh to sign the audit log" witnessed
audit_witnessed() {
    aegis audit export --to "$out/audit.jsonl" --evidence "$out/evidence"
    aegis audit verify "$out/audit.jsonl" --evidence "$out/evidence" | tee "$out/finding.txt"
    contains "$out/finding.txt" 'signed by the mesh up to record [0-9]+, at height [0-9]+'
    # The same chain rewritten with right digests throughout, as only its keeper could.
    python3 "$here/audit_rewrite.py" 2 <"$out/audit.jsonl" >"$out/rewritten.jsonl"
    aegis audit verify "$out/rewritten.jsonl"
    local status=0
    aegis audit verify "$out/rewritten.jsonl" --evidence "$out/evidence" \
        >"$out/finding.txt" || status=$?
    equal "$status" 1 "exit status of a rewritten log"
    contains "$out/finding.txt" 'is not what the mesh has signed at height'
    status=0
    head -n 1 "$out/audit.jsonl" >"$out/short.jsonl"
    aegis audit verify "$out/short.jsonl" --evidence "$out/evidence" >"$out/finding.txt" ||
        status=$?
    equal "$status" 1 "exit status of a short log"
    contains "$out/finding.txt" 'the end is missing: the mesh has signed'
    # Nor can the evidence be edited.
    printf 'x' | dd of="$out/evidence/certificates/1.cbor" bs=1 seek=400 conv=notrunc status=none
    status=0
    aegis audit verify "$out/audit.jsonl" --evidence "$out/evidence" || status=$?
    equal "$status" 1 "exit status with altered evidence"
}
check "a log that its keeper rewrote contradicts what the mesh has signed" audit_witnessed

# --- A change of settings ------------------------------------------------------------------------

reloaded() {
    local settings=$mesh_dir/admin/admin.json status=0
    jq '.rates = {sensitive_per_minute: 2, costly_per_second: 50}' "$settings" >"$out/new.json"
    cat "$out/new.json" >"$settings"
    kill -HUP "$(cat "$mesh_dir/pids/admin")"
    eventually 10 grep -q 'settings read again' "$mesh_dir/logs/admin.log"
    for _ in 1 2 3 4; do
        aegis audit export --to "$out/limited.jsonl" || status=$?
    done
    equal "$status" 75 "exit status beyond the new rate"
    echo '{' >"$settings"
    kill -HUP "$(cat "$mesh_dir/pids/admin")"
    eventually 10 grep -q 'the settings stay' "$mesh_dir/logs/admin.log"
    aegis mesh show
    cat "$out/new.json" >"$settings"
}
check "SIGHUP takes over new rates; a file that can't be read changes nothing" reloaded

# --- Away while the mesh works -----------------------------------------------------------------------

run_file "$out/away.yaml" away 60 200000
aegis run submit "$out/away.yaml" >/dev/null
has_rounds() { aegis run show away --output json | jq -e ".rounds_committed >= $1"; }
wait_until 60 "the first rounds" has_rounds 2
kill_process admin
height() {
    curl --silent "http://127.0.0.1:${monitor_ports[north]}/metrics" |
        awk '$1 == "aegis_height" {print $2}'
}
alone_from=$(height)
sleep 3
alone_to=$(height)
start_process admin "$programs/aegis-admin" run --dir "$mesh_dir/admin"
is_over() { aegis run show away --output json | jq -e '.state == "completed"'; }
caught_up() {
    at_least "$alone_to" $((alone_from + 3)) "height after three seconds without the admin"
    eventually 90 is_over
    aegis run export away --to "$out/away"
    equal "$(tail -n +2 "$out/away/metrics.csv" | wc -l)" 60 rounds
    # Every record from the founding on, those of its absence too.
    at_least "$(find "$out/away/certificates" -name '*.cbor' | wc -l)" 61 certificates
}
check "without the admin training goes on, and the admin catches up with every round" caught_up

stop_all_nodes
check "everything stops cleanly" check_stops
