// What the page shows for each kind of answer: functions from an answer to a list of nodes.
// Whatever comes from a person or a model is put in as text, never as markup.

const MAX_COMPARED = 2_000_000;
const MAX_BARS = 12;
const HUES = 8;
const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** An element; properties are set as properties, strings become text. */
export function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

/** One line with a name, a level and a percentage. */
function bar(name, share, { lang = "", tag = "div", kind = "" } = {}) {
  const level = make("span", { className: "level" });
  level.style.inlineSize = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return make(tag, { className: `bar ${kind}` }, make("span", { className: "name", textContent: name, lang }),
    make("span", { className: "track", ariaHidden: "true" }, level),
    make("span", { className: "figure", textContent: percent(share) }));
}

/** The text with its best tokens in place, and the candidates of each gap to choose from. */
export function showFill(gaps, { text }, model) {
  if (!gaps.length) return [make("p", { textContent: "There is no [MASK] in this text." })];
  const letters = Array.from(text);
  const prose = make("p", { className: "prose", lang: model.lang });
  const lists = [];
  let last = 0;
  gaps.forEach((gap, number) => {
    const slot = make("span", { className: "gap", textContent: gap.candidates[0]?.token ?? "" });
    prose.append(letters.slice(last, gap.start).join(""), slot);
    last = gap.end;
    const bars = make("div", { className: "bars" });
    gap.candidates.forEach((one, rank) => {
      const choice = bar(one.token, one.probability, { tag: "label", kind: "choice", lang: model.lang });
      const input = make("input", { type: "radio", name: `gap-${number}`, checked: rank === 0 });
      input.addEventListener("change", () => { slot.textContent = one.token; });
      choice.prepend(input);
      bars.append(choice);
    });
    const title = gaps.length > 1 ? `Gap ${number + 1}: choose a token` : "Choose a token";
    lists.push(make("fieldset", {}, make("legend", { textContent: title }), bars));
  });
  prose.append(letters.slice(last).join(""));
  return [prose, ...lists];
}

/** The labels as bars, likeliest first; those that are the answer stand out. */
export function showLabel(answer, _, model) {
  const chosen = answer.labels ?? [answer.label];
  const sorted = Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1]);
  const bars = sorted.slice(0, MAX_BARS).map(([label, share]) =>
    bar(label, share, { kind: chosen.includes(label) ? "best" : "", lang: model.lang }));
  const more = sorted.length - bars.length;
  const rest = more > 0 ? [make("p", { className: "quiet", textContent: `and ${more} more` })] : [];
  return [make("div", { className: "bars" }, ...bars), ...rest];
}

/** A label as bars, or how much as a number. */
export function showPair(answer, asked, model) {
  if (answer.value === undefined) return showLabel(answer, asked, model);
  return [make("p", { className: "prose", textContent: answer.value.toFixed(2) })];
}

/** The text with its spans marked, and the spans as a table. Offsets are code points. */
export function showSpans(spans, { text }, model) {
  const letters = Array.from(text);
  const prose = make("p", { className: "prose", lang: model.lang });
  const rows = make("tbody");
  let last = 0;
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    rows.append(make("tr", {},
      make("td", { textContent: span.text, lang: model.lang }), make("td", { textContent: span.label }),
      make("td", { className: "number", textContent: `${span.start}–${span.end}` }),
      make("td", { className: "number", textContent: percent(span.probability) })));
    if (span.start < last) continue;
    const hue = Math.max(0, model.labels.indexOf(span.label)) % HUES;
    prose.append(letters.slice(last, span.start).join(""),
      make("mark", { className: `span hue-${hue}` }, letters.slice(span.start, span.end).join(""),
        make("small", { textContent: span.label })));
    last = span.end;
  }
  prose.append(letters.slice(last).join(""));
  if (!spans.length) return [prose, make("p", { className: "quiet", textContent: "Nothing was found." })];
  const head = make("tr", {}, ...["Text", "Label", "Place", "Probability"].map((title, column) =>
    make("th", { scope: "col", textContent: title, className: column > 1 ? "number" : "" })));
  return [prose, make("div", { className: "scroll" }, make("table", {}, make("thead", {}, head), rows))];
}

/** Words of a text; single code points where the browser has no segmenter. */
function words(text, lang) {
  if (!Intl.Segmenter) return Array.from(text);
  return Array.from(new Intl.Segmenter(lang || undefined, { granularity: "word" }).segment(text),
    (one) => one.segment);
}

/** The longest common subsequence of two lists, as [kind, piece]: "same", "lost" or "new". */
function compare(before, after) {
  const width = after.length + 1;
  const best = new Uint16Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      best[i * width + j] = before[i] === after[j]
        ? best[(i + 1) * width + j + 1] + 1
        : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
    }
  }
  const steps = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      steps.push(["same", before[i]]);
      i++; j++;
    } else if (j === after.length || (i < before.length && best[(i + 1) * width + j] >= best[i * width + j + 1])) {
      steps.push(["lost", before[i++]]);
    } else {
      steps.push(["new", after[j++]]);
    }
  }
  return steps;
}

/** The text that came back, and where it differs from the one that was sent. */
export function showReconstruction(answer, { text }, model) {
  const block = (title, ...pieces) => make("div", {}, make("p", { className: "caption", textContent: title }),
    make("p", { className: "prose", lang: model.lang }, ...pieces));
  const before = words(text, model.lang);
  const after = words(answer, model.lang);
  if (before.length * after.length > MAX_COMPARED) return [block("Rebuilt from the latent", answer)];
  const steps = compare(before, after);
  const paint = (kind, tag) => steps.filter(([one]) => one === "same" || one === kind)
    .map(([one, piece]) => (one === "same" ? piece : make(tag, { textContent: piece })));
  const count = (pieces) => pieces.filter((piece) => /[\p{L}\p{N}]/u.test(piece)).length;
  const kept = count(steps.filter(([kind]) => kind === "same").map(([, piece]) => piece));
  const share = kept / (count(before) || 1);
  return [block("Sent", ...paint("lost", "del")), block("Rebuilt from the latent", ...paint("new", "ins")),
    make("p", { className: "quiet", textContent: `${percent(share)} of the words came back in their order.` })];
}

/** Cosine similarities of some vectors as a matrix. */
export function showSimilarity(rows) {
  const cosine = (a, b) => a.reduce((sum, one, k) => sum + one * b[k], 0) / (Math.hypot(...a) * Math.hypot(...b) || 1);
  const names = rows.map((_, number) => String.fromCharCode(65 + number));
  const head = (name, scope) => make("th", { textContent: name, scope });
  const body = rows.map((row, i) => make("tr", {}, head(names[i], "row"), ...rows.map((other, j) => {
    const value = cosine(row, other);
    const cell = make("td", { textContent: value.toFixed(3), className: i === j ? "self" : "" });
    cell.style.setProperty("--level", String(Math.max(0, value)));
    return cell;
  })));
  const table = make("table", { className: "matrix" },
    make("thead", {}, make("tr", {}, make("td", { className: "self" }), ...names.map((name) => head(name, "col")))),
    make("tbody", {}, ...body));
  const about = `Cosine of vectors with ${rows[0].length} numbers: 1 is the same direction, 0 unrelated.`;
  return [make("div", { className: "scroll" }, table), make("p", { className: "quiet", textContent: about })];
}

/** The continued text; what was given is fainter. */
export function showGenerated(answer, { text }, model) {
  const same = answer.startsWith(text) ? text : "";
  return [make("p", { className: "prose", lang: model.lang },
    make("span", { className: "quiet", textContent: same }), answer.slice(same.length))];
}
