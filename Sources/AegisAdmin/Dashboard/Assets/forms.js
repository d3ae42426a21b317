// Forms that call the API with JSON, and the sliders that show what privacy costs.
"use strict";

const Form = (() => {
  function key() {
    return crypto.randomUUID();
  }

  function clear(form) {
    for (const field of form.querySelectorAll(".bad-field")) field.classList.remove("bad-field");
    for (const fault of form.querySelectorAll(".fault")) fault.hidden = true;
  }

  /** Puts each fault beside its field; the rest at the top. */
  function blame(form, problem) {
    const left = [];
    for (const fault of problem.faults ?? []) {
      const field = [...form.querySelectorAll("[data-field]")].find((f) => f.dataset.field === fault.field);
      const place = field?.querySelector(".fault");
      if (!place) { left.push(`${fault.field} ${fault.message}`); continue; }
      field.classList.add("bad-field");
      place.textContent = fault.message;
      place.hidden = false;
    }
    if (left.length || !problem.faults?.length) {
      Aegis.say([problem.detail ?? problem.title, ...left, problem.hint].filter(Boolean).join(" · "));
    }
    form.querySelector(".bad-field input, .bad-field select, .bad-field textarea")?.focus();
  }

  async function call(form, method, path, body, headers = {}) {
    clear(form);
    Aegis.quiet();
    const buttons = [...form.querySelectorAll("button")];
    for (const button of buttons) button.disabled = true;
    try {
      const response = await fetch(path, {
        method,
        headers: { "content-type": "application/json", ...headers },
        body: method === "DELETE" ? undefined : JSON.stringify(body),
      });
      const text = await response.text();
      const answer = text ? JSON.parse(text) : null;
      if (!response.ok) { blame(form, answer); return null; }
      return answer ?? {};
    } catch {
      Aegis.say("The admin doesn't answer. Nothing may have happened: look before you repeat it.");
      return null;
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  }

  return { call, key };
})();

(function forms() {
  function fields(form) {
    const body = {};
    for (const input of form.elements) {
      if (!input.name || input.value === "") continue;
      body[input.name] = "number" in input.dataset ? Number(input.value) : "flag" in input.dataset ? input.value === "true" : input.value;
    }
    return body;
  }

  function show(form, answer) {
    const template = document.querySelector(`[data-secret="${form.dataset.show}"]`);
    const piece = template.content.cloneNode(true);
    for (const place of piece.querySelectorAll("[data-is]")) place.textContent = [answer[place.dataset.is]].flat()[0];
    for (const copy of piece.querySelectorAll("[data-copy]")) {
      const text = copy.previousElementSibling.textContent;
      copy.addEventListener("click", async () => {
        await navigator.clipboard.writeText(text);
        copy.textContent = "Copied";
      });
    }
    for (const link of piece.querySelectorAll("[data-download]")) {
      const bytes = Uint8Array.from(atob(answer[link.dataset.download]), (c) => c.charCodeAt(0));
      link.href = URL.createObjectURL(new Blob([bytes], { type: "application/x-pkcs12" }));
      link.download = answer[link.dataset.file] + ".p12";
    }
    form.parentElement.querySelector(":scope > .secret")?.remove();
    form.after(piece);
    form.reset();
  }

  async function submit(form) {
    const [method, path] = form.dataset.api.split(" ");
    const body = fields(form);
    if (form.dataset.confirm) {
      const answer = await Aegis.ask(form.dataset.confirm, Boolean(form.dataset.ask));
      if (answer === null) return;
      if (form.dataset.ask) body[form.dataset.ask] = answer;
    }
    const headers = {};
    if ("idempotent" in form.dataset) headers["idempotency-key"] = Form.key();
    if ("match" in form.dataset) {
      const current = await fetch(path);
      headers["if-match"] = current.headers.get("etag") ?? "";
    }
    const answer = await Form.call(form, method, path, body, headers);
    if (!answer) return;
    if (form.dataset.show) show(form, answer);
    document.activeElement?.blur();
    if (form.dataset.done && form.dataset.done !== "reload") location.href = form.dataset.done;
    else Aegis.refresh().catch(() => {});
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.dataset.api) return;
    event.preventDefault();
    submit(event.target);
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-on-change]");
    if (form) submit(form);
  });
  document.querySelector("[data-verify]")?.addEventListener("click", async (event) => {
    event.target.disabled = true;
    const response = await fetch("/api/v1/audit/verification");
    const finding = await response.json();
    event.target.disabled = false;
    if (!response.ok) Aegis.say(finding.detail ?? finding.title);
    else if (finding.intact) Aegis.say(`All ${finding.records} records are as they were written. Head ${finding.head}`, "good");
    else Aegis.say(`The log was altered: ${finding.fault}. ${finding.records} records before it are whole.`);
  });
})();

(function newRun() {
  const form = document.getElementById("new-run");
  if (!form) return;
  const input = (name) => form.elements[name];
  const number = (name) => (input(name).value === "" ? undefined : Number(input(name).value));
  const slider = (name) => document.getElementById("s-" + name);
  const value = (name) => Number((10 ** Number(slider(name).value)).toPrecision(4));
  const mode = () => input("privacy.mode").value;
  const power = (v) => {
    const [digits, exponent] = v.toExponential(1).split("e-");
    return `${Number(digits) === 1 ? "" : Number(digits) + "·"}10⁻${[...exponent].map((d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]).join("")}`;
  };
  const shown = (v) => (v >= 100 ? v.toFixed(0) : v >= 0.01 ? String(Number(v.toPrecision(3))) : power(v));
  let asked = 0;
  let timer = null;

  function question() {
    const steps = (number("rounds") ?? 0) * (number("training.local_steps") ?? 0);
    const body = { delta: value("delta"), sampling_rate: value("sampling_rate"), steps };
    if (mode() === "epsilon") body.epsilon = value("epsilon");
    else body.noise_multiplier = value("noise_multiplier");
    return body;
  }

  /** At most one question at a time; the last one counts. */
  async function calibrate() {
    const mine = ++asked;
    const body = question();
    const note = document.getElementById("calibration-note");
    const readout = form.querySelector(".readout");
    readout.classList.add("stale");
    let answer;
    try {
      const response = await fetch("/api/v1/privacy/calibrate", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
      answer = await response.json();
      if (response.status === 429) { timer = setTimeout(calibrate, 1000); return; }
      if (!response.ok) {
        note.textContent = answer.faults?.length ? answer.faults.map((f) => f.field + " " + f.message).join(" · ") : answer.detail;
        return;
      }
    } catch {
      note.textContent = "The admin doesn't answer.";
      return;
    }
    if (mine !== asked) return;
    readout.classList.remove("stale");
    document.getElementById("r-epsilon").textContent = answer.epsilon.toFixed(answer.epsilon < 10 ? 3 : 1);
    document.getElementById("r-sigma").textContent = answer.noise_multiplier.toFixed(3);
    note.textContent = `The smaller of two proved bounds (RDP, PLD) over ${answer.steps} steps; each node accounts for itself.`;
    if (mode() === "epsilon") slider("noise_multiplier").value = Math.log10(answer.noise_multiplier);
    else slider("epsilon").value = Math.log10(answer.epsilon);
    outputs();
    const rounds = number("rounds") ?? 1;
    const points = [[0, 0], ...answer.course.map((e, i) => [((i + 1) * rounds) / 10, e])];
    Chart.draw(document.getElementById("course"), { series: [{ points, kind: "main", fill: true, name: "ε" }], low: 0, title: "epsilon along the run", format: Chart.label, small: true });
    budgets(answer.epsilon);
  }

  /** ε of two runs add up at most; the ledger's own composition is tighter. */
  function budgets(epsilon) {
    for (const row of document.querySelectorAll("#after li")) {
      row.hidden = row.dataset.dataset !== input("dataset").value;
      const budget = Number(row.dataset.budget);
      const total = Number(row.dataset.epsilon) + epsilon;
      const bar = row.querySelector("progress");
      bar.value = Math.min(1, total / budget);
      bar.className = total > budget ? "bad" : total > 0.9 * budget ? "warn" : "";
      row.querySelector("small").textContent = total > budget
        ? `about ${total.toFixed(2)} of ${budget.toFixed(2)}: it may refuse`
        : `about ${total.toFixed(2)} of ${budget.toFixed(2)}`;
    }
  }

  function outputs() {
    for (const one of form.querySelectorAll("[data-slider]")) {
      document.getElementById("o-" + one.dataset.slider).textContent = shown(value(one.dataset.slider));
    }
    const none = mode() === "none";
    for (const one of form.querySelectorAll("[data-slider]")) {
      one.disabled = none || (one.dataset.slider === "epsilon" && mode() === "noise") || (one.dataset.slider === "noise_multiplier" && mode() === "epsilon");
    }
    document.getElementById("privacy-fields").classList.toggle("stale", none);
  }

  function rule() {
    const option = input("aggregation.rule").selectedOptions[0];
    const needs = (option?.dataset.updates ?? "").split(",").map(Number);
    const byzantine = input("aggregation.byzantine");
    byzantine.max = needs.length - 1;
    byzantine.disabled = needs.length <= 1;
    if (needs.length <= 1) byzantine.value = 0;
    const f = Math.min(Number(byzantine.value), needs.length - 1);
    form.querySelector("[data-rule-needs]").textContent = needs.length <= 1
      ? "withstands none here" : `f = ${f} needs ${needs[f]} of ${form.dataset.participants} updates`;
  }

  const list = (name) => input(name).value.split(/[\s,]+/).filter(Boolean).map(Number);

  /** As the run file has it. What is no JSON is sent as text, and the answer says what is wrong. */
  function model() {
    const kind = input("model").value;
    switch (kind) {
      case "mlp": return { kind, hidden: list("model.hidden") };
      case "none": return { kind, parameters: number("model.parameters") };
      case "layers": {
        const text = input("model.layers").value;
        try { return { kind, layers: JSON.parse(text) }; } catch { return { kind, layers: text }; }
      }
      default: return { kind };
    }
  }

  function specification() {
    const trains = input("model").value !== "none";
    const body = {
      name: input("name").value,
      dataset: input("dataset").value,
      rounds: number("rounds"),
      model: model(),
      aggregation: {
        rule: input("aggregation.rule").value,
        byzantine: number("aggregation.byzantine") ?? 0,
        update_norm_max: number("aggregation.update_norm_max"),
      },
      deadlines: { soft: number("deadlines.soft") },
      privacy: "none",
    };
    if (number("participants_min") !== undefined) body.participants_min = number("participants_min");
    if (trains) {
      body.training = {
        local_steps: number("training.local_steps"),
        expected_batch: number("training.expected_batch"),
        learning_rate: number("training.learning_rate"),
      };
      body.records = { shape: list("records.shape"), classes: number("records.classes") };
    }
    if (trains && mode() !== "none") {
      body.privacy = { delta: value("delta"), sampling_rate: value("sampling_rate"), clip_norm: value("clip_norm") };
      if (mode() === "epsilon") body.privacy.epsilon = value("epsilon");
      else body.privacy.noise_multiplier = value("noise_multiplier");
    }
    return body;
  }

  form.addEventListener("input", () => {
    outputs();
    rule();
    clearTimeout(timer);
    if (mode() !== "none") timer = setTimeout(calibrate, 90);
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const draft = event.submitter?.name === "draft";
    const run = await Form.call(form, "POST", "/api/v1/runs" + (draft ? "?start=false" : ""), specification(), { "idempotency-key": Form.key() });
    if (run) location.href = "/runs/" + run.name;
  });
  /** Only what the chosen model has. */
  function fit() {
    const kind = input("model").value;
    const shown = {
      "model.hidden": kind === "mlp", "model.layers": kind === "layers", "model.parameters": kind === "none",
      "records.shape": kind !== "none", "records.classes": kind !== "none",
      "training.local_steps": kind !== "none", "training.expected_batch": kind !== "none", "training.learning_rate": kind !== "none",
    };
    for (const [name, isShown] of Object.entries(shown)) input(name).closest(".field").hidden = !isShown;
  }
  input("model").addEventListener("change", fit);
  fit();
  outputs();
  rule();
  calibrate();
})();
