# shellcheck shell=bash
# Founding and joining: what is refused says why, and leaves nothing half-made behind.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

token() { aegis token create "$@" --output json | jq -r .token; }

# join TOKEN DIR [ADMIN]
join() {
    local port=7999
    "$programs/aegis-node" join --token "$1" --admin "${3:-$admin_address}" --dir "$2" \
        --listen "127.0.0.1:$port"
}

# join_refused WHY TOKEN DIR [ADMIN]: and there is no directory, nor a part of one.
join_refused() {
    local why=$1
    shift
    # shellcheck disable=SC2016
    refused_with "$why" bash -c 'exec "$0" join --token "$1" --admin "$3" --dir "$2" \
        --listen 127.0.0.1:7999' "$programs/aegis-node" "$1" "$2" "${3:-$admin_address}"
    [ ! -e "$2" ] || no "$2 was left behind"
    ! compgen -G "$(dirname "$2")/.*partial*" || no "a part of a directory was left behind"
}

# Another letter in the middle, and nothing else.
mistyped() {
    local letter=a
    [ "${1:70:1}" != a ] || letter=b
    echo "${1:0:70}$letter${1:71}"
}

nobody_founds() {
    refused_with 'nobody|no participant|no one|joined|empty' \
        "$programs/aegis" mesh found --timeout 3
    equal "$(aegis mesh show --output json | jq -r .state)" open "state of the mesh"
}

members() { aegis node list --output json | jq -c '[.items[].name]'; }

existing_node_is_kept() {
    local fresh before
    fresh=$(token --name again)
    before=$(cd "$(node_dir north)" && sha256sum identity.key join.cbor founding.cose node.yaml)
    refused_with 'in use|exists' "$programs/aegis-node" join --token "$fresh" \
        --admin "$admin_address" --dir "$(node_dir north)" --listen 127.0.0.1:7999
    (cd "$(node_dir north)" && sha256sum --check --quiet <<<"$before")
    token_is_unused again
}

token_is_unused() {
    equal "$(aegis token list --output json |
        jq -r --arg name "$1" '.items[] | select(.name == $name) | .state')" unused "the token"
}

foreign_folder_is_kept() {
    local fresh folder=$mesh_dir/nodes/documents
    fresh=$(token --name documents)
    mkdir "$folder"
    echo precious >"$folder/letter"
    refused_with 'exists|in use|not empty' "$programs/aegis-node" join --token "$fresh" \
        --admin "$admin_address" --dir "$folder" --listen 127.0.0.1:7999
    equal "$(ls -A "$folder")" letter "the folder"
    equal "$(cat "$folder/letter")" precious "the letter"
    token_is_unused documents
    equal "$(members | jq 'index("documents")')" null "an enrolled member without a directory"
}

# Two use one token at once: one of them is in.
one_of_two() {
    local fresh first second statuses=''
    fresh=$(token --name twin)
    join "$fresh" "$mesh_dir/nodes/twin-1" &
    first=$!
    join "$fresh" "$mesh_dir/nodes/twin-2" &
    second=$!
    wait $first && statuses+=joined || statuses+=refused
    wait $second && statuses+=,joined || statuses+=,refused
    case $statuses in
    joined,refused) [ ! -e "$mesh_dir/nodes/twin-2" ] ;;
    refused,joined) [ ! -e "$mesh_dir/nodes/twin-1" ] ;;
    *) no "$statuses" ;;
    esac
}

mode_is() { equal "$(stat -c %a "$1")" "$2" "mode of $1"; }

# opened_key_is_refused PATH OPEN CLOSED
opened_path_is_refused() {
    chmod "$2" "$1"
    refused_with "$(basename "$1").* mode ${2#0}" \
        "$programs/aegis-node" run --dir "$(node_dir north)"
    chmod "$3" "$1"
}

not_joined() {
    refused_with 'no node|not a node|no such' \
        "$programs/aegis-node" run --dir "$mesh_dir/nodes/none"
    [ ! -e "$mesh_dir/nodes/none" ] || no "the directory was made"
}

# tokens_are_nowhere TOKEN…: in no log, database or other file, as text or as bytes of its secret.
tokens_are_nowhere() {
    local token
    at_least $# 3 tokens
    for token in "$@"; do
        at_least ${#token} 100 "length of a token"
        ! grep -rlaF -- "$token" "$mesh_dir" "$work/$part/other" || no "$token was written down"
        # Without its name, and without the first part, which tells the mesh.
        ! grep -rlaF -- "${token:91:30}" "$mesh_dir" "$work/$part/other" ||
            no "the secret of $token was written down"
    done
}

# --- Another mesh, for its token ------------------------------------------------------------------

mesh_create "$work/$part/other"
mesh_start_admin other
other_admin=$admin_address
foreign=$(token --name north)
check "mesh found with nobody is refused, and the mesh stays open" nobody_founds
stop_processes

# --- This mesh ------------------------------------------------------------------------------------

mesh_create "$work/$part/mesh"
mesh_start_admin mesh
dir=$mesh_dir/nodes/refused
short_lived=$(token --name late --expires 1s)
good=$(token --name north)

check "a mistyped token is refused" join_refused 'typing error' "$(mistyped "$good")" "$dir"
check "half a token is refused" join_refused 'characters' "${good:0:80}" "$dir"
check "what is no token is refused" join_refused 'no onboarding token' "password" "$dir"
check "a token of another mesh is refused" join_refused 'not this mesh|wrong-founding|other-mesh' \
    "$foreign" "$dir"
check "an admin that is not there is an error" join_refused 'no answer' "$good" "$dir" \
    "$other_admin"
check "the admin's API is not its mesh listener" join_refused 'admin' "$good" "$dir" \
    "$(jq -r '.url | sub("https://"; "")' "$AEGIS_CONTEXT")"

mkdir -p "$mesh_dir/nodes"
check "the same token, after all that, admits its owner" join "$good" "$(node_dir north)"
mesh_names=(north)
check "identity.key has mode 600" mode_is "$(node_dir north)/identity.key" 600
check "the node's directory has mode 700" mode_is "$(node_dir north)" 700
check "a used token is refused" join_refused 'token-used' "$good" "$dir"
check "joining into a node's directory is refused, and changes nothing" existing_node_is_kept
check "joining into a folder of others is refused, and uses up nothing" foreign_folder_is_kept
check "two that use one token at once: one is in" one_of_two
sleep_ms 2100
check "an expired token is refused" join_refused 'expired' "$short_lived" "$dir"
check "a name can be taken once" refused_with 'taken|exists|in use' \
    "$programs/aegis" token create --name north
check "run without a node says so" not_joined
check "a key that the group can read is refused" opened_path_is_refused \
    "$(node_dir north)/identity.key" 640 600
check "a directory that others can enter is refused" opened_path_is_refused \
    "$(node_dir north)" 701 700
check "tokens are in no log, database or other file" tokens_are_nowhere \
    "$good" "$foreign" "$short_lived"
