// The projector's view. The HTML comes from the notebook's kernel, which escapes whatever a register or a person wrote.
function button(text, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", act);
  return made;
}

function render({ model, el }) {
  const style = document.createElement("style");
  style.textContent = model.get("css");
  const bar = document.createElement("div");
  bar.className = "room-bar";
  const view = document.createElement("div");
  view.className = "room-view room-preview";
  const told = document.createElement("span");
  told.setAttribute("role", "status");
  let far = null; // the window on the projector
  const draw = () => {
    view.innerHTML = model.get("html");
    if (far && !far.closed) far.document.querySelector("main").innerHTML = model.get("html");
  };
  const open = () => {
    far = window.open("", "riskcalc-projector", "popup,width=1280,height=800");
    told.textContent = far ? "Drag the window to the projector, then press Full screen in it."
      : "The browser kept the window from opening: allow pop-ups for this page, or use Full screen.";
    if (!far) return;
    const page = far.document;
    page.documentElement.lang = "en";
    page.title = "Workshop: for the projector";
    page.body.style.margin = "0";
    const main = page.createElement("main");
    const own = page.createElement("header");
    own.className = "room-bar";
    own.style.padding = "8px 36px 0";
    const full = page.createElement("button");
    full.textContent = "Full screen";
    full.addEventListener("click", () => page.documentElement.requestFullscreen());
    own.append(full);
    page.head.replaceChildren(style.cloneNode(true), ...page.head.querySelectorAll("title"));
    page.body.replaceChildren(own, main);
    draw();
    far.focus();
  };
  bar.append(button("Open the projector's window", open), button("Full screen", () => view.requestFullscreen()), told);
  view.addEventListener("fullscreenchange", () => view.classList.toggle("room-preview", document.fullscreenElement !== view));
  window.addEventListener("pagehide", () => far?.close()); // it would go on showing what was
  el.append(style, bar, view);
  model.on("change:html", draw);
  draw();
}

export default { render };
