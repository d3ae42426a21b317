# shellcheck shell=bash
# Stopping, starting again, two processes on one directory, taken ports, and an idle node's memory.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly idle_kib_max=$((40 * 1024))

memory_kib() { awk -v field="$2:" '$1 == field {print $2}' "/proc/${process_ids[$1]}/status"; }

idle_memory() {
    local name
    for name in "${mesh_names[@]}"; do
        grep -E '^(VmHWM|VmRSS|RssAnon|RssFile)' "/proc/${process_ids[$name]}/status"
        at_most "$(memory_kib "$name" VmRSS)" $idle_kib_max "$name: resident KiB while idle"
    done
}

# largest FIELD: of all nodes, in MiB.
largest() {
    local name
    for name in "${mesh_names[@]}"; do memory_kib "$name" "$1"; done |
        sort -n | awk 'END {printf "%.1f", $1 / 1024}'
}

# stops NAME: in $stop_seconds, with the status in $stop_status.
stops() {
    stop_status=0
    stop_process "$1" || stop_status=$?
}

stopped_well() {
    equal "$stop_status" 0 "exit status"
    at_most "${stop_seconds%.*}" 4 "seconds"
    contains "$mesh_dir/logs/$1.log" '"msg":"(stopped|admin stopped)"'
    ! grep -E '"level":"(error|critical)"|error:' "$mesh_dir/logs/$1.log" || no "errors at the stop"
}

second_is_refused() {
    refused_with "process ${process_ids[north]}\b|pid ${process_ids[north]}\b" \
        "$programs/aegis-node" run --dir "$(node_dir north)"
    kill -0 "${process_ids[north]}"
    serves north
}

# fails_with PATTERN COMMAND…: like refused_with, where no hint is asked for.
port_is_taken() {
    refused_with "${1//./\\.}|in use|taken" "${@:2}"
    contains "$work/$part/refused-$BASHPID.txt" "$1"
}

small_mesh mesh north lakeside riverside
resident="resident $(largest VmRSS) MiB, $(largest VmHWM) while it started"
check "an idle node has at most $((idle_kib_max / 1024)) MiB ($resident)" idle_memory
check "a second process on a node's directory is refused, and names the first" second_is_refused

stops north
check "SIGTERM stops an idle node in $stop_seconds s with exit 0" stopped_well north
# Somebody else listens there.
start_process squatter openssl s_server -accept "127.0.0.1:${node_ports[north]}" -nocert -quiet \
    -cipher aNULL
wait_until 5 "the squatter to listen" serves north
check "a node whose port is taken says so" port_is_taken "127.0.0.1:${node_ports[north]}" \
    "$programs/aegis-node" run --dir "$(node_dir north)"
stops squatter
api=$(jq -r '.url | sub("https://"; "")' "$AEGIS_CONTEXT")
"$programs/aegis-admin" init --dir "$work/$part/second" --mesh second --api "$api" \
    --listen 127.0.0.1:7990 >/dev/null
check "an admin whose API port is taken says so" port_is_taken "$api" \
    "$programs/aegis-admin" run --dir "$work/$part/second"
check "an admin whose mesh port is taken says so" port_is_taken "$admin_address" \
    "$programs/aegis-admin" run --dir "$work/$part/second" --api 127.0.0.1:7990 \
    --listen "$admin_address"
check "an admin folder is never overwritten" refused_with 'exists' \
    "$programs/aegis-admin" init --dir "$mesh_dir/admin" --mesh again

mesh_start_node north
check "it serves again" eventually 10 is_reachable north "$(date -u +%FT%T.%3NZ)"

run_file "$work/$part/run.yaml" long 100000 1000
run=$(submit "$work/$part/run.yaml")
wait_until 20 "the first rounds" has_rounds "$run" 3
stops north
check "SIGTERM stops a node in the middle of a run in $stop_seconds s with exit 0" \
    stopped_well north
before=$(rounds_committed "$run")
mesh_start_node north
check "the run goes on with it" eventually 20 has_rounds "$run" $((before + 10))

stops admin
check "SIGTERM stops the admin in $stop_seconds s with exit 0" stopped_well admin
height=$(evidence tip "$(node_dir lakeside)" | jq .height)
sleep 1
check "the nodes go on without the admin" at_least \
    "$(evidence tip "$(node_dir lakeside)" | jq .height)" $((height + 3)) height
start_process admin "$programs/aegis-admin" run --dir "$mesh_dir/admin"
wait_until 20 "the admin to answer" aegis mesh show
check "started again, the admin follows them" eventually 10 higher_than "$height"
