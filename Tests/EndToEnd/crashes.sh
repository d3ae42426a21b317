# shellcheck shell=bash
# kill -9 of a random node at a random moment, 50 times, while the mesh commits round after round:
# it goes on, nobody loses a commit, and at the end all have the same.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly kills=${AEGIS_E2E_KILLS:-50}
declare -A heights=()
heights_lost=''
not_growing=''
slowest_return=0

# At its death, a node has no fewer commits on its disk than at its last one.
remember_disk() {
    local now
    now=$(evidence tip "$(node_dir "$1")" | jq .height)
    [ "$now" -ge "${heights[$1]:-0}" ] || heights_lost+=" $1:${heights[$1]}->$now"
    heights[$1]=$now
}

crash_once() {
    local name=${mesh_names[$((RANDOM % ${#mesh_names[@]}))]} began took
    sleep_ms $((20 + RANDOM % 281))
    kill_process "$name"
    remember_disk "$name"
    sleep_ms $((RANDOM % 201))
    began=${EPOCHREALTIME/[.,]/}
    mesh_start_node "$name"
    wait_until 20 "$name to serve again" serves "$name"
    took=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
    [ $took -le $slowest_return ] || slowest_return=$took
}

check_growth() { [ -z "$not_growing" ] || no "no new height:$not_growing"; }
check_heights() { [ -z "$heights_lost" ] || no "commits lost:$heights_lost"; }

grows_after() { at_least "$1" "$(($2 + 5))" "height a moment after the last kill"; }

same_commits() {
    local name directories=()
    for name in "${mesh_names[@]}"; do directories+=("$(node_dir "$name")"); done
    evidence same "${directories[@]}"
}

# A node's log has no word of corruption, of a fork, or of another aggregate than was proposed.
quiet_logs() {
    local name
    for name in "${mesh_names[@]}"; do
        ! jq -c 'select(.level == "critical" or (.msg | test("fork|another aggregate|corrupt")))' \
            "$mesh_dir/logs/$name.log" | grep . || no "$name"
    done
}

# finds_damage FILE: a byte in the middle of a copy is changed.
finds_damage() {
    local copy=$work/$part/damaged file
    rm -rf "$copy"
    cp -a "$(node_dir north)" "$copy"
    # What a kill leaves half-written has no digest to break.
    file=$(find "$copy" -path "$1" -type f ! -name '*.partial' | sort | sed -n 1p)
    python3 - "$file" <<'END'
import sys
with open(sys.argv[1], "r+b") as file:
    content = file.read()
    place = len(content) // 2
    file.seek(place)
    file.write(bytes([content[place] ^ 1]))
END
    ! "$programs/aegis-node" check --dir "$copy" || no "it found nothing wrong with $file"
}

small_mesh mesh north lakeside riverside
run_file "$work/$part/run.yaml" crashes 100000 1000
run=$(submit "$work/$part/run.yaml")
wait_until 20 "the first rounds" has_rounds "$run" 3

began=$EPOCHREALTIME
before=$(top_height)
first=$before
for ((i = 1; i <= kills; i++)); do
    crash_once
    [ $((i % 10)) = 0 ] || continue
    # The admin asks once a second.
    wait_until 20 "a new height" higher_than "$before" || not_growing+=" kills $((i - 9)) to $i"
    before=$(top_height)
done
echo "--      $kills kills in $(seconds_since "$began") s, heights $first to $before," \
    "slowest return $slowest_return ms"
check "$kills times kill -9 at random moments: heights keep growing" check_growth
check "no node has lost a commit" check_heights
sleep 2.5
check "the mesh goes on afterwards" grows_after "$(top_height)" "$before"

aegis run stop "$run" --reason enough >/dev/null
check "aegis run stop ends the run" eventually 20 run_is "$run" stopped
wait_until 20 "the mesh to sign the audit log" audit_is_signed
check "all nodes reach the same height, and rest" eventually 10 at_one_height
stop_all_nodes
check "SIGTERM stops every node within 5 s with exit 0" check_stops
check "all nodes have the same commits, without a gap" same_commits
if has_check_command; then
    for name in "${mesh_names[@]}"; do
        check "aegis-node check: $name is sound" check_directory "$name"
    done
    tips=$(jq -c '[.height, .tip]' "$work/$part"/check-*.json | sort -u | wc -l)
    check "aegis-node check finds a changed blob" finds_damage '*/blobs/*'
    check "aegis-node check finds a changed journal" finds_damage '*/journal'
    check "aegis-node check: one tip" equal "$tips" 1 "different tips"
fi
check "no log has a word of corruption or of a fork" quiet_logs
