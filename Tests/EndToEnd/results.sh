# shellcheck shell=bash
# What `aegis run export` leaves, looked at with other tools.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly rounds=4

# A header and a row for each round, in order; each node's epsilon grows.
metrics_are_complete() {
    local csv=$results/metrics.csv
    cat "$csv"
    equal "$(tail -n +2 "$csv" | cut -d, -f1 | paste -sd' ')" "$(seq -s' ' $rounds)" rounds
    python3 - "$csv" <<'END'
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
heights = [int(row["height"]) for row in rows]
# Between them a height may be the audit log's.
assert heights == sorted(set(heights)) and heights[-1] - heights[0] <= len(rows) + 1, heights
for number, row in enumerate(rows):
    assert None not in row and None not in row.values(), f"columns of row {number}: {row}"
    assert float(row["seconds"]) > 0 and float(row["loss"]) > 0, row
    assert 0 < float(row["accuracy"]) <= 1, row
    assert len(row["participants"].split()) >= 2, row
names = [name for name in rows[0] if name.startswith("epsilon_")]
assert len(names) == 3, names
for name in names:
    spent = [float(row[name]) for row in rows if row[name]]
    assert spent and spent == sorted(spent) and 0 < spent[-1] <= 8, (name, spent)
END
}

# Softmax regression: 784 inputs, 10 classes, and as many biases.
model_opens() {
    evidence safetensors "$results/model.safetensors" >"$work/$part/model.json"
    cat "$work/$part/model.json"
    equal "$(jq -c '[.tensors[].shape] | map(reduce .[] as $e (1; . * $e)) | add' \
        "$work/$part/model.json")" 7850 parameters
    at_least "$(jq '[.tensors[].nonzero] | add' "$work/$part/model.json")" 1000 "values not zero"
}

# Of the last round.
last_height() { tail -n 1 "$results/metrics.csv" | cut -d, -f2; }

digests_agree() {
    local actual committed last
    actual=sha256:$(sha256sum "$results/model.safetensors" | cut -d' ' -f1)
    equal "$actual" "$(jq -r .model "$results/run.json")" "digest of the model"
    committed=$(aegis run watch "$run" --output json | tail -n 1 | jq -r .model)
    equal "$actual" "$committed" "digest of the model, as committed"
    # The last round's certificate carries it, as bytes.
    last=$results/certificates/$(last_height).cbor
    python3 -c 'import sys; assert bytes.fromhex(sys.argv[1]) in open(sys.argv[2], "rb").read()' \
        "${actual#sha256:}" "$last"
}

chart_is_well_formed() {
    python3 - "$results/accuracy.svg" <<'END'
import sys
from xml.etree import ElementTree
root = ElementTree.parse(sys.argv[1]).getroot()
assert root.tag == "{http://www.w3.org/2000/svg}svg", root.tag
assert any(element.tag.endswith(("polyline", "path")) for element in root.iter()), "no line"
assert float(root.get("viewBox").split()[2]) > 0
END
}

certificates_are_complete() {
    local last final
    last=$(last_height)
    # And, where a later height is what makes the last round final, up to that.
    final=$(basename "$results"/final/*.cbor .cbor)
    equal "$(find "$results/certificates" -name '*.cbor' -size +100c -printf '%f\n' | sort -V |
        paste -sd' ')" "$(seq -f '%g.cbor' -s' ' $((final > last ? final : last)))" certificates
    [ -s "$results/genesis.cbor" ] || no "there is no genesis.cbor"
    # As the nodes have them.
    python3 - "$results/certificates" "$(node_dir north)" <<'END'
import os, shutil, sqlite3, sys, tempfile
with tempfile.TemporaryDirectory() as copy:
    for name in ("node.sqlite", "node.sqlite-wal"):
        if os.path.exists(f"{sys.argv[2]}/{name}"):
            shutil.copy(f"{sys.argv[2]}/{name}", copy)
    # What came after the run, the audit log's head, is not of its evidence.
    rows = sqlite3.connect(f"{copy}/node.sqlite").execute(
        "SELECT height, record FROM commits WHERE height <= ?", [len(os.listdir(sys.argv[1]))])
    same = [open(f"{sys.argv[1]}/{height}.cbor", "rb").read() == record for height, record in rows]
assert same, "the node has no commits"
print(f"{sum(same)} of {len(same)} are the same bytes as north's")
END
}

run_json_tells() {
    jq -e --argjson rounds $rounds '
        .state == "completed" and .rounds_committed == $rounds and .rounds == $rounds
        and (.accuracy > 0.3) and (.epsilon_max > 0) and (.specification.model == "softmax"
            or .specification.model.kind == "softmax")' "$results/run.json"
}

export_verifies() {
    "$programs/aegis" verify "$results" --output json >"$work/$part/verified.json"
    cat "$work/$part/verified.json"
    jq -e --argjson rounds $rounds '
        .verified and .runs[0].rounds == $rounds and .model == "round \($rounds) of small"' \
        "$work/$part/verified.json"
    equal "$(jq -r .genesis "$work/$part/verified.json")" \
        "$(aegis mesh show --output json | jq -r .genesis_digest)" genesis
}

evidence_verifies() {
    # Whoever was slower than two others has their decision and not all updates. The two who decided
    # have at least a round with all that is needed: its start follows from the run's declaration.
    local name whole=0
    for name in north lakeside riverside; do
        rm -rf "$work/$part/evidence"
        "$programs/aegis-node" evidence --dir "$(node_dir $name)" --to "$work/$part/evidence"
        "$programs/aegis" verify "$work/$part/evidence" | tee "$work/$part/verified.txt"
        grep -q '^VERIFIED$' "$work/$part/verified.txt" || no "$name's evidence doesn't hold"
        ! grep -Eq ' [1-9][0-9]* computed again' "$work/$part/verified.txt" || whole=$((whole + 1))
    done
    at_least $whole 2 "nodes that can compute a round again"
}

changed_vote_is_named() {
    local status=0
    rm -rf "$work/$part/changed"
    cp -r "$work/$part/evidence" "$work/$part/changed"
    python3 - "$work/$part/changed/certificates/2.cbor" <<'END'
import sys
content = bytearray(open(sys.argv[1], "rb").read())
content[-10] ^= 1
open(sys.argv[1], "wb").write(content)
END
    "$programs/aegis" verify "$work/$part/changed" >"$work/$part/changed.txt" || status=$?
    equal "$status" 1 "exit status"
    contains "$work/$part/changed.txt" 'NOT VERIFIED  certificates/2.cbor: .*signature'
}

unknown_run_is_refused() {
    refused_with 'no run|unknown|not found|no such' "$programs/aegis" run export nothing \
        --to "$work/$part/nothing"
    [ ! -e "$work/$part/nothing" ] || no "a folder was left behind"
}

mesh_create "$work/$part/mesh"
mesh_start_admin mesh "${quick_elections[@]}"
slice=0
for name in north lakeside riverside; do
    mesh_join "$name"
    mesh_add_data "$name" fashion-mnist $((slice++)) 30 iid 8 1e-5
    mesh_start_node "$name"
done
mesh_found
cat >"$work/$part/run.yaml" <<END
name: small
dataset: fashion-mnist
model: softmax
rounds: $rounds
participants_min: 2
training: {local_steps: 6, expected_batch: 200, learning_rate: 2}
privacy: {epsilon: 3, delta: 1e-5, sampling_rate: 0.1, clip_norm: 1}
aggregation: {rule: mean, update_norm_max: 100}
deadlines: {soft: 5, hard: 20}
END
run=$(submit "$work/$part/run.yaml")
check "aegis run watch ends with the run, with exit 0" timeout 60 "$programs/aegis" run watch "$run"
results=$work/$part/results
check "aegis run export" "$programs/aegis" run export "$run" --to "$results"
check "metrics.csv: a row for each round" metrics_are_complete
check "model.safetensors opens, and has the shapes of the model" model_opens
check "its SHA-256 is the one in run.json, in the last round and in its certificate" digests_agree
check "accuracy.svg is well-formed" chart_is_well_formed
check "certificates: one for each height" certificates_are_complete
check "run.json tells how it went" run_json_tells
check "aegis verify: what was exported holds" export_verifies
check "aegis-node evidence of a running node: the last rounds are computed again" evidence_verifies
check "aegis verify: a changed vote is named" changed_vote_is_named
check "an unknown run: a clear error, and no folder" unknown_run_is_refused
