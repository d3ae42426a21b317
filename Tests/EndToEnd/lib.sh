# shellcheck shell=bash
# Shared by the parts: each is a script of its own that starts what it needs, says `ok` or `FAILED`
# for each check, and leaves nothing running. Tests/EndToEnd/run calls them, with $AEGIS_E2E_WORK.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=simulations/lib.sh
source "$here/../../simulations/lib.sh"

work=${AEGIS_E2E_WORK:?run Tests/EndToEnd/run}
part=$(basename "$0" .sh)
checks=0
readonly here work part
RANDOM=${AEGIS_E2E_SEED:?}

mkdir -p "$work/$part"
clean_up_on_exit
check_programs

passed() {
    echo "$part" >>"$work/passed"
    echo "ok      $1"
}

# failed WHAT WHERE
failed() {
    echo "$part: $1" >>"$work/failed"
    echo "FAILED  $1 (see $2)"
}

# check WHAT COMMAND…: one line; the command's output is kept for a failure. It runs in a subshell
# that ends at the first error, so it can look, but not start or stop anything.
check() {
    local what=$1 status log
    shift
    checks=$((checks + 1))
    log=$work/$part/check-$checks.log
    set +e
    (
        set -euo pipefail
        "$@"
    ) >"$log" 2>&1
    status=$?
    set -e
    if [ $status = 0 ]; then passed "$what"; else failed "$what" "$log"; fi
}

# Says why a check fails.
no() {
    echo "$*" >&2
    exit 1
}

# equal VALUE PATTERN [WHAT]
equal() {
    # shellcheck disable=SC2053
    [[ $1 == $2 ]] || no "${3:-value}: '$1', expected '$2'"
}
at_most() { [ "$1" -le "$2" ] || no "${3:-value}: $1, expected at most $2"; }
at_least() { [ "$1" -ge "$2" ] || no "${3:-value}: $1, expected at least $2"; }
contains() { grep -qiE -- "$2" "$1" || no "$(cat "$1")"$'\n'"--- does not match: $2"; }

# refused_with PATTERN COMMAND…: ends by itself, with an exit status that says so, an error that
# matches the pattern, and a hint.
refused_with() {
    local pattern=$1 status=0 output
    shift
    output=$work/$part/refused-$BASHPID.txt
    timeout 20 "$@" >"$output" 2>&1 </dev/null || status=$?
    cat "$output"
    [ $status != 0 ] || no "it was accepted"
    [ $status != 124 ] || no "it did not end"
    [ $status -lt 128 ] || no "it crashed: exit status $status"
    contains "$output" "error: .*($pattern)"
    contains "$output" 'hint: '
}

# evidence COMMAND…: what a stopped node has left on its disk, read without the product's code.
evidence() { python3 "$here/evidence.py" "$@"; }

node_dir() { echo "$mesh_dir/nodes/$1"; }

# So that a dead coordinator costs little.
quick_elections=(--view-timeout-ms 500)
readonly quick_elections

# small_mesh FOLDER NAME…: an admin and founders without data, founded and idle.
small_mesh() {
    local folder=$1 name
    shift
    mesh_create "$work/$part/$folder"
    mesh_start_admin "$folder" "${quick_elections[@]}"
    for name in "$@"; do
        mesh_join "$name"
        mesh_start_node "$name"
    done
    mesh_found
}

# run_file FILE NAME ROUNDS PARAMETERS: a run without training.
run_file() {
    cat >"$1" <<END
name: $2
dataset: none
model: {kind: none, parameters: $4}
rounds: $3
participants_min: 2
aggregation: {rule: mean, update_norm_max: 100000}
deadlines: {soft: 0.3, hard: 5}
END
}

submit() { aegis run submit "$1" --output json | jq -r .id; }

state_of_run() { aegis run show "$1" --output json | jq -r .state; }

run_is() { [ "$(state_of_run "$1")" = "$2" ]; }

rounds_committed() { aegis run show "$1" --output json | jq -r .rounds_committed; }

has_rounds() { [ "$(rounds_committed "$1")" -ge "$2" ]; }

height_of() {
    aegis node list --output json |
        jq -r --arg name "$1" '.items[] | select(.name == $name) | .status.height // 0'
}

top_height() { aegis node list --output json | jq '[.items[].status.height // 0] | max'; }

# is_reachable NAME SINCE: the admin has had its answer since then.
is_reachable() {
    aegis node list --output json | jq -e --arg name "$1" --arg since "$2" '
        .items[] | select(.name == $name) | .reachable and .last_seen > $since'
}

higher_than() { [ "$(top_height)" -gt "$1" ]; }

at_one_height() {
    aegis node list --output json | jq -e --argjson n "${#mesh_names[@]}" '
        [.items[] | select(.reachable and .status.state == "idle") | .status.height]
        | length == $n and (unique | length == 1)'
}

# After the end of a run: nothing is left for the mesh to decide.
audit_is_signed() { aegis audit head --output json | jq -e '.witnessed.sequence == .sequence'; }

# take_ports NAME: for a node that joins later, or elsewhere.
take_ports() {
    take_port
    node_ports[$1]=$port
    take_port
    monitor_ports[$1]=$port
}

# What a node's plain listener says of its readiness.
# join_live NAME TOKEN PEER: into a mesh that runs, on the ports that take_ports has found.
join_live() {
    "$programs/aegis-node" join --token "$2" --peer "127.0.0.1:${node_ports[$3]}" \
        --dir "$(node_dir "$1")" --listen "127.0.0.1:${node_ports[$1]}" \
        --monitor "127.0.0.1:${monitor_ports[$1]}"
}

ready_of() { curl --silent --max-time 3 "http://127.0.0.1:${monitor_ports[$1]}/readyz"; }
says() { ready_of "$1" | grep -q "$2"; }

serves() { (exec 3<>"/dev/tcp/127.0.0.1/${node_ports[$1]}") 2>/dev/null; }

# SIGTERM, and wait. Its exit status, and in $stop_seconds how long it took.
stop_process() {
    local status=0 began=$EPOCHREALTIME
    kill -TERM "${process_ids[$1]}"
    wait "${process_ids[$1]}" || status=$?
    # shellcheck disable=SC2034
    stop_seconds=$(seconds_since "$began")
    unset "process_ids[$1]"
    rm -f "$mesh_dir/pids/$1"
    return $status
}

# One after another, so that the last ones have peers that are gone. In $bad_stops those that took
# 5 s or more, or ended with another status than 0.
stop_all_nodes() {
    local name status
    bad_stops=''
    for name in "${mesh_names[@]}"; do
        status=0
        stop_process "$name" || status=$?
        [ $status = 0 ] && [ "${stop_seconds%.*}" -lt 5 ] ||
            bad_stops+=" $name: status $status after $stop_seconds s"
    done
}

check_stops() { [ -z "$bad_stops" ] || no "$bad_stops"; }

# eventually SECONDS COMMAND…: it succeeds before that.
eventually() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >"$work/$part/eventually.txt" 2>&1; do
        [ $SECONDS -lt $deadline ] || {
            cat "$work/$part/eventually.txt"
            no "not within the time: $*"
        }
        sleep 0.2
    done
}

sleep_ms() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }

# check_directory NAME: `aegis-node check` verifies everything a stopped node has.
check_directory() {
    "$programs/aegis-node" check --dir "$(node_dir "$1")" --output json >"$work/$part/check-$1.json"
    cat "$work/$part/check-$1.json"
    jq -e '.faults == []' "$work/$part/check-$1.json"
}

has_check_command() {
    "$programs/aegis-node" help check 2>/dev/null | grep -q 'USAGE: aegis-node check'
}
