# shellcheck shell=bash
# Certificates of organisations' authorities as an additional requirement, made with OpenSSL: they
# keep members out whose certificate is missing, expired or of a wrong authority, and let nobody in.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# authority NAME
authority() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$pki/$1.key" 2>/dev/null
    openssl req -x509 -new -key "$pki/$1.key" -subj "/CN=$1" -days 3650 -out "$pki/$1.pem"
}

# certify NODE AUTHORITY [OPTION…]: over the node's identity key, as docs/OPERATIONS.md has it.
certify() {
    local node=$1 authority=$2
    shift 2
    [ $# -gt 0 ] || set -- -days 365
    "$programs/aegis-node" identity --dir "$(node_dir "$node")" >"$pki/$node.pub"
    openssl x509 -new -force_pubkey "$pki/$node.pub" -subj "/CN=$node" -CA "$pki/$authority.pem" \
        -CAkey "$pki/$authority.key" "$@" -out "$pki/$node.pem"
}

# One that was good until a year ago.
certify_expired() {
    # The identity key as OpenSSL takes one: PKCS#8 around the seed.
    {
        printf '\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20'
        tail -c +43 "$(node_dir "$1")/identity.key" | head -c 32
    } | openssl pkey -inform der -out "$pki/$1.key"
    openssl req -new -key "$pki/$1.key" -subj "/CN=$1" -out "$pki/$1.csr"
    : >"$pki/index"
    echo 01 >"$pki/serial"
    cat >"$pki/ca.conf" <<END
[ca]
default_ca = it
[it]
database = $pki/index
serial = $pki/serial
new_certs_dir = $pki
default_md = sha256
policy = any
[any]
commonName = supplied
END
    openssl ca -batch -config "$pki/ca.conf" -cert "$pki/$2.pem" -keyfile "$pki/$2.key" \
        -in "$pki/$1.csr" -startdate 20240101000000Z -enddate 20250101000000Z -notext \
        -out "$pki/$1.pem" 2>/dev/null
}

# requires NODE [CERTIFICATE]: its node.yaml.
requires() {
    local yaml
    yaml=$(node_dir "$1")/node.yaml
    sed -i '/^tls:/,$d' "$yaml"
    printf 'tls:\n  organisation_ca: %s\n' "$pki/authorities.pem" >>"$yaml"
    [ $# -lt 2 ] || printf '  certificate: %s\n' "$2" >>"$yaml"
}

restart() {
    stop_process "$1"
    mesh_start_node "$1"
}

logged() { grep -q "$2" "$mesh_dir/logs/$1.log"; }
forget_logs() { for name in "${mesh_names[@]}"; do : >"$mesh_dir/logs/$name.log"; done; }
goes_on_without_south() { eventually 10 says north '^ready' && eventually 10 says south 'reaches 1 of 4'; }

shut_out() {
    eventually 20 logged north "$1"
    goes_on_without_south
}

small_mesh mesh north lakeside riverside south
pki=$work/$part/pki
mkdir -p "$pki"
authority hospitals
authority clinics
authority strangers
cat "$pki/hospitals.pem" "$pki/clinics.pem" >"$pki/authorities.pem"
certify north hospitals
certify lakeside hospitals
certify riverside clinics
certify south clinics
for name in "${mesh_names[@]}"; do
    requires "$name" "$pki/$name.pem"
    restart "$name"
done
for name in "${mesh_names[@]}"; do
    check "$name, certified by its organisation, is ready" eventually 20 says "$name" '^ready'
done
run_file "$work/$part/run.yaml" certified 5 1000
run=$(submit "$work/$part/run.yaml")
check "rounds go on, and the admin, which needs no certificate, follows them" \
    eventually 30 run_is "$run" completed
kill -HUP "${process_ids[north]}"
run_file "$work/$part/renewed.yaml" renewed 5 1000
run=$(submit "$work/$part/renewed.yaml")
check "a renewed TLS key needs no new certificate: it is over the identity key" \
    eventually 30 run_is "$run" completed

# North may have said so while the others had none yet: a refusal is logged once in a while only.
requires south
restart south
check "without a certificate a member is shut out, and the others go on" shut_out 'missing'
certify south strangers
requires south "$pki/south.pem"
forget_logs
restart south
check "so it is with one of another authority" shut_out 'notTrusted'
certify_expired south clinics
forget_logs
restart south
check "and with an expired one" shut_out 'notTrusted'
certify north hospitals
cp "$pki/north.pem" "$pki/of-north.pem"
requires south "$pki/of-north.pem"
stop_process south
check "a certificate over another key is told at the start" refused_with 'ofAnotherKey' \
    "$programs/aegis-node" run --dir "$(node_dir south)"
certify south clinics
requires south "$pki/south.pem"
mesh_start_node south
check "with a good one it is back" eventually 20 says south '^ready'

# Whoever has a certificate and is no member stays out.
"$programs/aegis-admin" init --dir "$work/$part/other" --mesh other --api 127.0.0.1:1 \
    --listen 127.0.0.1:2 >/dev/null 2>&1
stranger_stays_out() {
    local mesh status
    mesh=$(aegis mesh show --output json | jq -r .mesh)
    python3 "$here/forge.py" "$work/$part/other" "$pki/stranger" --mesh "$mesh"
    status=$(curl --silent --insecure --max-time 10 --tlsv1.3 --output /dev/null \
        --write-out '%{http_code}' --cert "$pki/stranger.pem" \
        "https://127.0.0.1:${node_ports[north]}/mesh/v1/status" || true)
    equal "$status" 000 "HTTP status"
}
check "no certificate makes a member" stranger_stays_out
