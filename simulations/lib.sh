# shellcheck shell=bash
# Shared by simulations/launch and simulations/demo: starts a mesh of real processes on loopback,
# waits for it with deadlines, and stops whatever it started, however the script ends.
#
# A mesh lives in one folder: admin/ and nodes/NAME/ belong to the programs, logs/NAME.log and
# pids/NAME to the scripts. Source this with `set -euo pipefail`, call `clean_up_on_exit` once, then
# the mesh_… functions.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
programs=${AEGIS_PROGRAMS:-$root/.build/release}
datasets=${AEGIS_DATASETS:-/usr/share/datasets}
readonly root programs datasets
mesh_dir=
mesh_names=()
next_port=7100
declare -A process_ids=()
declare -A node_ports=()
declare -A monitor_ports=()

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
    bold='' red='' green='' plain=''
fi

# --- What the user sees ---------------------------------------------------------------------------

step() { printf '%s\n' "${bold}$*${plain}"; }
note() { printf '  %s\n' "$*"; }
good() { printf '  %s\n' "${green}$*${plain}"; }

# Says what is wrong, and what can be done where a second argument says so; ends the script.
fail() {
    printf '%s\n' "${red}error: $1${plain}" >&2
    [ -z "${2:-}" ] || printf 'hint: %s\n' "$2" >&2
    exit 1
}

# The end of the logs of `names`, or of all.
show_logs() {
    local names=("$@") name
    [ $# -gt 0 ] || names=("${!process_ids[@]}")
    for name in "${names[@]}"; do
        [ -s "$mesh_dir/logs/$name.log" ] || continue
        printf -- '--- end of %s\n' "$mesh_dir/logs/$name.log" >&2
        tail -n 15 "$mesh_dir/logs/$name.log" >&2
    done
}

# Seconds with one decimal since `started`, a value of $EPOCHREALTIME.
seconds_since() {
    local now=${EPOCHREALTIME/[.,]/} then=${1/[.,]/}
    local tenths=$(((now - then) / 100000))
    printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}

# --- Processes ------------------------------------------------------------------------------------

# From here on the end of the script, Ctrl-C and SIGTERM stop every process it has started.
clean_up_on_exit() {
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
    trap stop_processes EXIT
}

# start_process NAME COMMAND…: in the background, with a log and a pid file. Dies with the script
# even where that is killed with SIGKILL, if the system has setpriv.
start_process() {
    local name=$1 with_parent=()
    shift
    if setpriv --pdeathsig TERM true 2>/dev/null; then
        with_parent=(setpriv --pdeathsig TERM --)
    fi
    "${with_parent[@]}" "$@" >>"$mesh_dir/logs/$name.log" 2>&1 </dev/null &
    process_ids[$name]=$!
    echo "$!" >"$mesh_dir/pids/$name"
}

is_running() { [ -n "${process_ids[$1]:-}" ] && kill -0 "${process_ids[$1]}" 2>/dev/null; }

# kill -9, and forget it.
kill_process() {
    kill -KILL "${process_ids[$1]}"
    wait "${process_ids[$1]}" 2>/dev/null || true
    unset "process_ids[$1]"
    rm -f "$mesh_dir/pids/$1"
}

# SIGTERM to all, SIGKILL after 10 s to those that are left.
stop_processes() {
    trap '' INT TERM HUP
    local name deadline=$((SECONDS + 10))
    for name in "${!process_ids[@]}"; do
        kill -TERM "${process_ids[$name]}" 2>/dev/null || true
    done
    for name in "${!process_ids[@]}"; do
        while is_running "$name" && [ $SECONDS -lt $deadline ]; do sleep 0.1; done
        if is_running "$name"; then
            echo "$name did not stop in 10 s: killed" >&2
            kill -KILL "${process_ids[$name]}" 2>/dev/null || true
        fi
        wait "${process_ids[$name]}" 2>/dev/null || true
        [ -z "$mesh_dir" ] || rm -f "$mesh_dir/pids/$name"
    done
    process_ids=()
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
}

# wait_until SECONDS WHAT COMMAND…: until the command succeeds; admin and nodes must live on.
wait_until() {
    local deadline=$((SECONDS + $1)) what=$2 name
    shift 2
    until "$@" >/dev/null 2>&1; do
        for name in "${!process_ids[@]}"; do
            [ "$name" = watch ] || is_running "$name" || {
                show_logs "$name"
                fail "$name ended while waiting for: $what"
            }
        done
        [ $SECONDS -lt $deadline ] || {
            show_logs
            fail "timed out waiting for: $what"
        }
        sleep 0.2
    done
}

# --- A mesh ---------------------------------------------------------------------------------------

# Picks the next port nobody listens on into $port.
take_port() {
    while (exec 3<>"/dev/tcp/127.0.0.1/$next_port") 2>/dev/null; do
        next_port=$((next_port + 1))
        [ $next_port -lt 65000 ] || fail "no free port"
    done
    port=$next_port
    next_port=$((next_port + 1))
}

check_programs() {
    local program
    for program in aegis aegis-admin aegis-node; do
        [ -x "$programs/$program" ] ||
            fail "there is no $programs/$program" "make build"
    done
    command -v jq >/dev/null || fail "jq is missing" "make setup"
}

# The client; finds the admin through AEGIS_CONTEXT, which mesh_start_admin sets.
aegis() { "$programs/aegis" "$@"; }

# Runs a command of a program, with its output in logs/setup.log; shows that where it fails.
quietly() {
    local log=$mesh_dir/logs/setup.log
    if ! "$@" >>"$log" 2>&1; then
        tail -n 15 "$log" >&2
        fail "failed: $(basename "$1") ${*:2:2}"
    fi
}

# mesh_create DIR: an empty folder for a mesh.
mesh_create() {
    if [ -d "$1" ] && [ -n "$(ls -A "$1")" ]; then
        fail "$1 is not empty" "name another folder with --dir"
    fi
    mkdir -p "$1/logs" "$1/pids" "$1/nodes"
    mesh_dir=$(cd "$1" && pwd)
    mesh_names=()
    node_ports=()
    monitor_ports=()
}

# mesh_start_admin MESH [OPTION…]: options are of `aegis-admin init`.
mesh_start_admin() {
    local port api
    take_port
    api=127.0.0.1:$port
    take_port
    admin_address=127.0.0.1:$port
    # Its output has the passphrase of the browser bundle: for the owner's eyes only.
    (umask 077 && : >"$mesh_dir/admin-init.txt")
    "$programs/aegis-admin" init --dir "$mesh_dir/admin" --mesh "$1" --api "$api" \
        --listen "$admin_address" "${@:2}" >>"$mesh_dir/admin-init.txt" 2>&1 || {
        tail -n 15 "$mesh_dir/admin-init.txt" >&2
        fail "aegis-admin init failed"
    }
    start_process admin "$programs/aegis-admin" run --dir "$mesh_dir/admin"
    export AEGIS_CONTEXT=$mesh_dir/admin/credentials/context.json
    wait_until 30 "the admin to answer" aegis mesh show
}

# mesh_join NAME: token, identity, membership.
mesh_join() {
    local name=$1 port token
    take_port
    monitor_ports[$name]=$port
    take_port
    node_ports[$name]=$port
    token=$(aegis token create --name "$name" --output json | jq -r .token)
    quietly "$programs/aegis-node" join --token "$token" --admin "$admin_address" \
        --dir "$mesh_dir/nodes/$name" --listen "127.0.0.1:$port" \
        --monitor "127.0.0.1:${monitor_ports[$name]}"
    mesh_names+=("$name")
}

# mesh_add_data NAME DATASET SLICE OF PARTITION EPSILON DELTA
mesh_add_data() {
    [ -d "$datasets/$2" ] || fail "there is no $datasets/$2" "make setup"
    quietly "$programs/aegis-node" dataset add --dir "$mesh_dir/nodes/$1" "$2" \
        --source "$datasets/$2" --slice "$3/$4" --partition "$5" --seed 1 \
        --budget-epsilon "$6" --budget-delta "$7"
}

mesh_start_node() { start_process "$1" "$programs/aegis-node" run --dir "$mesh_dir/nodes/$1"; }

all_idle() {
    aegis node list --output json | jq -e --argjson n "${#mesh_names[@]}" \
        '[.items[] | select(.reachable and .status.state == "idle")] | length == $n'
}

# Every founder signs the genesis; then all must say that they are idle.
mesh_found() {
    if ! aegis mesh found --timeout 60 >>"$mesh_dir/logs/setup.log" 2>&1; then
        tail -n 3 "$mesh_dir/logs/setup.log" >&2
        show_logs
        fail "the mesh could not be founded"
    fi
    wait_until 60 "every node to be idle" all_idle
}

# start_watch RUN…: `aegis run watch` in the background with this script's output, so that a signal
# to the script is never kept waiting for it.
start_watch() {
    "$programs/aegis" run watch "$@" &
    process_ids[watch]=$!
}

# Its exit status.
wait_for_watch() {
    local status=0
    wait "${process_ids[watch]}" || status=$?
    unset 'process_ids[watch]'
    return $status
}

# The most memory a running node has had, in MiB.
peak_memory() {
    awk '/^VmHWM:/ {printf "%.0f", $2 / 1024}' "/proc/${process_ids[$1]}/status" 2>/dev/null || true
}

# Prints where everything of the running mesh is.
mesh_describe() {
    local name
    step "The mesh is up: an admin and ${#mesh_names[@]} nodes in $mesh_dir"
    note "$(printf '%-12s %-8s %-22s %s' name pid address log)"
    note "$(printf '%-12s %-8s %-22s %s' admin "${process_ids[admin]}" "$admin_address" \
        "logs/admin.log")"
    for name in "${mesh_names[@]}"; do
        note "$(printf '%-12s %-8s %-22s %s' "$name" "${process_ids[$name]}" \
            "127.0.0.1:${node_ports[$name]}" "logs/$name.log")"
    done
    note ""
    note "talk to it:  export AEGIS_CONTEXT=$AEGIS_CONTEXT"
    note "             $programs/aegis node list"
}
