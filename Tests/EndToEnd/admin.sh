# shellcheck shell=bash
# The admin plane: a run by curl alone and one by the CLI alone, live events, the audit log read
# without the product's code, kills at any moment, a full disk, backup and restore.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly out=$work/$part

# call METHOD PATH [JSON] [CURL OPTION…]: with the first administrator's certificate.
call() {
    local method=$1 path=$2 body=${3:-} credentials=$mesh_dir/admin/credentials
    shift 2
    [ $# = 0 ] || shift
    local options=(--silent --show-error --max-time 20 -X "$method" --cacert "$credentials/ca.pem"
        --cert "$credentials/admin.pem" --key "$credentials/admin-key.pem")
    [ -z "$body" ] || options+=(-H 'content-type: application/json' -d "$body")
    curl "${options[@]}" "$@" "$api_url$path"
}

start_admin() { start_process admin "$programs/aegis-admin" run --dir "$mesh_dir/admin"; }

# A run of so many rounds without training, as JSON.
plan() {
    jq -nc --arg name "$1" --argjson rounds "$2" '{name: $name, dataset: "none", rounds: $rounds,
        model: {kind: "none", parameters: 1000}, participants_min: 2,
        deadlines: {soft: 0.3, hard: 5}}'
}

run_ended() { [ "$(call GET "/api/v1/runs/$1" | jq -r .state)" = completed ]; }

# --- Token to model by curl alone -----------------------------------------------------------------

mesh_create "$out/mesh"
mesh_start_admin curl "${quick_elections[@]}"
api_url=$(jq -r .url "$AEGIS_CONTEXT")
for name in north lakeside riverside; do
    take_port
    node_ports[$name]=$port
    token=$(call POST /api/v1/join-tokens "{\"name\": \"$name\"}" | jq -r .token)
    quietly "$programs/aegis-node" join --token "$token" --admin "$admin_address" \
        --dir "$(node_dir "$name")" --listen "127.0.0.1:$port"
    mesh_names+=("$name")
    mesh_start_node "$name"
done
call POST /api/v1/mesh/found '{}' >/dev/null
is_founded() { [ "$(call GET /api/v1/mesh | jq -r .state)" = founded ]; }
wait_until 60 "the founding" is_founded
wait_until 60 "every node to be idle" all_idle
call POST /api/v1/runs "$(plan by-curl 5)" -H 'idempotency-key: once' >"$out/first.json"
call POST /api/v1/runs "$(plan by-curl 5)" -H 'idempotency-key: once' >"$out/again.json"
# Ends by itself when the run is over.
call GET /api/v1/runs/by-curl/events '' -N --max-time 60 >"$out/events.txt"
call GET /api/v1/runs/by-curl/events '' -N -H 'last-event-id: 3' >"$out/resumed.txt"
call GET /api/v1/runs/by-curl/model '' -o "$out/model.safetensors"
call GET /api/v1/runs/by-curl/evidence '' -o "$out/evidence.tar"

curl_run() {
    cmp "$out/first.json" "$out/again.json"
    run_ended by-curl
    equal "sha256:$(sha256sum <"$out/model.safetensors" | cut -d' ' -f1)" \
        "$(call GET /api/v1/runs/by-curl | jq -r .model)" "model"
    tar -xf "$out/evidence.tar" -C "$out"
    cmp "$out/model.safetensors" "$out/by-curl/model.safetensors"
    equal "$(jq length "$out/by-curl/rounds.json")" 5 rounds
    [ -s "$out/by-curl/genesis.cbor" ] && [ -s "$out/by-curl/certificates/1.cbor" ] ||
        no "no evidence"
}
events() {
    equal "$(grep -c '^event: end' "$out/events.txt")" 1 ends
    equal "$(grep '^id: ' "$out/events.txt" | sort -u | tr -d '\n')" 'id: 1id: 2id: 3id: 4id: 5' ids
    equal "$(grep '^id: ' "$out/resumed.txt" | sort -u | tr -d '\n')" 'id: 4id: 5' "resumed ids"
}
check "a run from token to model by curl alone, its creation repeated without harm" curl_run
check "its event stream has every round once, and goes on after Last-Event-ID" events

# --- By the CLI alone -----------------------------------------------------------------------------

export XDG_CONFIG_HOME=$out/config
readonly first_context=$AEGIS_CONTEXT
cli_run() {
    unset AEGIS_CONTEXT
    aegis context add here "$first_context"
    aegis user create olga --role operator --to "$out/olga"
    aegis context add olga "$out/olga/context.json"
    aegis context use olga
    aegis whoami | grep -q 'olga  operator'
    plan by-cli 3 >"$out/by-cli.json"
    aegis run submit "$out/by-cli.json" --draft
    equal "$(aegis run show by-cli --output json | jq -r .state)" draft state
    aegis run start by-cli
    aegis run watch by-cli
    aegis run export by-cli --to "$out/by-cli"
    aegis run list --output yaml | grep -q 'name: by-cli'
    aegis preflight --dir "$out"
    aegis completion bash | bash -n
    [ -s "$out/by-cli/model.safetensors" ] || no "no model"
}
shut_out() {
    unset AEGIS_CONTEXT
    aegis --help >/dev/null
    aegis user disable olga --context here
    local status=0
    aegis run list --context olga || status=$?
    equal "$status" 77 "exit status of a disabled user"
    aegis user enable olga --context here
    aegis run list --context olga
}
check "a run from draft to model by the CLI alone, as an operator made by it" cli_run
check "a disabled user is shut out at once, and back when enabled" shut_out

# --- The audit log, by other people's SHA-256 -----------------------------------------------------

audit_by_hand() {
    aegis audit export --to "$out/audit.jsonl"
    equal "$(python3 "$here/audit_chain.py" <"$out/audit.jsonl")" \
        "$(aegis audit head | cut -d' ' -f2)" head
    aegis audit verify "$out/audit.jsonl" --head "$(aegis audit head | cut -d' ' -f2)"
    eventually 10 files_have_it
}
files_have_it() { cat "$mesh_dir"/admin/audit/*.jsonl | cmp - "$out/audit.jsonl"; }
audit_altered() {
    local status=0
    sed '3s/"actor":"[a-z]*"/"actor":"nobody"/' "$out/audit.jsonl" >"$out/altered.jsonl"
    aegis audit verify "$out/altered.jsonl" >"$out/finding.txt" || status=$?
    equal "$status" 1 "exit status"
    contains "$out/finding.txt" 'record 3 was changed'
    status=0
    head -n 4 "$out/audit.jsonl" >"$out/cut.jsonl"
    aegis audit verify "$out/cut.jsonl" --head "$(aegis audit head | cut -d' ' -f2)" || status=$?
    equal "$status" 1 "exit status for a log whose end is gone"
}
check "the exported audit log is a chain for sha256sum's kind too, and its files are it" \
    audit_by_hand
check "an altered record is named, and a log that was cut is found out" audit_altered

# --- Kills, a backup, a full disk -----------------------------------------------------------------

# Registers data sets until the admin dies under it; what was accepted is in accepted.txt.
register() {
    local number
    for number in $(seq 1 400); do
        call POST /api/v1/datasets "{\"name\": \"k$1-$number\"}" -o /dev/null -w '%{http_code}\n' \
            2>/dev/null | grep -q 201 || return 0
        echo "k$1-$number" >>"$out/accepted.txt"
    done
}
: >"$out/accepted.txt"
for kill in 1 2 3; do
    register $kill &
    registering=$!
    sleep_ms $((RANDOM % 900 + 300))
    kill_process admin
    wait $registering
    start_admin
    wait_until 30 "the admin to answer" aegis mesh show
done
nothing_lost() {
    aegis dataset list --output json | jq -r '.items[].name' | sort >"$out/kept.txt"
    sort "$out/accepted.txt" | comm -23 - "$out/kept.txt" >"$out/lost.txt"
    [ ! -s "$out/lost.txt" ] || no "lost: $(cat "$out/lost.txt")"
    aegis audit export --to "$out/after.jsonl"
    aegis audit verify "$out/after.jsonl"
    # Each data set that is there has its record.
    equal "$(grep -c '"POST /api/v1/datasets".*"outcome":"done"' "$out/after.jsonl")" \
        "$(grep -c '^k' "$out/kept.txt")" "records of data sets"
}
check "killed three times, the admin lost none of $(wc -l <"$out/accepted.txt") accepted requests" \
    nothing_lost

backup() {
    "$programs/aegis-admin" backup --dir "$mesh_dir/admin" --to "$out/backup"
    "$programs/aegis-admin" restore --from "$out/backup" --dir "$out/restored"
    cmp "$mesh_dir/admin/identity.key" "$out/restored/identity.key"
    printf 'x' >>"$out/backup/admin.json"
    refused_with 'not what was backed up' \
        "$programs/aegis-admin" restore --from "$out/backup" --dir "$out/second"
    [ ! -e "$out/second" ] || no "a folder of a bad backup"
}
check "a backup of the running admin is restored, an altered one is refused" backup

full_disk() {
    local status=0
    api_url=$1
    eventually 20 call GET /api/v1/health
    dd if=/dev/zero of="$out/small/filler" bs=64k status=none 2>/dev/null || true
    for _ in $(seq 1 200); do
        status=$(call POST /api/v1/datasets "{\"name\": \"full-$RANDOM\"}" -o "$out/full.json" \
            -w '%{http_code}')
        [ "$status" = 201 ] || break
    done
    equal "$status" 507 status
    equal "$(jq -r .type "$out/full.json")" urn:aegis:problem:storage-full type
    rm "$out/small/filler"
    equal "$(call POST /api/v1/datasets '{"name": "room"}' -o /dev/null -w '%{http_code}')" 201
    call GET /api/v1/audit/verification | jq -e .intact
}
mkdir -p "$out/small"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=6m tmpfs "$out/small" 2>/dev/null; then
    cp -r "$out/restored" "$out/small/admin"
    take_port
    small_api=127.0.0.1:$port
    take_port
    start_process small "$programs/aegis-admin" run --dir "$out/small/admin" --api "$small_api" \
        --listen "127.0.0.1:$port"
    check "a full disk gives 507 with a reason, and nothing is half-written" \
        full_disk "https://$small_api"
    kill_process small
    umount "$out/small"
else
    echo "skipped the full disk: no small file system can be mounted here (it takes root)"
fi

unset AEGIS_CONTEXT
AEGIS_CONTEXT=$first_context
export AEGIS_CONTEXT
stop_all_nodes
check "everything stops cleanly" check_stops
