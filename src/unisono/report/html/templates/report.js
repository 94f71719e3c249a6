"use strict";
// Everything from data is put in as text (textContent, setAttribute), never as HTML.

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function drawn(name, attributes = {}, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return node;
}

function data(id) {
  const holder = document.getElementById(id);
  return holder ? JSON.parse(holder.textContent) : {};
}

function arrow(direction) {
  return direction.replace("->", " \u2192 ");
}

// ---- Light and dark ----

function setUpTheme() {
  const button = document.getElementById("theme");
  const night = window.matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem("unisono-theme"); } catch { /* a page from a file may have no storage */ }
  const show = () => {
    const dark = chosen ? chosen === "dark" : night.matches;
    if (chosen) document.documentElement.dataset.theme = chosen;
    button.setAttribute("aria-pressed", String(dark));
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    chosen = button.getAttribute("aria-pressed") === "true" ? "light" : "dark";
    try { localStorage.setItem("unisono-theme", chosen); } catch { /* then it is forgotten */ }
    show();
  });
  night.addEventListener("change", show);
  show();
}

// ---- Tables that can be sorted ----

function sortValue(cell) {
  if (!cell) return null;
  const text = (cell.dataset.value ?? cell.textContent).trim();
  if (!text || (cell.classList.contains("empty") && !("value" in cell.dataset))) return null;
  const number = Number(text.replace("\u2212", "-").match(/^[-+]?[\d,]*\.?\d+(e[-+]?\d+)?/i)?.[0].replaceAll(",", ""));
  return cell.dataset.value !== undefined || (cell.classList.contains("number") && !Number.isNaN(number)) ? number : text;
}

function sortTable(table, header, announce) {
  const column = header.cellIndex;
  const first = header.classList.contains("number") ? "descending" : "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = header.getAttribute("aria-sort") === first ? other : first;
  const sign = order === "ascending" ? 1 : -1;
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row, place) => ({ row, place, value: sortValue(row.cells[column]) }));
  rows.sort((a, b) => {
    if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.place - b.place;
    const by = typeof a.value === "number" && typeof b.value === "number"
      ? a.value - b.value : String(a.value).localeCompare(String(b.value));
    return sign * by || a.place - b.place;
  });
  body.append(...rows.map((entry) => entry.row));
  for (const one of table.tHead.rows[0].cells) one.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", order);
  announce.textContent = `Sorted by ${header.textContent}, ${order}.`;
}

function setUpTables() {
  const announce = document.getElementById("announce");
  for (const table of document.querySelectorAll("table.sortable")) {
    if (!table.tHead || !table.tBodies.length) continue;
    for (const header of table.tHead.rows[0].cells) {
      if (!header.textContent.trim()) continue;
      const button = element("button", { type: "button" });
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => sortTable(table, header, announce));
    }
  }
}

// ---- Curves ----

const WIDTH = 460, HEIGHT = 280, LEFT = 52, RIGHT = 12, TOP = 10, BOTTOM = 40;
const DASHES = ["", "8 3", "10 3 2 3", "4 2"];

function ticks(low, high, log) {
  const found = [];
  if (log) {
    for (let decade = Math.floor(Math.log10(low)); 10 ** decade <= high * 1.001; decade += 1) {
      for (const digit of [1, 2, 5]) {
        const value = digit * 10 ** decade;
        if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
      }
    }
    return found;
  }
  const raw = (high - low) / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((digit) => digit * power).find((value) => value >= raw);
  for (let at = Math.ceil(low / step); at * step <= high + step * 1e-6; at += 1) found.push(Number((at * step).toPrecision(6)));
  return found;
}

function styleOf(series, order) {
  if (series.chance) return { name: "chance", dash: "1 4" };
  const place = order.indexOf(series.name.replace(/^D: /, ""));
  return { name: `s${place % 7}`, dash: series.published ? "3 3" : DASHES[(place + 2 * Math.floor(place / 7)) % DASHES.length] };
}

function drawPanel(panel, chart, order, hidden) {
  const series = panel.series.filter((one) => !hidden.has(one.name) && one.x.length);
  const box = element("div", { class: "panel" }, element("h4", {}, panel.title));
  const svg = drawn("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", tabindex: "0", "aria-roledescription": "chart",
    "aria-label": `${panel.title}: ${chart.y} against ${chart.x || panel.title}, ${series.length} curves. `
      + "Left and right arrows read points, up and down choose a curve.",
  });
  const tip = element("div", { class: "tip" });
  box.append(svg, tip);
  if (!series.length) return box;
  const xs = series.flatMap((one) => one.x), ys = series.flatMap((one) => one.y);
  let [lowX, highX, lowY, highY] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  if (chart.zero) lowY = Math.min(lowY, 0);
  if (highX === lowX) highX = lowX + 1;
  if (highY === lowY) highY = lowY + 1;
  highY += (highY - lowY) * 0.05;
  const place = (value, low, high, log) => log
    ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  const toX = (x) => LEFT + place(x, lowX, highX, chart.log) * (WIDTH - LEFT - RIGHT);
  const toY = (y) => HEIGHT - BOTTOM - place(y, lowY, highY) * (HEIGHT - TOP - BOTTOM);
  for (const x of ticks(lowX, highX, chart.log)) {
    svg.append(drawn("path", { class: "grid", d: `M${toX(x)} ${TOP}V${HEIGHT - BOTTOM}` }));
    svg.append(drawn("text", { x: toX(x), y: HEIGHT - BOTTOM + 15, "text-anchor": "middle" }, String(x)));
  }
  for (const y of ticks(lowY, highY, false)) {
    svg.append(drawn("path", { class: "grid", d: `M${LEFT} ${toY(y)}H${WIDTH - RIGHT}` }));
    svg.append(drawn("text", { x: LEFT - 6, y: toY(y) + 4, "text-anchor": "end" }, String(y)));
  }
  svg.append(drawn("path", { class: "axis", d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}` }));
  svg.append(drawn("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, chart.x));
  svg.append(drawn("text", { transform: `translate(12 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle" }, chart.y));
  const curves = series.map((one) => {
    const style = styleOf(one, order);
    const path = one.x.map((x, at) => `${at ? "L" : "M"}${toX(x).toFixed(1)} ${toY(one.y[at]).toFixed(1)}`).join("");
    const curve = drawn("path", { class: `curve ${style.name}`, d: path, "stroke-dasharray": style.dash });
    svg.append(curve);
    if (one.x.length <= 12 && !one.chance) {
      one.x.forEach((x, at) => svg.append(drawn("circle", { class: `dot ${style.name}`, cx: toX(x), cy: toY(one.y[at]), r: 3 })));
    }
    return curve;
  });
  const dot = drawn("circle", { class: "dot", r: 5, visibility: "hidden" });
  svg.append(dot);
  let current = [0, 0];
  const point = (which, at, announce) => {
    current = [which, at];
    const one = series[which];
    const text = `${one.name}: ${one.y[at]} at ${one.x[at]}`;
    dot.setAttribute("class", `dot ${styleOf(one, order).name}`);
    dot.setAttribute("cx", toX(one.x[at]));
    dot.setAttribute("cy", toY(one.y[at]));
    dot.setAttribute("visibility", "visible");
    curves.forEach((curve, index) => curve.classList.toggle("faded", index !== which));
    tip.textContent = text;
    const scale = svg.clientWidth / WIDTH;
    const left = Math.min(toX(one.x[at]) * scale + 10, Math.max(svg.clientWidth - tip.offsetWidth - 4, 0));
    tip.style.left = `${left}px`;
    tip.style.top = `${toY(one.y[at]) * scale + svg.offsetTop - tip.offsetHeight - 10}px`;
    if (announce) document.getElementById("announce").textContent = text;
  };
  const leave = () => {
    tip.textContent = "";
    dot.setAttribute("visibility", "hidden");
    curves.forEach((curve) => curve.classList.remove("faded"));
  };
  svg.addEventListener("pointermove", (event) => {
    const area = svg.getBoundingClientRect();
    const x = (event.clientX - area.left) * WIDTH / area.width, y = (event.clientY - area.top) * HEIGHT / area.height;
    let nearest = null, best = Infinity;
    series.forEach((one, which) => one.x.forEach((value, at) => {
      const away = Math.hypot(toX(value) - x, toY(one.y[at]) - y);
      if (away < best) [best, nearest] = [away, [which, at]];
    }));
    if (nearest && best < 60) point(...nearest, false); else leave();
  });
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("blur", leave);
  svg.addEventListener("focus", () => { if (svg.matches(":focus-visible")) point(...current, false); });
  svg.addEventListener("keydown", (event) => {
    let [which, at] = current;
    if (event.key === "ArrowRight") at += 1;
    else if (event.key === "ArrowLeft") at -= 1;
    else if (event.key === "ArrowDown") which += 1;
    else if (event.key === "ArrowUp") which -= 1;
    else return;
    event.preventDefault();
    which = (which + series.length) % series.length;
    point(which, Math.max(0, Math.min(at, series[which].x.length - 1)), true);
  });
  return box;
}

function setUpChart(holder, chart) {
  const groups = [...new Set(chart.panels.map((panel) => panel.group).filter(Boolean))];
  const hidden = new Set();
  const area = element("div"), legend = element("ul", { class: "legend", "aria-label": "Curves, to show and hide" });
  let group = groups[0];
  const shown = () => chart.panels.filter((panel) => !group || panel.group === group);
  const order = () => [...new Set(shown().flatMap((panel) => panel.series).filter((one) => !one.chance).map((one) => one.name.replace(/^D: /, "")))];
  const draw = () => {
    const panels = shown();
    const box = element("div", { class: panels.length === 1 ? "panels one" : "panels" });
    box.append(...panels.map((panel) => drawPanel(panel, chart, order(), hidden)));
    area.replaceChildren(box);
  };
  const list = () => {
    const names = new Map(shown().flatMap((panel) => panel.series).map((one) => [one.name, one]));
    legend.replaceChildren(...[...names.values()].map((one) => {
      const style = styleOf(one, order());
      const sample = drawn("svg", { viewBox: "0 0 28 10", "aria-hidden": "true" });
      sample.append(drawn("path", { class: `curve ${style.name}`, d: "M0 5H28", "stroke-dasharray": style.dash }));
      const button = element("button", { type: "button", "aria-pressed": "true" }, sample, one.name);
      button.addEventListener("click", () => {
        if (hidden.has(one.name)) hidden.delete(one.name); else hidden.add(one.name);
        button.setAttribute("aria-pressed", String(!hidden.has(one.name)));
        draw();
      });
      return element("li", {}, button);
    }));
  };
  if (groups.length > 1) {
    const select = element("select", {}, ...groups.map((name) => element("option", { value: name }, name)));
    select.addEventListener("change", () => { group = select.value; hidden.clear(); list(); draw(); });
    holder.append(element("div", { class: "controls" }, element("label", {}, "Experiment", select)));
  }
  holder.append(area, legend);
  list();
  draw();
}

function setUpCharts() {
  const charts = data("charts");
  for (const holder of document.querySelectorAll("[data-chart]")) {
    if (charts[holder.dataset.chart]) setUpChart(holder, charts[holder.dataset.chart]);
  }
}

// ---- Gallery ----

function setUpGallery() {
  const holder = document.getElementById("gallery-view");
  if (!holder) return;
  const sources = [...document.querySelectorAll("script[data-gallery]")];
  if (!sources.length) return;
  const read = new Map();
  const open = (name) => {
    if (!read.has(name)) read.set(name, data(`gallery-${name}`));
    return read.get(name);
  };
  const state = { set: null, method: 0, direction: "", query: 0 };
  const select = (label) => {
    const box = element("select");
    return [element("label", {}, label, box), box];
  };
  const [setLabel, setBox] = select("Data set"), [methodLabel, methodBox] = select("Method");
  const [directionLabel, directionBox] = select("Direction"), [queryLabel, queryBox] = select("Query");
  const before = element("button", { type: "button", "aria-label": "Previous query" }, "Previous");
  const after = element("button", { type: "button", "aria-label": "Next query" }, "Next");
  const remark = element("p", { class: "about" });
  const status = element("output", { class: "status", "aria-live": "polite" });
  const asked = element("div", { class: "asked" }), hits = element("ol", { class: "hits", "aria-label": "First results" });
  holder.replaceChildren(
    element("div", { class: "controls", role: "group", "aria-label": "What is shown" }, setLabel, methodLabel, directionLabel, queryLabel, before, after),
    remark, status, asked, hits,
  );
  const fill = (box, entries, chosen) => {
    box.replaceChildren(...entries.map(([value, text]) => element("option", { value }, text)));
    box.value = chosen;
  };
  const name = (item) => [item.id, item.label && `(${item.label})`].filter(Boolean).join(" ");

  const partsOf = (item, method, views) => views.map((view, place) => {
    const parts = item.parts[method.looks[view]] ?? item.parts[view] ?? [];
    const shown = parts.map((part) => {
      const alt = `${view} of ${name(item)}: ${part.alt ?? ""}`;
      if (part.kind === "text") return element("blockquote", {}, part.text);
      if (part.kind === "sound") return element("audio", { controls: "", preload: "metadata", src: part.src, "aria-label": alt });
      return element("div", { class: "strip" }, element("img", { class: "part", src: part.src, alt }));
    });
    const note = parts.find((part) => part.kind === "sound")?.alt;
    const label = element("span", { class: "view" }, note ? `${view}, ${note}` : view);
    const kind = `part${place ? "" : " searched"}${note ? " sounding" : ""}`;
    return shown.length ? element("div", { class: kind }, label, ...shown) : null;
  }).filter(Boolean);

  // What a picture and a song have in common: words are the item's, where its data set says so.
  const sharedWords = (query, item) => {
    const common = (query.words ?? []).filter((word) => (item.words ?? []).includes(word));
    return common.length ? `: ${common.join(", ")}` : "";
  };
  // Where items are of one view each, a direction has queries of its own.
  const queriesOf = (set) => set.asked[state.direction] ?? set.queries.map((_, at) => at);

  function show() {
    const set = open(state.set), method = set.methods[state.method];
    const [from, to] = state.direction.split("->");
    const query = set.items[set.queries[state.query]];
    const answer = method.answers[state.direction]?.[state.query];
    const views = [...new Set(Object.keys(method.answers).flatMap((direction) => direction.split("->")))];
    const ordered = (first) => [first, ...views.filter((view) => view !== first)];
    asked.replaceChildren(element("div", { class: "hit" },
      element("h4", {}, `Query, given as ${from}: ${name(query)}`),
      query.about ? element("p", { class: "about" }, query.about) : null, element("div", { class: "parts" }, ...partsOf(query, method, ordered(from)))));
    hits.className = set.paired ? "hits wide" : "hits";
    asked.className = set.paired ? "asked wide" : "asked";
    if (!answer) {
      hits.replaceChildren();
      status.textContent = `${method.name} has not ranked this query.`;
      return;
    }
    const [precision, rank, top] = answer;
    const several = Boolean(set.asked[state.direction]);
    const right = ([place, , belongs]) => {
      const item = set.items[place];
      if (several) return Boolean(belongs);
      return set.paired ? item.id === query.id : item.label === query.label;
    };
    hits.replaceChildren(...top.map((hit, at) => {
      const [place, score] = hit;
      const item = set.items[place], good = right(hit);
      let mark = good ? "\u2713 right" : "\u2717 wrong";
      if (several) mark += sharedWords(query, item);
      else if (item.id === query.id) mark += ", its own pair";
      else if (set.paired && item.group && item.group === query.group) mark += ", but of the same song";
      return element("li", { class: `hit ${good ? "right" : "wrong"}` },
        element("h4", {}, `${at + 1}. `, element("span", { class: "mark" }, mark), ` ${name(item)}`),
        element("p", { class: "about" }, [item.about, `${several ? "score" : "cosine"} ${score}`].filter(Boolean).join(", ")),
        element("div", { class: "parts" }, ...partsOf(item, method, ordered(to))));
    }));
    const n = top.filter(right).length;
    status.textContent = `${method.name}, ${arrow(state.direction)}, ${query.id}: ${n} of the first ${top.length} right; `
      + (set.paired && !several ? "" : `average precision ${(100 * precision).toFixed(1)} %; `)
      + `${several ? "the first that belongs to it" : "own pair"} at rank ${rank} of ${method.pools[state.direction]}.`;
  }

  function refresh() {
    const set = open(state.set);
    state.method = Math.min(state.method, set.methods.length - 1);
    const directions = Object.keys(set.methods[state.method].answers);
    if (!directions.includes(state.direction)) state.direction = directions[0];
    const queries = queriesOf(set);
    if (!queries.includes(state.query)) state.query = queries[0] ?? 0;
    fill(methodBox, set.methods.map((method, at) => [String(at), `${method.name} \u2013 ${method.key}`]), String(state.method));
    fill(directionBox, directions.map((direction) => [direction, arrow(direction)]), state.direction);
    fill(queryBox, queries.map((at) => [String(at), name(set.items[set.queries[at]])]), String(state.query));
    before.disabled = state.query === queries[0];
    after.disabled = state.query === queries.at(-1);
    remark.textContent = `Source ${set.source}; test items of ${set.part}. ${set.remark}`;
    show();
  }
  fill(setBox, sources.map((source) => [source.dataset.gallery, source.dataset.title]), sources[0].dataset.gallery);
  state.set = sources[0].dataset.gallery;
  setBox.addEventListener("change", () => { Object.assign(state, { set: setBox.value, method: 0, direction: "", query: 0 }); refresh(); });
  methodBox.addEventListener("change", () => { state.method = Number(methodBox.value); refresh(); });
  directionBox.addEventListener("change", () => { state.direction = directionBox.value; refresh(); });
  queryBox.addEventListener("change", () => { state.query = Number(queryBox.value); refresh(); });
  const turn = (step, button, other) => {
    const queries = queriesOf(open(state.set));
    state.query = queries[queries.indexOf(state.query) + step] ?? state.query;
    refresh();
    if (button.disabled) other.focus();
  };
  before.addEventListener("click", () => turn(-1, before, after));
  after.addEventListener("click", () => turn(1, after, before));
  // One sound at a time.
  holder.addEventListener("play", (event) => {
    for (const audio of holder.querySelectorAll("audio")) if (audio !== event.target) audio.pause();
  }, true);
  refresh();
}

setUpTheme();
setUpTables();
setUpCharts();
setUpGallery();
if (window.matchMedia("(max-width: 72rem)").matches) document.querySelector("nav details").open = false;
window.addEventListener("beforeprint", () => { for (const one of document.querySelectorAll("details")) one.open = true; });
