# shellcheck shell=bash
# What probes and scrapers see of a node, and a new TLS key without a restart.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

monitored() { curl --silent --max-time 5 "http://127.0.0.1:${monitor_ports[$1]}$2"; }

status_of() {
    curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' "${@:2}" \
        "http://127.0.0.1:${monitor_ports[north]}$1"
}

status_is() { equal "$(status_of "$1")" "$2" "HTTP status of $1"; }

metric() { monitored north /metrics | awk -v name="$1" '$1 == name {print $2}'; }

scraped() {
    monitored north /metrics >"$work/$part/metrics"
    contains "$work/$part/metrics" '^# TYPE aegis_height gauge$'
    contains "$work/$part/metrics" '^aegis_node_info\{name="north",version="[^"]+"\} 1$'
    at_least "$(metric aegis_participants)" 3 participants
    at_least "$(metric process_resident_memory_bytes)" 1000000 memory
    # Every line is a comment or a sample.
    ! grep -vE '^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[^}]*\})? [-+0-9.eInfNa]+)$' \
        "$work/$part/metrics" || no "not the exposition format"
}

is_not_ready() { [ "$(status_of /readyz)" = 503 ]; }

names_who_is_away() {
    monitored north /readyz |
        grep -qE '^not ready: reaches 1 of 3, needs 2; away: .*lakeside \('
}

# The leaf a node presents now.
leaf_of() {
    { openssl s_client -connect "127.0.0.1:${node_ports[$1]}" </dev/null 2>/dev/null || true; } |
        openssl x509 -noout -fingerprint -sha256
}

other_leaf() { [ "$(leaf_of north)" != "$1" ]; }

small_mesh monitor north lakeside riverside
run_file "$work/$part/run.yaml" short 3 1000
run=$(submit "$work/$part/run.yaml")
wait_until 30 "the run to end" run_is "$run" completed

check "a node is healthy" status_is /healthz 200
check "a node among its peers is ready" status_is /readyz 200
check "its metrics are in Prometheus' format" scraped
check "it has other paths for nobody" status_is /mesh/v1/status 404
check "it takes no other methods" equal "$(status_of /healthz --request POST)" 405

leaf=$(leaf_of north)
kill -HUP "${process_ids[north]}"
check "SIGHUP gives it a new TLS key" eventually 5 other_leaf "$leaf"
run_file "$work/$part/after.yaml" after 3 1000
run=$(submit "$work/$part/after.yaml")
check "and its peers go on with it" eventually 30 run_is "$run" completed

stop_process lakeside
stop_process riverside
run_file "$work/$part/away.yaml" away 3 1000
submit "$work/$part/away.yaml" >/dev/null
check "a node without a quorum says within 5 s that it is not ready" eventually 5 is_not_ready
check "and who is away" names_who_is_away
check "it is still healthy" status_is /healthz 200
