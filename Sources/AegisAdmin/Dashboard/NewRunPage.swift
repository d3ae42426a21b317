import AegisAPI
import AegisPrivacy
import AegisProtocol

/// The form for a run: what it trains, and what that costs in privacy, seen before it is spent.
enum NewRunPage {
    static let handler: Route.Handler = { desks, call in
        let mesh = try await desks.meshView()
        let datasets = try await desks.datasets.list().filter { $0.state != .retired }
        // Those that need nothing but f; the others are for run files.
        let plain = AggregationDeclaration.Rule.allCases.filter(\.needsOnlyByzantine)
        let rules = AggregationRules.views(participants: mesh.participants)
            .filter { view in plain.contains { $0.rawValue == view.rule } }
        let shell = Shell(section: .runs, principal: call.principal)
        let head = Parts.head(
            "New run",
            lead: "Every node trains on its own data and charges its own budget; a node whose "
                + "owner's limit would not last refuses.")
        guard mesh.state == .founded else {
            return shell.reply(
                "New run",
                head
                    + Parts.empty(
                        "The mesh is not founded yet",
                        "<a href=\"/\">Found it first</a>; then runs can be submitted."))
        }
        return shell.reply(
            "New run", head + form(mesh, datasets, rules))
    }

    private static func form(
        _ mesh: MeshView, _ datasets: [DatasetView], _ rules: [AggregationRuleView]
    ) -> HTML {
        """
        <form id="new-run" class="split" data-participants="\(mesh.participants)" novalidate>
        <div class="stack">
        \(Parts.panel("What", what(datasets)))
        \(Parts.panel("Training", training))
        \(Parts.panel("Aggregation", aggregation(mesh, rules)))
        </div>
        <div class="stack sticky">
        \(Parts.panel("Privacy", privacy(datasets)))
        <div class="actions wide">\
        <button class="button" name="draft" value="1">Keep as draft</button>\
        <button class="button primary" name="start" value="1">Start the run</button></div>
        </div>
        </form>
        """
    }

    private static func what(_ datasets: [DatasetView]) -> HTML {
        let names: [HTML] = datasets.map { "<option value=\"\($0.name)\"></option>" }
        let first = datasets.first { !$0.holders.isEmpty } ?? datasets.first
        return """
            <div class="grid">
            \(Parts.field("name", "Name", hint: "a-z, 0-9, - _ and ., unique in the mesh",
                Parts.nameInput()))
            \(Parts.field("dataset", "Data set", hint: "as its holders call it",
                "<input id=\"f-dataset\" name=\"dataset\" required list=\"datasets\" "
                    + "value=\"\(first?.name ?? "")\">"))
            \(Parts.field("model", "Model", hint: "trained from a public seed",
                Parts.select("model", Parts.options([
                    ("mlp", "Multilayer perceptron"), ("softmax", "Softmax regression"),
                    ("cnn", "Convolutional, for 28 × 28 images"), ("layers", "Layers of my own"),
                    ("none", "None: measure the mesh"),
                ]))))
            \(Parts.field("model.hidden", "Hidden widths", hint: "ReLU layers, separated by commas",
                "<input id=\"f-model.hidden\" name=\"model.hidden\" value=\"64\">"))
            \(Parts.field("model.layers", "Layers", hint: "JSON, as docs/RUN.md has them",
                "<textarea id=\"f-model.layers\" name=\"model.layers\" rows=\"4\" "
                    + "spellcheck=\"false\">[{\"type\": \"dense\", \"outputs\": 32}, "
                    + "{\"type\": \"relu\"}, {\"type\": \"dense\", \"outputs\": 10}]"
                    + "</textarea>"))
            \(Parts.field("model.parameters", "Parameters", hint: "of the fixed update",
                "<input id=\"f-model.parameters\" name=\"model.parameters\" type=\"number\" "
                    + "min=\"1\" value=\"1000\">"))
            \(Parts.field("records.shape", "Record shape",
                hint: "features, or channels, rows, columns",
                "<input id=\"f-records.shape\" name=\"records.shape\" value=\"1, 28, 28\">"))
            \(Parts.field("records.classes", "Classes",
                "<input id=\"f-records.classes\" name=\"records.classes\" type=\"number\" "
                    + "min=\"2\" max=\"256\" value=\"10\">"))
            </div><datalist id="datasets">\(HTML.all(names))</datalist>
            """
    }

    private static func number(
        _ name: String, _ label: String, _ value: String, min: String, max: String,
        step: String = "any", hint: HTML = ""
    ) -> HTML {
        Parts.field(
            name, label, hint: hint,
            "<input id=\"f-\(name)\" name=\"\(name)\" type=\"number\" inputmode=\"decimal\" "
                + "value=\"\(value)\" min=\"\(min)\" max=\"\(max)\" step=\"\(step)\" required>")
    }

    private static let training: HTML = """
        <div class="grid three">
        \(number("rounds", "Rounds", "10", min: "1", max: "100000", step: "1"))
        \(number("training.local_steps", "Steps a round", "30", min: "1", max: "1000000", step: "1",
            hint: "of each node"))
        \(number("training.expected_batch", "Batch", "512", min: "1", max: "10000000", step: "1",
            hint: "public divisor"))
        \(number("training.learning_rate", "Learning rate", "0.5", min: "0.000001", max: "1000"))
        \(number("deadlines.soft", "Soft deadline, s", "60", min: "0.1", max: "86400",
            hint: "then without who is silent"))
        \(number("participants_min", "Fewest updates", "", min: "1", max: "32", step: "1",
            hint: "empty: a majority"))
        </div>
        """

    private static func aggregation(_ mesh: MeshView, _ rules: [AggregationRuleView]) -> HTML {
        let options: [HTML] = rules.map { rule in
            let needs = rule.updatesMin.map { "\($0)" }.joined(separator: ",")
            return "<option value=\"\(rule.rule)\" data-updates=\"\(needs)\">\(rule.rule)</option>"
        }
        return """
            <div class="grid three">
            \(Parts.field("aggregation.rule", "Rule", hint: "how updates become one",
                Parts.select("aggregation.rule", .all(options))))
            \(number("aggregation.byzantine", "Hostile updates f", "0", min: "0", max: "32",
                step: "1",
                hint: "<span data-rule-needs>withstands none</span>"))
            \(number("aggregation.update_norm_max", "Largest norm", "100", min: "0.000001",
                max: "1000000", hint: "of an admitted update"))
            </div>
            """
    }

    private static func slider(
        _ name: String, _ label: String, _ value: String, min: String, max: String,
        hint: HTML = ""
    ) -> HTML {
        """
        <div class="field slider" data-field="privacy.\(name)">\
        <label for="s-\(name)">\(label)</label>\
        <output id="o-\(name)" for="s-\(name)"></output>\
        <input type="range" id="s-\(name)" data-slider="\(name)" min="\(min)" max="\(max)" \
        step="any" value="\(value)"><p class="hint">\(hint)</p><p class="fault" hidden></p></div>
        """
    }

    /// The sliders are logarithmic: their values are powers of ten.
    private static func privacy(_ datasets: [DatasetView]) -> HTML {
        let holders = datasets.flatMap(\.holders).map { holder -> HTML in
            """
            <li data-dataset="\(holder.dataset)" data-epsilon="\(Parts.number(holder.epsilon, 6))" \
            data-budget="\(Parts.number(holder.budgetEpsilon, 6))"><b>\(holder.participant)</b>\
            <progress max="1" value="0"></progress><small></small></li>
            """
        }
        let after: HTML =
            holders.isEmpty
            ? ""
            : "<h3>After this run</h3><ul class=\"after\" id=\"after\">\(HTML.all(holders))</ul>"
        return """
            <fieldset class="choice"><legend>Set</legend>\
            <label><input type="radio" name="privacy.mode" value="epsilon" checked> \
            ε, find σ</label>\
            <label><input type="radio" name="privacy.mode" value="noise"> σ, see ε</label>\
            <label><input type="radio" name="privacy.mode" value="none"> none</label></fieldset>
            <div id="privacy-fields">
            <div class="readout" aria-live="polite">
            <div><span>ε of the whole run</span><b id="r-epsilon">–</b></div>
            <div><span>noise multiplier σ</span><b id="r-sigma">–</b></div>
            </div>
            <div id="course" class="plot small" aria-hidden="true"></div>
            \(slider("epsilon", "ε", "0.4771", min: "-1", max: "1.3",
                hint: "smaller protects more; learns less"))
            \(slider("noise_multiplier", "σ", "0", min: "-0.6", max: "1.3",
                hint: "noise over the clip norm"))
            \(slider("sampling_rate", "Sampling rate q", "-1.37", min: "-4", max: "0",
                hint: "chance of each record to be in a step"))
            \(slider("delta", "δ", "-5", min: "-9", max: "-3",
                hint: "well below one over the number of records"))
            \(slider("clip_norm", "Clip norm", "0", min: "-2", max: "2",
                hint: "bound on one record's gradient"))
            \(after)
            <p class="hint" id="calibration-note"></p>
            </div>
            """
    }
}
