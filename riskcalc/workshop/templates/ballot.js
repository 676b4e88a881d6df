// The ballot page. Everything is built from elements and text, so nothing that a register says can be markup.
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== ""));
  return made;
}

let forms = 0;

function scale(axis, legend, ratings, chosen, prefix) {
  const options = [...ratings].reverse().map((rating) => ({ ...rating, value: String(rating.rating) }));
  options.push({ value: "", name: "Can't say", definition: "" });
  const inputs = options.map((option) => {
    const id = `${prefix}-${axis}-${option.value || "none"}`;
    const checked = chosen !== undefined && String(chosen ?? "") === option.value;
    const label = element("label", { for: id },
      element("strong", {}, option.value ? `${option.value} ${option.name}` : option.name),
      option.definition ? element("span", {}, option.definition) : "");
    return element("div", { class: "option" },
      element("input", { type: "radio", id, name: `${prefix}-${axis}`, value: option.value, checked, required: true }), label);
  });
  return element("fieldset", {}, element("legend", {}, legend), ...inputs);
}

function joining(page, send) {
  const id = `name-${++forms}`;
  const input = element("input", { type: "text", id, autocomplete: "name", required: true, maxlength: "80" });
  return element("form", { onsubmit: (event) => { event.preventDefault(); send({ action: "join", name: input.value }); } },
    element("label", { for: id }, "Your name"), input,
    element("p", { class: "hint" }, `It shows that you have voted, and is kept apart from what you vote. Votes are shown together, from ${page.minimum} on.`),
    element("button", { type: "submit" }, "Take part"));
}

function voting(page, send) {
  const prefix = `vote-${++forms}`;
  const read = (form, axis) => {
    const value = new FormData(form).get(`${prefix}-${axis}`);
    return value ? Number(value) : null;
  };
  const form = element("form", {
    onsubmit: (event) => {
      event.preventDefault();
      send({ action: "cast", risk_id: page.risk_id, number: page.round,
             likelihood: read(form, "likelihood"), impact: read(form, "impact") });
    },
  },
    scale("likelihood", "How likely, before controls?", page.scales.likelihood, page.likelihood, prefix),
    scale("impact", "How bad, before controls?", page.scales.impact, page.impact, prefix),
    element("button", { type: "submit" }, page.state === "voted" ? "Change my vote" : "Cast my vote"));
  return form;
}

const SAID = {
  voting: "Vote for yourself; nobody sees single votes.",
  voted: "Your vote is in. You can change it until the votes are shown.",
  voted_elsewhere: "Somebody of your name has voted on this risk, on this or another page.",
  revealed: "The votes are shown on the facilitator's screen. Discuss; this page goes on by itself.",
};

function body(page, send) {
  if (page.state === "waiting") return [element("p", { class: "hint" }, page.hint)];
  if (page.state === "joining") return [joining(page, send)];
  const id = `risk-${++forms}`;
  const options = [element("option", { value: "" }, "The risk that is up"),
    ...page.others.map((risk) => element("option", { value: risk.risk_id, selected: !page.is_up && risk.risk_id === page.risk_id },
      `${risk.risk_id} ${risk.title}`))];
  const said = element("p", { class: "said" }, SAID[page.state]);
  const voted = page.state !== "voting"; // what became of a vote comes first: a description may be longer than a screen
  return [
    voted ? said : "",
    element("p", { class: "eyebrow" }, `${page.risk_id}, round ${page.round}${page.is_up ? "" : ", ahead of the group"}`),
    element("h2", {}, page.heading),
    element("p", {}, page.description),
    voted ? "" : said,
    page.state === "voting" || page.state === "voted" ? voting(page, send) : "",
    element("details", {}, element("summary", {}, "Vote ahead, or as somebody else"),
      element("label", { for: id }, "Vote on"),
      element("select", { id, onchange: (event) => send({ action: "choose", risk_id: event.target.value }) }, ...options),
      element("button", { type: "button", class: "plain", onclick: () => send({ action: "leave" }) }, `I'm not ${page.name}`)),
  ];
}

function render({ model, el }) {
  const alone = !model.get("shared"); // a page of its own, not a part of the facilitator's notebook
  if (alone) document.documentElement.lang ||= "en";
  const main = element(alone ? "main" : "section", { class: "ballot" });
  const title = element(alone ? "h1" : "h2");
  const content = element("div", { class: "content" });
  const message = element("p", { class: "message", role: "status", "aria-live": "polite" });
  main.append(title, message, content);
  el.append(main);
  let asked = false; // by this page, not by the facilitator elsewhere
  const send = (what) => { asked = true; model.send(what); };
  const come = () => { // the ballot is longer than a screen, and what it says stands at its top
    if (alone || asked) main.scrollIntoView({ block: "start" });
    asked = false;
  };
  let shown = "";
  const draw = () => {
    const page = model.get("page");
    const now = JSON.stringify({ ...page, others: [] }); // never redraw a half-filled form for what it doesn't show
    if (now === shown) return;
    shown = now;
    title.textContent = page.title;
    if (alone) document.title = page.title.startsWith("No") ? "Ballot" : `Ballot: ${page.title}`;
    const focused = content.contains(document.activeElement);
    content.replaceChildren(...body(page, send));
    if (focused) (content.querySelector("input, button, select") ?? title).focus({ preventScroll: true });
    come();
  };
  const tell = () => {
    message.textContent = model.get("message");
    if (message.textContent) come();
  };
  model.on("change:page", draw);
  model.on("change:message", tell);
  draw();
  tell();
}

export default { render };
