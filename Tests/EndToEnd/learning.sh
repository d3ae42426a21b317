# shellcheck shell=bash
# Owners' own tables in a mesh: numbers, classes and texts are trained on and measured, each node on
# its own test records, and a run that does not fit them is refused in words.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly names=(north lakeside riverside)

# tables NODE: a table of 600 stays in hospital, and what is declared of it.
tables() {
    local folder=$mesh_dir/data/$1
    mkdir -p "$folder"
    awk -v seed="$2" 'BEGIN {
        srand(seed)
        print "age,ward,note,days,back"
        for (i = 0; i < 600; i++) {
            age = int(rand() * 100)
            ward = rand() < 0.5 ? "surgery" : "medicine"
            ill = age + 30 * rand() > 65
            printf "%d,%s,\"%s, %s\",%.1f,%s\n", age, ward, (ill ? "fever and cough" : "feels well"),
                (rand() < 0.5 ? "slept" : "ate"), age / 10 + 2 * rand(), (ill ? "yes" : "no")
        }
    }' >"$folder/stays.csv"
    declaration "$folder" days "- {name: age, type: number, min: 0, max: 100}
  - {name: ward, type: category, values: [surgery, medicine]}" "{column: days, min: 0, max: 12}"
    declaration "$folder" back "- {name: age, type: number, min: 0, max: 100}
  - {name: ward, type: category, values: [surgery, medicine]}" '{column: back, values: ["no", "yes"]}'
    declaration "$folder" notes "- {name: note, type: text, vocabulary: 256}" \
        '{column: back, values: ["no", "yes"]}'
}

# declaration FOLDER NAME COLUMNS TARGET
declaration() {
    cat >"$1/$2.yaml" <<YAML
name: $2
source: {format: csv, path: stays.csv}
columns:
  $3
target: $4
split: {test: 0.25, seed: 1}
public_test: true
YAML
}

# run_of NAME DATASET RECORDS MODEL
run_of() {
    cat >"$work/$part/$1.yaml" <<YAML
name: $1
dataset: $2
records: $3
model: $4
rounds: 4
participants_min: 3
training: {local_steps: 25, expected_batch: 115, learning_rate: 0.5}
privacy: {epsilon: 4, delta: 1e-4, sampling_rate: 0.25, clip_norm: 1}
aggregation: {rule: mean, update_norm_max: 1000}
deadlines: {soft: 5, hard: 20}
YAML
    aegis run submit "$work/$part/$1.yaml"
}

# trains NAME CONDITION DATASET RECORDS MODEL: the last round's figures of the federation and of each
# node meet the condition.
trains() {
    run_of "$1" "${@:3}"
    eventually 60 run_is "$1" completed
    eventually 10 measured "$1"
    aegis run watch "$1" --output json | jq -es ".[-1] | $2"
    aegis run show "$1" >"$work/$part/$1.txt"
    contains "$work/$part/$1.txt" 'after round 4, on the test records'
    contains "$work/$part/$1.txt" '^riverside +1[0-9][0-9] '
}

# The last round has figures of every node.
measured() {
    aegis run watch "$1" --output json |
        jq -es '.[-1].measures | length == 3 and all(.[]; .quality.records > 100)'
}

unfit_is_named() {
    run_of unfit back "{shape: [5], classes: 2}" softmax
    eventually 30 is_named 'not the shape or the classes'
    aegis run stop unfit --reason "wrong shape"
    eventually 30 run_is unfit stopped
}

is_named() {
    aegis node list --output json | jq -e --arg reason "$1" '
        [.items[].status.refusals[].reason | select(contains($reason))] | length >= 1'
}

mesh_create "$work/$part/mesh"
mesh_start_admin mesh "${quick_elections[@]}"
for index in "${!names[@]}"; do
    name=${names[$index]}
    mesh_join "$name"
    tables "$name" "$index"
    for dataset in days back notes; do
        quietly "$programs/aegis-node" dataset add --dir "$(node_dir "$name")" $dataset \
            --source "$mesh_dir/data/$name/$dataset.yaml" --budget-epsilon 8 --budget-delta 1e-4
    done
    [ "$name" = north ] || echo "threads: 2" >>"$(node_dir "$name")/node.yaml"
    mesh_start_node "$name"
done
mesh_found
check "a number is predicted, and measured in its own unit" trains days \
    '(.quality.rmse | . > 0 and . < 3) and .quality.accuracy == null and .quality.r2 > 0.2' \
    days '{shape: [3], target: number}' softmax
check "a table with classes is trained on, one output for two" trains back \
    '.quality.accuracy > 0.7 and .quality.auc > 0.75 and .quality.f1 > 0 and .quality.calibration_error < 0.5' \
    back '{shape: [3], classes: 2}' \
    '{kind: layers, layers: [{type: dense, outputs: 4}, {type: tanh}, {type: dense, outputs: 1}]}'
check "texts are trained on" trains notes '.quality.accuracy > 0.8 and .quality.auc > 0.85' \
    notes '{shape: text, classes: 2}' \
    '{kind: layers, layers: [{type: embedding-bag, vocabulary: 256, width: 4}, {type: dense, outputs: 2}]}'
check "records of another shape are refused in words" unfit_is_named
