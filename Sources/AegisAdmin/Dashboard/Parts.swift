import AegisAPI
import AegisReport

/// The pieces that pages are made of.
enum Parts {
    static func head(_ title: String, lead: HTML? = nil, actions: HTML = "") -> HTML {
        """
        <div class="head"><div><h1>\(title)</h1>\
        \(lead.map { "<p class=\"lead\">\($0)</p>" as HTML })</div>\
        <div class="actions">\(actions)</div></div>
        """
    }

    /// `id` where it changes while the page is open.
    static func panel(
        _ title: String, id: String? = nil, note: HTML? = nil, _ body: HTML
    ) -> HTML {
        """
        <section class="panel"\(id.map { " id=\"\($0)\" data-live" as HTML })>\
        <div class="panel-head"><h2>\(title)</h2>\(note.map { "<p>\($0)</p>" as HTML })</div>\
        \(body)</section>
        """
    }

    struct Vital {
        let label: String
        let value: HTML
        var note: HTML = ""
        var tone = ""

        init(_ label: String, _ value: HTML, note: HTML = "", tone: String = "") {
            self.label = label
            self.value = value
            self.note = note
            self.tone = tone
        }
    }

    static func vitals(_ vitals: [Vital], id: String = "vitals") -> HTML {
        let items = vitals.map { vital -> HTML in
            """
            <div class="vital \(vital.tone)"><dt>\(vital.label)</dt><dd>\(vital.value)</dd>\
            <p>\(vital.note)</p></div>
            """
        }
        return "<dl class=\"vitals\" id=\"\(id)\" data-live>\(HTML.all(items))</dl>"
    }

    static func pill(_ word: String, _ tone: String) -> HTML {
        "<span class=\"pill \(tone)\">\(word)</span>"
    }

    static func pill(_ state: RunView.State) -> HTML {
        let tone =
            switch state {
            case .running, .submitted: "live"
            case .stopping, .stopped: "warn"
            case .completed: "good"
            case .failed: "bad"
            case .draft: ""
            }
        return pill(state.rawValue, tone)
    }

    /// A share of a whole; `says` is what it is in words.
    /// A budget that is nearly spent is shown as such; progress is not.
    static func meter(
        _ value: Double, of whole: Double, says: String, isBudget: Bool = true
    ) -> HTML {
        let share = whole > 0 ? min(1, max(0, value / whole)) : 0
        let tone = !isBudget ? "" : share >= 0.9 ? "bad" : share >= 0.7 ? "warn" : ""
        return """
            <span class="meter"><progress class="\(tone)" max="1" \
            value="\(Decimal.shortest(share, placesMax: 4))" aria-label="\(says)"></progress>\
            <span>\(says)</span></span>
            """
    }

    static func empty(_ title: String, _ text: HTML) -> HTML {
        "<div class=\"empty\">\(Shell.mark)<h3>\(title)</h3><p>\(text)</p></div>"
    }

    /// `01 Mar 09:30:05`; the whole of it on demand.
    static func time(_ text: String) -> HTML {
        guard text.count == 24 else { return "\(text)" }
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        let parts = text.split { "-T:.".contains($0) }
        let month = Int(parts[1]).flatMap { (1...12).contains($0) ? months[$0 - 1] : nil } ?? ""
        let short = "\(parts[2]) \(month) \(parts[3]):\(parts[4]):\(parts[5])"
        return "<time datetime=\"\(text)\" title=\"\(text)\">\(short)</time>"
    }

    static func number(_ value: Double?, _ places: Int) -> String {
        value.map { Decimal.fixed($0, places: places) } ?? "–"
    }

    /// `1e-5`, not `1e-05`.
    static func small(_ value: Double) -> String { "\(value)".replacing("e-0", with: "e-") }

    static func percent(_ value: Double?) -> String {
        value.map { Decimal.fixed($0 * 100, places: 1) + " %" } ?? "–"
    }

    static func id(_ text: String, _ shown: Int = 8) -> HTML {
        "<code title=\"\(text)\">\(String(text.prefix(shown)))</code>"
    }

    static func digest(_ text: String?) -> HTML {
        guard let text else { return "–" }
        return id(text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : text)
    }

    struct Column {
        let title: String
        let isNumber: Bool

        init(_ title: String, number: Bool = false) {
            self.title = title
            isNumber = number
        }
    }

    /// On a narrow page each row becomes a card, each cell with its column's title.
    static func table(
        _ columns: [Column], label: String, rows: [[HTML]], scrolls: Bool = false
    ) -> HTML {
        let head = columns.map { column -> HTML in
            column.isNumber
                ? "<th scope=\"col\" class=\"n\">\(column.title)</th>"
                : "<th scope=\"col\">\(column.title)</th>"
        }
        let body = rows.map { cells -> HTML in
            let cells = zip(columns, cells).map { column, cell -> HTML in
                column.isNumber
                    ? "<td data-label=\"\(column.title)\" class=\"n\">\(cell)</td>"
                    : "<td data-label=\"\(column.title)\">\(cell)</td>"
            }
            return "<tr>\(HTML.all(cells))</tr>"
        }
        let attributes: HTML =
            scrolls ? "class=\"table scrolls\" tabindex=\"0\" role=\"region\"" : "class=\"table\""
        return """
            <div \(attributes) aria-label="\(label)"><table><caption>\(label)</caption>\
            <thead><tr>\(HTML.all(head))</tr>\
            </thead><tbody>\(HTML.all(body))</tbody></table></div>
            """
    }

    static func field(
        _ name: String, _ label: String, hint: HTML = "", _ control: HTML
    ) -> HTML {
        """
        <div class="field" data-field="\(name)"><label for="f-\(name)">\(label)</label>\(control)\
        <p class="hint" id="h-\(name)">\(hint)</p><p class="fault" id="e-\(name)" hidden></p></div>
        """
    }

    static func input(_ name: String, _ attributes: HTML = "") -> HTML {
        "<input id=\"f-\(name)\" name=\"\(name)\" \(attributes)>"
    }

    /// A name that has to be given.
    static func nameInput(_ name: String = "name") -> HTML {
        input(name, "required maxlength=\"64\" autocomplete=\"off\"")
    }

    static func select(_ name: String, _ options: HTML, _ attributes: HTML = "") -> HTML {
        "<select id=\"f-\(name)\" name=\"\(name)\" \(attributes)>\(options)</select>"
    }

    static func options(_ values: [(String, String)], selected: String? = nil) -> HTML {
        .all(
            values.map { value, label in
                value == selected
                    ? "<option value=\"\(value)\" selected>\(label)</option>"
                    : "<option value=\"\(value)\">\(label)</option>"
            })
    }
}
