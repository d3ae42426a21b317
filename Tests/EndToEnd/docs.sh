# shellcheck shell=bash
# The shell examples of docs/API.md and docs/OPERATIONS.md, run as they stand: only ports and the
# folder they begin in are this machine's.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly out=$work/$part
export XDG_CONFIG_HOME=$out/config PATH=$programs:$PATH

# blocks LANGUAGE FILE: its code, one block after the other.
blocks() {
    awk -v fence="\`\`\`$1" '$0 == fence {inside = 1; next} /^```/ {inside = 0} inside' "$2"
}

small_mesh mesh north lakeside riverside
api_port=$(jq -r .url "$AEGIS_CONTEXT")
api_port=${api_port##*:}
run_file "$out/run.yaml" demo 3 1000
aegis run submit "$out/run.yaml" >/dev/null
is_over() { aegis run show demo --output json | jq -e '.state == "completed"'; }
wait_until 60 "the run" is_over

api_examples() {
    {
        echo 'set -euo pipefail'
        blocks sh "$root/docs/API.md" | sed "s/127\\.0\\.0\\.1:8443/127.0.0.1:$api_port/"
    } >"$out/api.sh"
    [ "$(grep -c aegis_curl "$out/api.sh")" -gt 5 ] || no "docs/API.md has lost its examples"
    cp -r "$mesh_dir/admin/credentials" "$out/credentials"
    (cd "$out/credentials" && cp "$out/run.yaml" . && bash -x "$out/api.sh")
}
check "the curl and CLI examples of docs/API.md" api_examples

audit_example() {
    blocks python "$root/docs/API.md" >"$out/chain.py"
    aegis audit export --to "$out/audit.jsonl"
    equal "$(python3 "$out/chain.py" <"$out/audit.jsonl")" \
        "$(aegis audit verify "$out/audit.jsonl" --output json | jq -r .head)" head
}
check "the Python of docs/API.md that verifies an audit log" audit_example

# The installation needs ports of its own, and something that runs in the background.
take_port
install_api=$port
take_port
operations_examples() {
    cat >"$out/operations.sh" <<'END'
set -euo pipefail
# What a service manager would do.
aegis-admin() {
    [ "$1" = run ] || {
        command aegis-admin "$@"
        return
    }
    command aegis-admin "$@" 2>admin.log &
    admin=$!
    trap 'kill $admin' EXIT
    sleep 2
}
END
    blocks sh "$root/docs/OPERATIONS.md" |
        sed -e "s/0\\.0\\.0\\.0:8443/127.0.0.1:$install_api/" \
            -e "s/0\\.0\\.0\\.0:8444/127.0.0.1:$port/" >>"$out/operations.sh"
    mkdir "$out/machine"
    (unset AEGIS_CONTEXT && cd "$out/machine" && bash -x "$out/operations.sh")
}
check "the examples of docs/OPERATIONS.md: install, renew, back up, restore" operations_examples

stop_all_nodes
check "everything stops cleanly" check_stops
