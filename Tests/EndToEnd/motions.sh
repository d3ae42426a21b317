# shellcheck shell=bash
# The participants decide without their admin, which is gone: they let a node in, give it a vote,
# change the policy and evict, each owner with its node's word.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# motion NODE WORDS…
motion() {
    local node=$1
    shift
    "$programs/aegis-node" motion "$@" --dir "$(node_dir "$node")"
}

# motion_says NODE PATTERN WORDS…
motion_says() {
    local node=$1 pattern=$2
    shift 2
    motion "$node" "$@" >"$work/$part/$node.txt" 2>&1 || no "$(cat "$work/$part/$node.txt")"
    contains "$work/$part/$node.txt" "$pattern"
}

only_motion() { motion "$1" list | awk 'NR == 1 {print $1}'; }
lists() { motion "$1" list | grep -qE -- "$2"; }

token_is_not_good_yet() {
    refused_with 'knows of no token' "$programs/aegis-node" join --token "$1" \
        --peer "127.0.0.1:${node_ports[north]}" --dir "$work/$part/early" \
        --listen "127.0.0.1:${node_ports[east]}"
    [ ! -e "$work/$part/early" ] || no "a folder was left behind"
}

unknown_is_refused() {
    refused_with 'no motion is open' "$programs/aegis-node" motion agree 00000000 \
        --dir "$(node_dir north)"
    refused_with 'digits at least' "$programs/aegis-node" motion agree 0000 \
        --dir "$(node_dir north)"
    refused_with 'too large' "$programs/aegis-node" motion suspend south \
        --reason "$(printf 'x%.0s' {1..300})" --dir "$(node_dir north)"
    refused_with 'no member nobody' "$programs/aegis-node" motion evict nobody \
        --dir "$(node_dir north)"
    refused_with 'is so already' "$programs/aegis-node" motion promote south \
        --dir "$(node_dir north)"
}

# both_at_once COMMAND…: of two names, at the same time.
both_at_once() {
    local first second
    "$@" first >"$work/$part/first.txt" 2>&1 &
    first=$!
    "$@" second >"$work/$part/second.txt" 2>&1 &
    second=$!
    if ! { wait $first && wait $second; }; then
        no "$(cat "$work/$part/first.txt" "$work/$part/second.txt")"
    fi
}

wish_token() { motion north token --name "$1" --expires 1h; }
withdraw_token() {
    local id
    id=$(motion north list | awk -v wish="let in $1" 'index($0, wish) {print $1}')
    motion north withdraw "$id"
}
two_wishes_at_once() {
    both_at_once wish_token
    lists north 'let in first' || no "$(motion north list)"
    lists north 'let in second' || no "$(motion north list)"
    both_at_once withdraw_token
    lists north 'no motion is open' || no "$(motion north list)"
    [ -z "$(find "$(node_dir north)" -name 'request-*')" ] || no "a request is left"
}

evidence_holds() {
    "$programs/aegis-node" evidence --dir "$(node_dir north)" --to "$work/$part/evidence"
    "$programs/aegis" verify "$work/$part/evidence"
}

admin_shows_motion() {
    aegis mesh show --output json |
        jq -e '.motions | length == 1 and .[0].words == ["north"] and .[0].quorum == 3'
}

small_mesh mesh north lakeside riverside south
take_ports east
kill_process admin

motion north token --name east --expires 1h >"$work/$part/token.txt"
token=$(grep -o 'aegisjoin1_[a-z2-7]*' "$work/$part/token.txt")
check "a token with one word lets nobody in" token_is_not_good_yet "$token"
wait_until 20 "the motion at lakeside" lists lakeside 'let in east'
check "others see who wants what" lists lakeside '1 of 3 +let in east'
id=$(only_motion lakeside)
check "a second word is counted" motion_says lakeside '2 of the 3 words' agree "$id"
check "a word can be taken back" motion_says lakeside 'taken back: let in east' withdraw "$id"
wait_until 20 "it at riverside" lists riverside '1 of 3 +let in east'
check "and given again" motion_says lakeside '2 of the 3 words' agree "$id"
wait_until 20 "it at riverside" lists riverside '2 of 3 +let in east'
check "the third carries it" motion_says riverside 'carried: let in east' agree "${id:0:8}"
check "the token lets the node in" join_live east "$token" lakeside
mesh_start_node east
wait_until 20 "east to follow" says east 'no vote yet'
for name in north lakeside riverside; do
    eventually 60 motion "$name" promote east >"$work/$part/promote-$name.txt" 2>&1
done
check "the node has a vote by words alone" eventually 60 says east '^ready'
check "what can't be decided is refused with its reason" unknown_is_refused
check "two commands at once for one node don't get in each other's way" two_wishes_at_once

for name in north lakeside riverside; do
    motion "$name" policy --view-timeout-ms 7000 >/dev/null
done
check "another policy takes four words of five" lists riverside '3 of 4 +policy: view timeout 7 s .now 500 ms'
check "and is carried by the fourth" motion_says east 'carried: policy' policy --view-timeout-ms 7000

for name in north lakeside riverside; do
    motion "$name" evict south --reason "left the study" >/dev/null
done
check "a participant is evicted by words alone" \
    motion_says east 'carried: evict' evict south --reason "left the study"
check "the evicted node says so" eventually 30 says south 'no member of the mesh'

start_process admin "$programs/aegis-admin" run --dir "$mesh_dir/admin"
wait_until 30 "the admin" aegis mesh show
eventually 30 motion north policy --view-timeout-ms 4000 >/dev/null
check "the admin shows what is open" eventually 30 admin_shows_motion
check "the chain verifies from the founding on" evidence_holds
kill_process admin
mesh_names=(north lakeside riverside south east)
stop_all_nodes
check "everybody stops cleanly" check_stops
for name in north lakeside riverside east; do
    check "$name's folder is whole" check_directory "$name"
done
