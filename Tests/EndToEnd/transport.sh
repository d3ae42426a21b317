# shellcheck shell=bash
# Who can talk to a node and to the admin, tried with OpenSSL and curl: everything but a member's
# own certificate ends before any HTTP. Forged leaves are made by forge.py.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# forge NAME DIR [OPTION…]: leaf NAME with the identity in DIR, for this mesh.
forge() {
    local name=$1 directory=$2
    shift 2
    python3 "$here/forge.py" "$directory" "$leaves/$name" --mesh "$mesh" "$@"
}

# mesh_get PATH CURL-OPTION…: from lakeside's mesh port; prints the HTTP status, 000 without one.
mesh_get() {
    local path=$1
    shift
    curl --silent --show-error --insecure --max-time 10 --path-as-is --tlsv1.3 \
        --output "$served" --write-out '%{http_code}' \
        "$@" "https://127.0.0.1:${node_ports[lakeside]}$path" || true
}

as_leaf() { mesh_get "$2" --cert "$leaves/$1.pem"; }

no_http() {
    local status
    status=$(mesh_get /mesh/v1/status "$@")
    equal "$status" 000 "HTTP status"
}

refusals_of_lakeside() {
    local log=$mesh_dir/logs/lakeside.log
    jq -r 'select(.msg == "connection refused") | .reason' "$log" || cat "$log"
}

# leaf_refused NAME REASON: without HTTP, and the node's log says why.
leaf_refused() {
    no_http --cert "$leaves/$1.pem"
    refusals_of_lakeside >"$work/$part/reasons"
    contains "$work/$part/reasons" "$2"
}

# The same with OpenSSL's client, which sends a request if it gets that far.
openssl_refused() {
    local answer
    answer=$({
        printf 'GET /mesh/v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
        sleep 0.7
    } | timeout 10 openssl s_client -connect "127.0.0.1:${node_ports[lakeside]}" -quiet \
        -no_ign_eof "$@" 2>&1) || true
    printf '%s\n' "$answer"
    ! grep -qaE '^HTTP/1' <<<"$answer" || no "there was an answer"
    grep -qaE 'alert|error:|EOF' <<<"$answer" || no "there was no refusal"
}

# The same as above with a member's leaf: the check could fail.
openssl_admitted() { ! (openssl_refused "$@") || no "a member's leaf was refused too"; }

member_is_served() {
    equal "$(as_leaf spare /mesh/v1/status)" 200 "HTTP status"
    equal "$(jq -r .name "$served")" lakeside "the answering node"
}

# Nothing of the directory is served but commits and blobs, under any spelling of a path.
no_files_are_served() {
    local path
    for path in /identity.key /mesh/v1/identity.key /mesh/v1/blobs/identity.key \
        /mesh/v1/blobs/../identity.key /mesh/v1/blobs/..%2fidentity.key \
        /mesh/v1/blobs/sha256:../identity.key /mesh/v1/../../identity.key /node.sqlite /journal; do
        served=$work/$part/served-$((++count)).bin
        : >"$served"
        case $(as_leaf spare "$path") in
        400 | 404) ;;
        *) no "$path was answered" ;;
        esac
    done
}
count=0

# What a member can fetch, what the others keep, all logs: the secret key is in none of it.
secret_is_nowhere_else() {
    local path name others=()
    for path in '/mesh/v1/status' '/mesh/v1/commits?from=1&count=16'; do
        served=$work/$part/served-$((++count)).bin
        equal "$(as_leaf spare "$path")" 200 "HTTP status of $path"
    done
    for name in "${mesh_names[@]}"; do
        [ "$name" = lakeside ] || others+=("$(node_dir "$name")")
    done
    evidence secrets "$(node_dir lakeside)" "$work/$part"/served-*.bin "$mesh_dir/logs" \
        "$mesh_dir/admin" "${others[@]}"
    # The search would find it.
    ! evidence secrets "$(node_dir lakeside)" "$(node_dir lakeside)" ||
        no "the search does not find the key in its own file"
}

# A server in a member's place gets a request only with that member's own leaf.
# server_gets LEAF: how many requests it gets from the admin and from the nodes, which are busy with
# a run and have just heard that this member is back.
server_gets() {
    local log=$work/$part/server-$1.log pid name
    openssl s_server -accept "127.0.0.1:${node_ports[spare]}" -tls1_3 -cert "$leaves/$1.pem" \
        -verify 1 -alpn http/1.1 >"$log" 2>&1 < <(exec sleep 20) &
    pid=$!
    sleep 0.2
    for name in north lakeside riverside; do
        printf '\x80' | curl --silent --insecure --max-time 5 --cert "$leaves/spare.pem" \
            --header 'content-type: application/cbor' --data-binary @- \
            --write-out '%{http_code}\n' \
            "https://127.0.0.1:${node_ports[$name]}/mesh/v1/statements"
    done
    sleep 1.5
    kill $pid
    wait $pid || true
    grep -caE '^(GET|HEAD|POST) /mesh/v1/' "$log" || true
}

impostor_gets_nothing() {
    local requests
    requests=$(server_gets "$1" | tail -n 1)
    equal "$requests" 0 "requests to the impostor"
    # They did connect, and ended it.
    contains "$work/$part/server-$1.log" 'alert|error'
}

member_gets_requests() { at_least "$(server_gets spare | tail -n 1)" 1 "requests to the member"; }

# --- The admin's API ------------------------------------------------------------------------------

# api METHOD PATH STATUS CURL-OPTION…: the body is in $work/api.json.
api() {
    local method=$1 path=$2 expected=$3 status
    shift 3
    status=$(curl --silent --show-error --max-time 10 --request "$method" \
        --cacert "$credentials/ca.pem" --dump-header "$work/$part/api-headers.txt" \
        --output "$work/$part/api.json" --write-out '%{http_code}' "$@" "$api_url$path") || true
    [ ! -s "$work/$part/api.json" ] || cat "$work/$part/api.json"
    equal "$status" "$expected" "HTTP status"
}

as_admin=()

unknown_route() {
    api GET /api/v1/nothing 404 "${as_admin[@]}"
    contains "$work/$part/api-headers.txt" '^content-type: application/problem\+json'
    jq -e '.status == 404 and (.type | startswith("urn:aegis:problem:"))' "$work/$part/api.json"
}

all_faults_at_once() {
    local field
    api POST /api/v1/runs "4[0-9][0-9]" "${as_admin[@]}" --header 'content-type: application/json' \
        --data '{"name": "Not A Name!", "dataset": "none", "rounds": 0, "participants_min": 999,
            "model": {"kind": "none", "parameters": -1}, "surprise": 1,
            "aggregation": {"rule": "mean", "update_norm_max": 1e9},
            "deadlines": {"soft": 0, "hard": 1e9}}' 
    for field in name rounds participants_min model.parameters surprise \
        aggregation.update_norm_max deadlines.soft deadlines.hard; do
        grep -qF "$field" "$work/$part/api.json" || no "no word of $field"
    done
}

# --------------------------------------------------------------------------------------------------

# A node that has joined another mesh.
mesh_create "$work/$part/other"
mesh_start_admin other
mesh_join stranger
other_mesh=$(aegis mesh show --output json | jq -r .mesh)
stranger=$(node_dir stranger)
other_credentials=$mesh_dir/admin/credentials
stop_processes

small_mesh mesh north lakeside riverside spare
mesh=$(aegis mesh show --output json | jq -r .mesh)
credentials=$mesh_dir/admin/credentials
api_url=$(jq -r .url "$AEGIS_CONTEXT")
as_admin=(--cert "$credentials/admin.pem" --key "$credentials/admin-key.pem")
leaves=$work/$part/leaves
served=$work/$part/answer.bin
mkdir "$leaves"
# Its identity is used below, so it must not use it itself. Three of four are a quorum.
stop_process spare || true
spare=$(node_dir spare)

id_of() {
    aegis node list --output json |
        jq -r --arg name "$1" '.items[] | select(.name == $name) | .node'
}
north=$(id_of north)
now=$(date +%s%3N)
openssl s_client -connect "127.0.0.1:${node_ports[north]}" </dev/null 2>/dev/null |
    openssl x509 -outform DER -out "$leaves/of-north.der" || true
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=self \
    -keyout "$leaves/self.pem" -out "$leaves/self.crt" 2>/dev/null
cat "$leaves/self.crt" >>"$leaves/self.pem"
forge spare "$spare" --sequence $((now + 1000))
forge stale "$spare" --sequence $((now - 1000000))
forge conflicting "$spare" --sequence $((now + 1000))
forge expired "$spare" --age 7200
forge damaged "$spare" --damage
forge stolen "$stranger" --name "$north" --binding-of "$leaves/of-north.der"
forge claiming "$stranger" --name "$north"
forge renamed "$spare" --host "$north"
forge unknown "$stranger"
python3 "$here/forge.py" "$stranger" "$leaves/foreign" --mesh "$other_mesh"

check "a member's own leaf is served (so the refusals below mean something)" member_is_served
check "no client certificate: refused" no_http
check "a self-signed client certificate: refused" leaf_refused self missingBinding
check "the administrator's certificate is no node's: refused" no_http "${as_admin[@]}"
check "TLS 1.2 with a member's leaf: refused" no_http --cert "$leaves/spare.pem" --tls-max 1.2 \
    --tlsv1.2
check "a node of another mesh: refused" leaf_refused foreign otherMesh
check "a key that is in no roster: refused" leaf_refused unknown notInRoster
check "a member's binding around another TLS key: refused" leaf_refused stolen foreignBinding
check "a binding that names another node: refused" leaf_refused claiming anotherIdentity
check "a leaf that names another node: refused" leaf_refused renamed anotherIdentity
check "an older binding than was seen: refused" leaf_refused stale staleBinding
check "a second TLS key under one sequence number: refused" leaf_refused conflicting \
    conflictingBinding
check "an expired binding: refused" leaf_refused expired expired
check "a damaged binding: refused" leaf_refused damaged badBindingSignature
check "openssl s_client without a certificate: refused" openssl_refused
check "openssl s_client, self-signed: refused" openssl_refused -cert "$leaves/self.pem" \
    -key "$leaves/self.pem"
check "openssl s_client, TLS 1.2: refused" openssl_refused -tls1_2 -cert "$leaves/spare.pem" \
    -key "$leaves/spare.pem"
check "openssl s_client with a member's leaf: served" openssl_admitted \
    -cert "$leaves/spare.pem" -key "$leaves/spare.pem"
run_file "$work/$part/long.yaml" long 100000 100
run=$(submit "$work/$part/long.yaml")
wait_until 20 "the first rounds" has_rounds "$run" 2
check "a server in a member's place with a foreign leaf gets no request" impostor_gets_nothing \
    foreign
check "a server in a member's place with a stolen binding gets no request" impostor_gets_nothing \
    stolen
check "with the member's own leaf it does" member_gets_requests
aegis run stop "$run" >/dev/null
check "no file of the node is served" no_files_are_served
check "the secret key is in nothing that is served, kept by others or logged" \
    secret_is_nowhere_else

check "API: the admin's certificate is served" api GET /api/v1/runs 200 "${as_admin[@]}"
check "API: no certificate: refused" api GET /api/v1/runs 000
check "API: a certificate of another mesh's CA: refused" api GET /api/v1/runs 000 \
    --cert "$other_credentials/admin.pem" --key "$other_credentials/admin-key.pem"
check "API: a node's certificate: refused" api GET /api/v1/runs 000 --cert "$leaves/spare.pem"
check "API: TLS 1.2: refused" api GET /api/v1/runs 000 "${as_admin[@]}" --tls-max 1.2
check "API: an unknown route is 404, problem+json" unknown_route
check "API: all faults of a run at once" all_faults_at_once
