// The page: asks the server what its model can do, and builds one panel for each ability.

import {
  make, showFill, showGenerated, showLabel, showPair, showReconstruction, showSimilarity, showSpans,
} from "./answers.js";

const EXAMPLES = {
  zh: {
    fill: "今天天气很[MASK]，我们一起去公园[MASK]。",
    reconstruct: "春天来了，山上的花都开了。",
    classify: "这家店的面很好吃，服务也很周到。",
    tag: "李明昨天从北京坐火车去了上海。",
    translate: "明天可能会下雨。",
    pair: ["我喜欢读书。", "阅读是我的爱好。"],
    embed: ["我喜欢读书。", "阅读是我的爱好。", "明天可能会下雨。"],
    generate: "从前有一座山，",
  },
  en: {
    fill: "The weather is [MASK] today, so we walk in the [MASK].",
    reconstruct: "Spring is here, and the hills are in flower.",
    classify: "The noodles were excellent and the staff were kind.",
    tag: "Mary Smith took the train from Paris to Berlin.",
    translate: "It may rain tomorrow.",
    pair: ["I like reading.", "Books are my hobby."],
    embed: ["I like reading.", "Books are my hobby.", "It may rain tomorrow."],
    generate: "Once upon a time",
  },
};
const byId = (id) => document.getElementById(id);
let key = "";

/** Ask the server; an Error with its message when it says no. */
async function ask(route, body) {
  // A header holds bytes, and fetch takes each of them as one character.
  const bytes = String.fromCharCode(...new TextEncoder().encode(key));
  const headers = key ? { authorization: `Bearer ${bytes}` } : {};
  const options = body ? { method: "POST", body: JSON.stringify(body) } : {};
  if (body) headers["content-type"] = "application/json";
  let reply;
  try {
    reply = await fetch(route, { ...options, headers });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  const answer = await reply.json().catch(() => ({}));
  if (reply.ok) return answer;
  const message = answer.error?.message ?? `The server answered ${reply.status}.`;
  throw Object.assign(new Error(message), { status: reply.status });
}

// The panels

const TEXT = { name: "text", label: "Text", area: true };
const first = (answer) => answer.results[0];

// The first that a model can do is shown first, so what it was fine-tuned for.
const PANELS = [
  { ability: "classify", title: "Classify", action: "Classify", route: "classify",
    about: "One label for the whole text, with the probability of every label.",
    fields: [TEXT], body: ({ text }) => ({ texts: [text] }), read: first, show: showLabel },
  { ability: "tag", title: "Tag", action: "Tag", route: "tag",
    about: "Labels for pieces of the text.",
    fields: [TEXT], body: ({ text }) => ({ texts: [text] }), read: first, show: showSpans },
  { ability: "pair", title: "Two texts", action: "Answer", route: "pair",
    about: "How two texts stand to each other.",
    fields: ["A", "B"].map((name) => ({ name, label: `Text ${name}`, area: true, short: true })),
    body: ({ A, B }) => ({ pairs: [[A, B]] }), read: first, show: showPair },
  { ability: "translate", title: "Translate", action: "Translate", route: "translate",
    about: "The text in the other language, or rewritten as the pairs of training show.",
    fields: [TEXT], body: ({ text }) => ({ texts: [text] }), read: first, show: showReconstruction },
  { ability: "fill", title: "Fill gaps", action: "Fill", route: "fill", mask: true,
    about: "Put [MASK] where something is missing; the model proposes tokens for each gap.",
    fields: [TEXT, { name: "count", label: "Candidates", value: 5, min: 1, max: 100 }],
    body: ({ text, count }) => ({ texts: [text], count: Number(count) }), read: first, show: showFill },
  { ability: "reconstruct", title: "Reconstruct", action: "Reconstruct", route: "reconstruct",
    about: "The encoder squeezes the text into one latent; the decoder rebuilds the text from it alone.",
    fields: [TEXT], body: ({ text }) => ({ texts: [text] }), read: first, show: showReconstruction },
  { ability: "embed", title: "Compare", action: "Compare", route: "v1/embeddings",
    about: "How alike two or three texts are, as the model reads them.",
    fields: ["A", "B", "C"].map((name) => (
      { name, label: name === "C" ? "Text C (may stay empty)" : `Text ${name}`, area: true, short: true, optional: name === "C" })),
    body: ({ A, B, C }) => ({ input: [A, B, C].filter(Boolean) }),
    read: (answer) => answer.data.map((one) => one.embedding), show: showSimilarity },
  { ability: "generate", title: "Generate", action: "Generate", route: "generate",
    about: "The model carries the text on. The same seed gives the same text.",
    fields: [TEXT, { name: "length", label: "Tokens", value: 32, min: 1, max: 1024 },
      { name: "temperature", label: "Temperature", value: 0.8, min: 0, max: 5, step: 0.1 },
      { name: "seed", label: "Seed", value: 0, min: 0, max: Number.MAX_SAFE_INTEGER }],
    body: ({ text, length, temperature, seed }) => (
      { texts: [text], length: Number(length), temperature: Number(temperature), seed: Number(seed) }),
    read: first, show: showGenerated },
];

/** One labelled input or text area. */
function makeField(field, panel, { lang, example }) {
  const id = `${panel.ability}-${field.name}`;
  const input = field.area
    ? make("textarea", { id, lang, value: example ?? "", className: field.short ? "short" : "", rows: field.short ? 1 : 3, spellcheck: false })
    : make("input", { id, type: "number", value: field.value, min: field.min, max: field.max, step: field.step ?? 1 });
  input.required = !field.optional;
  input.name = field.name;
  return make("label", { className: "field", htmlFor: id }, make("span", { textContent: field.label }), input);
}

/** The command that asks the same from a terminal. */
function command(panel, body) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const secret = key ? ` \\\n  -H "Authorization: Bearer $KEY"` : "";
  const address = new URL(panel.route, document.baseURI).href;
  return `curl ${quote(address)}${secret} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quote(JSON.stringify(body))}`;
}

/** A whole panel: its form, and the place for its answer. */
function makePanel(panel, model) {
  const examples = [model.examples[panel.ability]].flat();
  const areas = panel.fields.filter((field) => field.area);
  const fields = panel.fields.map((field) =>
    makeField(field, panel, { lang: model.lang, example: examples[areas.indexOf(field)] }));
  const small = fields.filter((_, index) => !panel.fields[index].area);
  const run = make("button", { className: "main", type: "submit", textContent: panel.action });
  const state = make("span", { className: "state" });
  state.setAttribute("role", "status");
  const actions = make("div", { className: "actions" }, run, state);
  const form = make("form", {}, ...fields.filter((one) => !small.includes(one)),
    make("div", { className: "row" }, ...small), actions);
  const result = make("div", { className: "result", hidden: true });
  const problem = make("p", { className: "problem", hidden: true });
  problem.setAttribute("role", "alert");
  if (panel.mask) run.after(maskButton(form));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    answerTo(panel, model, { form, run, state, result, problem });
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  const section = make("section", { className: "panel sheet", id: `panel-${panel.ability}` },
    make("p", { className: "about", textContent: panel.about }), form, problem, result);
  section.setAttribute("role", "tabpanel");
  section.setAttribute("aria-labelledby", `tab-${panel.ability}`);
  return section;
}

/** Puts a gap where the cursor is. */
function maskButton(form) {
  const button = make("button", { type: "button", textContent: "Insert [MASK]" });
  button.addEventListener("click", () => {
    const area = form.elements.namedItem("text");
    area.setRangeText("[MASK]", area.selectionStart, area.selectionEnd, "end");
    area.focus();
  });
  return button;
}

/** Ask, and show the answer or the reason why there is none. */
async function answerTo(panel, model, { form, run, state, result, problem }) {
  const values = Object.fromEntries(new FormData(form));
  // A form's data has CR LF at line ends, but offsets of an answer count what was typed.
  for (const name of Object.keys(values)) values[name] = form.elements.namedItem(name).value;
  const body = panel.body(values);
  const start = performance.now();
  run.disabled = true;
  state.textContent = "Working …";
  try {
    const answer = panel.read(await ask(panel.route, body));
    state.textContent = `${Math.round(performance.now() - start)} ms`;
    result.replaceChildren(...panel.show(answer, values, model),
      make("details", {}, make("summary", { textContent: "The same from a terminal" }),
        make("pre", { textContent: command(panel, body) })));
    problem.hidden = true;
    result.hidden = false;
  } catch (error) {
    state.textContent = "";
    problem.textContent = error.message;
    problem.hidden = false;
    result.hidden = true;
  } finally {
    run.disabled = false;
  }
}

/** Tabs with one panel each; arrow keys, Home and End move between them. */
function makeTabs(panels, model) {
  const tabs = panels.map((panel) => {
    const tab = make("button", { type: "button", id: `tab-${panel.ability}`, textContent: panel.title });
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", `panel-${panel.ability}`);
    return tab;
  });
  const sections = panels.map((panel) => makePanel(panel, model));
  const select = (chosen) => tabs.forEach((tab, index) => {
    tab.setAttribute("aria-selected", String(index === chosen));
    tab.tabIndex = index === chosen ? 0 : -1;
    sections[index].hidden = index !== chosen;
  });
  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => {
      select(index);
      history.replaceState(null, "", `#${panels[index].ability}`);
    });
    tab.addEventListener("keydown", ({ key: pressed }) => {
      const steps = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 };
      if (!(pressed in steps)) return;
      const next = tabs[(steps[pressed] + tabs.length) % tabs.length];
      next.click();
      next.focus();
    });
  });
  byId("tabs").replaceChildren(...tabs);
  byId("panels").replaceChildren(...sections);
  select(Math.max(0, panels.findIndex((panel) => `#${panel.ability}` === location.hash)));
}

// The card

/** A fact for a reader: numbers grouped, lists joined, tables as a smaller list. */
function fact(value) {
  if (typeof value === "number") {
    const digits = Number.isInteger(value) ? {} : { maximumSignificantDigits: 4 };
    return value.toLocaleString("en", digits);
  }
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map(fact).join(", ");
  if (value !== null && typeof value === "object") return facts(value);
  return String(value ?? "–");
}

/** A list of names and facts. */
function facts(table) {
  return make("dl", {}, ...Object.entries(table).map(([name, value]) => {
    const title = name.replaceAll("_", " ");
    return make("div", {}, make("dt", { textContent: title.charAt(0).toUpperCase() + title.slice(1) }),
      make("dd", {}, fact(value)));
  }));
}

/** Name, one line of summary, and the card. */
function introduce(model) {
  const language = model.card.language;
  let spoken = "";
  try {
    spoken = language ? new Intl.DisplayNames("en", { type: "language" }).of(language) : "";
  } catch {
    spoken = String(language);
  }
  document.title = `${model.id} · autolect`;
  byId("name").textContent = model.id;
  byId("summary").textContent = [spoken, `texts of up to ${fact(model.max_tokens)} tokens`].filter(Boolean).join(" · ");
  const { examples, ...shown } = model.card;
  byId("card").replaceChildren(facts(shown));
  if (model.labels.length) {
    const chips = model.labels.map((label) => make("li", { textContent: label, lang: model.lang }));
    byId("card").firstChild.append(make("div", {}, make("dt", { textContent: "Labels" }),
      make("dd", {}, make("ul", { className: "chips" }, ...chips))));
  }
}

/** Everything again from the server's word: who is there, and what it can do. */
async function load() {
  byId("trouble").hidden = true;
  try {
    const model = (await ask("v1/models")).data[0];
    const lang = typeof model.card.language === "string" ? model.card.language : "";
    const chosen = EXAMPLES[lang.split("-")[0]] ?? EXAMPLES.en;
    Object.assign(model, { lang, examples: { ...chosen, ...model.card.examples } });
    introduce(model);
    makeTabs(PANELS.filter((panel) => model.abilities.includes(panel.ability)), model);
    byId("door").hidden = true;
    byId("house").hidden = false;
  } catch (error) {
    const locked = error.status === 401;
    byId("name").textContent = locked ? "A model behind a door" : "No model";
    byId("door").hidden = !locked;
    byId("trouble").hidden = locked && !key;
    byId("trouble").textContent = locked ? "That key does not fit." : error.message;
  }
}

byId("door").addEventListener("submit", (event) => {
  event.preventDefault();
  key = byId("key").value.trim();
  load();
});
load();
