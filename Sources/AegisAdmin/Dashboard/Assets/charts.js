// Line and bar charts as SVG, and the stream that feeds them.
"use strict";

const Chart = (() => {
  const space = "http://www.w3.org/2000/svg";
  const size = { width: 560, height: 210, left: 46, right: 14, top: 12, bottom: 26 };

  function node(name, attributes, parent) {
    const element = document.createElementNS(space, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent?.append(element);
    return element;
  }

  /** Round steps that give four or five lines. */
  function ticks(low, high, count = 4) {
    const span = high - low || 1;
    const raw = span / count;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw) ?? raw;
    const list = [];
    for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-6; tick += step) list.push(tick);
    return list;
  }

  function label(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 1000) return (value / 1000).toFixed(size >= 10000 ? 0 : 1) + "k";
    return String(Number(value.toPrecision(3)));
  }

  /** series: [{points: [[x, y]], kind: main|faint|line, name, index}], limit: number|null */
  function draw(place, { series, bars, limit, low, title, format, xLast, small }) {
    // Drawn at the size it is shown at, so that letters keep theirs.
    const width = Math.max(240, Math.round(place.clientWidth || size.width));
    const box = small ? { ...size, width, height: 104, bottom: 20, top: 8 } : { ...size, width };
    const all = series.flatMap((s) => s.points).concat(bars ?? []);
    place.replaceChildren();
    if (!all.length) return;
    const xs = all.map((p) => p[0]);
    const xLow = Math.min(...xs);
    const xHigh = Math.max(xLast ?? 0, ...xs, xLow + 1);
    let yLow = low ?? Math.min(...all.map((p) => p[1]));
    let yHigh = Math.max(...all.map((p) => p[1]), limit ?? -Infinity);
    if (yHigh - yLow < 1e-9) { yHigh += Math.abs(yHigh) * 0.1 || 1; if (low == null) yLow -= Math.abs(yLow) * 0.1; }
    const pad = (yHigh - yLow) * 0.06;
    yHigh += pad;
    if (low == null) yLow -= pad;
    // Bars stand on their round, so the first and the last need half their place beside it.
    const inset = bars ? (box.width - box.left - box.right) / (xHigh - xLow + 1) / 2 : 0;
    const x = (v) => box.left + inset + ((v - xLow) / (xHigh - xLow)) * (box.width - box.left - box.right - 2 * inset);
    const y = (v) => box.height - box.bottom - ((v - yLow) / (yHigh - yLow)) * (box.height - box.top - box.bottom);
    const svg = node("svg", { viewBox: `0 0 ${box.width} ${box.height}`, role: "img", "aria-label": title }, place);
    for (const tick of ticks(yLow, yHigh, small ? 2 : 4)) {
      node("line", { x1: box.left, x2: box.width - box.right, y1: y(tick), y2: y(tick), class: "grid-line" }, svg);
      node("text", { x: box.left - 8, y: y(tick) + 4, "text-anchor": "end" }, svg).textContent = format(tick);
    }
    for (const tick of ticks(xLow, xHigh, 6).filter((t) => Number.isInteger(t) || small)) {
      node("text", { x: x(tick), y: box.height - 6, "text-anchor": "middle" }, svg).textContent = label(tick);
    }
    if (limit != null) {
      node("line", { x1: box.left, x2: box.width - box.right, y1: y(limit), y2: y(limit), class: "limit" }, svg);
      node("text", { x: box.width - box.right, y: y(limit) - 5, "text-anchor": "end" }, svg).textContent = "budget " + format(limit);
    }
    if (bars) {
      const thick = Math.max(2, Math.min(26, ((box.width - box.left - box.right) / (xHigh - xLow + 1)) * 0.62));
      for (const [bx, by] of bars) {
        node("rect", { x: x(bx) - thick / 2, y: y(by), width: thick, height: Math.max(1, y(yLow) - y(by)), rx: 1.5, class: "bar" }, svg);
      }
    }
    for (const one of series.filter((s) => s.points.length)) {
      const path = one.points.map((p, i) => (i ? "L" : "M") + x(p[0]).toFixed(1) + " " + y(p[1]).toFixed(1)).join("");
      if (one.kind === "main" && one.fill) {
        const last = one.points[one.points.length - 1];
        node("path", { d: `${path}L${x(last[0])} ${y(yLow)}L${x(one.points[0][0])} ${y(yLow)}Z`, class: "band" }, svg);
      }
      node("path", { d: path, class: one.kind === "line" ? `line c${one.index % 6}` : one.kind }, svg);
      if (one.kind === "main" || one.points.length === 1) {
        const last = one.points[one.points.length - 1];
        node("circle", { cx: x(last[0]), cy: y(last[1]), r: 3, class: "bar" }, svg);
      }
    }
    if (!small) hover(place, svg, box, { x, xLow, xHigh, inset }, series, bars, format);
  }

  /** A line under the pointer with all values of that round; by keyboard with the arrow keys. */
  function hover(place, svg, box, scale, series, bars, format) {
    const line = node("line", { y1: box.top, y2: box.height - box.bottom, class: "cursor", visibility: "hidden" }, svg);
    let tip = null;
    function hide() {
      tip?.remove();
      tip = null;
      line.setAttribute("visibility", "hidden");
    }
    function show(round) {
      const rows = [];
      for (const one of series) {
        const point = one.points.find((p) => p[0] === round);
        if (point) rows.push(`${one.name}  ${format(point[1])}`);
      }
      const bar = bars?.find((p) => p[0] === round);
      if (bar) rows.unshift(`slowest  ${format(bar[1])}`);
      if (!rows.length) return hide();
      line.setAttribute("x1", scale.x(round));
      line.setAttribute("x2", scale.x(round));
      line.setAttribute("visibility", "visible");
      if (!tip) {
        tip = document.createElement("div");
        tip.className = "tip";
        place.append(tip);
      }
      tip.textContent = `round ${round}\n` + rows.slice(0, 9).join("\n");
      const part = scale.x(round) / box.width;
      tip.style.left = part < 0.6 ? `calc(${part * 100}% + 12px)` : "auto";
      tip.style.right = part < 0.6 ? "auto" : `calc(${(1 - part) * 100}% + 12px)`;
      tip.style.top = "14px";
    }
    svg.addEventListener("pointermove", (event) => {
      const area = svg.getBoundingClientRect();
      const at = ((event.clientX - area.left) / area.width) * box.width;
      const part = (at - box.left - scale.inset) / (box.width - box.left - box.right - 2 * scale.inset);
      show(Math.round(scale.xLow + part * (scale.xHigh - scale.xLow)));
    });
    svg.addEventListener("pointerleave", hide);
  }

  return { draw, label };
})();

(function run() {
  const place = document.querySelector("[data-run]");
  if (!place) return;
  const rounds = new Map();
  let budgets = [];
  let planned = 0;
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

  function byNode(field, scale = 1) {
    const nodes = new Map();
    for (const round of rounds.values()) {
      for (const measure of round.measures) {
        if (measure[field] == null) continue;
        if (!nodes.has(measure.name)) nodes.set(measure.name, []);
        nodes.get(measure.name).push([round.round, measure[field] * scale]);
      }
    }
    return [...nodes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, points], index) => ({ name, points, index: index + 1 }));
  }

  function means(field, scale = 1) {
    const points = [];
    for (const round of rounds.values()) {
      const values = round.measures.map((m) => m[field]).filter((v) => v != null);
      if (values.length) points.push([round.round, mean(values) * scale]);
    }
    return points;
  }

  function draw() {
    const plot = (name) => place.querySelector(`[data-chart="${name}"] .plot`);
    if (!rounds.size) return;
    const none = (name, text) => {
      const message = document.createElement("p");
      message.className = "waiting";
      message.textContent = text;
      plot(name).replaceChildren(message);
    };
    for (const [field, scale, format] of [["accuracy", 100, (v) => Chart.label(v) + " %"], ["loss", 1, Chart.label]]) {
      const points = means(field, scale);
      if (!points.length) { none(field, "This run doesn't train"); continue; }
      const faint = byNode(field, scale).map((s) => ({ ...s, kind: "faint" }));
      Chart.draw(plot(field), { series: [...faint, { name: "mean", points, kind: "main" }], title: `${field} by round`, format, xLast: planned });
    }
    const spent = byNode("epsilon").map((s) => ({ ...s, kind: "line" }));
    const limits = budgets.map((b) => b.budget_epsilon);
    const largest = Math.max(0, ...spent.flatMap((s) => s.points.map((p) => p[1])));
    const limit = limits.length ? Math.min(...limits) : null;
    if (!spent.length) none("epsilon", "No privacy was asked for");
    else Chart.draw(plot("epsilon"), { series: spent, low: 0, limit: limit != null && limit < largest * 12 ? limit : null, title: "epsilon by round", format: Chart.label, xLast: planned });
    const bars = [...rounds.values()].filter((r) => r.measures.length).map((r) => [r.round, Math.max(...r.measures.map((m) => m.seconds))]);
    Chart.draw(plot("seconds"), { series: [], bars, low: 0, title: "seconds by round", format: (v) => Chart.label(v) + " s", xLast: planned });
  }

  new ResizeObserver(() => draw()).observe(place);

  let waiting = null;
  function soon(work) {
    clearTimeout(waiting);
    waiting = setTimeout(work, 120);
  }

  function changed() {
    soon(() => {
      draw();
      Aegis.refresh().catch(() => {});
    });
  }

  const source = new EventSource(`/api/v1/runs/${place.dataset.run}/events`);
  source.addEventListener("round", (event) => {
    const round = JSON.parse(event.data);
    rounds.set(round.round, round);
    changed();
  });
  source.addEventListener("run", (event) => {
    planned = JSON.parse(event.data).rounds;
    changed();
  });
  source.addEventListener("progress", (event) => {
    budgets = JSON.parse(event.data).budgets;
    changed();
  });
  source.addEventListener("end", () => {
    source.close();
    planned = 0;
    changed();
  });
  let failures = 0;
  source.addEventListener("open", () => {
    if (failures) Aegis.quiet();
    failures = 0;
  });
  source.addEventListener("error", () => {
    failures += 1;
    if (failures === 2) Aegis.say("The admin doesn't answer. The figures may be old; training goes on.", "warn");
  });
  addEventListener("pagehide", () => source.close());
})();
