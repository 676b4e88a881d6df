function render({ model, el }) {
  const line = document.createElement("div");
  line.tabIndex = 0;
  line.dataset.lmSuppressShortcuts = "true";
  line.setAttribute("role", "note");
  line.textContent =
    "Keys, with this line in focus: A accept · E take my words · W own words, none of these · N no answer · O ask the owner · J next · K back";
  line.addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey || event.altKey || !"aewnojk".includes(key)) return;
    event.preventDefault();
    event.stopPropagation();
    model.send({ key });
  });
  el.append(line);
}
export default { render };
