# shellcheck shell=bash
# Clocks of nodes twenty minutes apart (ten each way from everybody else's), TLS keys that are
# renewed while a run goes on, and a month in which everything was switched off.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fake_time=$(find /usr/lib -name libfaketimeMT.so.1 2>/dev/null | head -n 1)
readonly fake_time rounds=60

# start_at OFFSET NAME COMMAND…: with the wall clock so far from the machine's, timers as ever.
start_at() {
    local offset=$1 name=$2
    shift 2
    start_process "$name" env "LD_PRELOAD=$fake_time" "FAKETIME=$offset" \
        DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_FAKE_MONOTONIC=1 "$@"
}

start_node_at() { start_at "$1" "$2" "$programs/aegis-node" run --dir "$(node_dir "$2")"; }

renewals() { grep -c 'TLS key renewed' "$mesh_dir/logs/$1.log" || true; }
has_renewals() { [ "$(renewals "$1")" -ge "$2" ]; }

# Of each round: everybody took part, and nobody had to take over.
every_round_is_whole() {
    aegis run watch "$1" --output json | jq -se --argjson n "$2" '
        length == $n and all(.[]; (.participants | length) == 4 and .view == 0)' ||
        no "$(aegis run watch "$1" --output json | jq -c '[.round, .view, .participants]')"
}

if [ -z "$fake_time" ]; then
    echo "        clocks: left out, there is no libfaketime (apt-get install faketime)"
    exit 0
fi
small_mesh mesh north lakeside riverside south
for name in "${mesh_names[@]}"; do stop_process "$name"; done
start_node_at +600s north
start_node_at -600s lakeside
mesh_start_node riverside
start_node_at +300s south
wait_until 30 "every node to be idle" all_idle
run_file "$work/$part/skew.yaml" skew $rounds 200000
sed -i 's/soft: 0.3/soft: 3/' "$work/$part/skew.yaml"
run=$(submit "$work/$part/skew.yaml")
for i in 1 2; do
    for name in "${mesh_names[@]}"; do
        kill -HUP "${process_ids[$name]}"
        sleep 0.4
    done
    for name in "${mesh_names[@]}"; do
        wait_until 20 "$name to have a new TLS key" has_renewals "$name" "$i"
    done
done
wait_until 60 "the run" run_is "$run" completed
check "clocks ten minutes off either way, every TLS key renewed twice: no round dropped" \
    every_round_is_whole "$run" $rounds

for name in "${mesh_names[@]}"; do stop_process "$name"; done
stop_process admin
start_at +35d admin "$programs/aegis-admin" run --dir "$mesh_dir/admin"
wait_until 30 "the admin to answer" aegis mesh show
for name in "${mesh_names[@]}"; do start_node_at +35d "$name"; done
check "all TLS keys and bindings expired meanwhile: every node starts, and is let in" \
    eventually 30 all_idle
run_file "$work/$part/later.yaml" later 5 1000
run=$(submit "$work/$part/later.yaml")
check "and rounds go on" eventually 30 run_is "$run" completed
