# shellcheck shell=bash
# Clocks of nodes twenty minutes apart (ten each way from everybody else's), TLS keys that are
# renewed while a run goes on, and a month in which everything was switched off.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly rounds=60 month=$((35 * 86400))
clang -O1 -Wall -Wextra -shared -fPIC simulations/skew.c -o "$work/$part/skew.so"

# at SECONDS COMMAND…: with the wall clock so far from the machine's, timers as ever.
at() { env "LD_PRELOAD=$work/$part/skew.so" "AEGIS_SKEW_SECONDS=$1" "${@:2}"; }
start_at() {
    start_process "$2" env "LD_PRELOAD=$work/$part/skew.so" "AEGIS_SKEW_SECONDS=$1" "${@:3}"
}
start_node_at() { start_at "$1" "$2" "$programs/aegis-node" run --dir "$(node_dir "$2")"; }

renewals() { grep -c 'TLS key renewed' "$mesh_dir/logs/$1.log" || true; }
has_renewals() { [ "$(renewals "$1")" -ge "$2" ]; }

# Each round was decided, nobody had to take over, and at most two updates came too late.
no_round_is_dropped() {
    aegis run watch "$1" --output json | jq -se --argjson n "$2" '
        length == $n and all(.[]; .view == 0)
        and (map(4 - (.participants | length)) | add <= 2)' ||
        no "$(aegis run watch "$1" --output json | jq -c '[.round, .view, .participants]')"
}

small_mesh mesh north lakeside riverside south
for name in "${mesh_names[@]}"; do stop_process "$name"; done
start_node_at 600 north
start_node_at -600 lakeside
mesh_start_node riverside
start_node_at 300 south
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
    no_round_is_dropped "$run" $rounds

for name in "${mesh_names[@]}"; do stop_process "$name"; done
stop_process admin
start_at $month admin "$programs/aegis-admin" run --dir "$mesh_dir/admin"
# The admin's new certificate is of that month too.
aegis() { at $month "$programs/aegis" "$@"; }
wait_until 30 "the admin to answer" aegis mesh show
for name in "${mesh_names[@]}"; do start_node_at $month "$name"; done
check "all TLS keys and bindings expired meanwhile: every node starts, and is let in" \
    eventually 60 all_idle
run_file "$work/$part/later.yaml" later 5 1000
run=$(submit "$work/$part/later.yaml")
check "and rounds go on" eventually 60 run_is "$run" completed
