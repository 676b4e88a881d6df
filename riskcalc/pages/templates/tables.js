(() => {
  const make = (name, given = {}, ...inside) => {
    const made = Object.assign(document.createElement(name), given);
    made.append(...inside);
    return made;
  };
  const months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const dates = /(\d+)\u00a0([A-Z]\w\w)\u00a0(\d{4})/g;
  const iso = (text) =>
    text.replace(dates, (_, day, month, year) => `${year}-${String(101 + months.indexOf(month) / 3).slice(1)}-${day.padStart(2, "0")}`);
  const number = (text) => Number.parseFloat(text.replace(/under 0?\.?/, "0.000").replace(/[^0-9.eE+-]/g, ""));
  const key = (cell) => {
    if (cell.dataset.rank) return Number(cell.dataset.rank);
    const read = cell.matches(".number, .scaled") ? number(cell.textContent) : NaN;
    return Number.isNaN(read) ? iso(cell.textContent.trim()) : read;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
  const sortBy = (table, heading) => {
    const column = heading.cellIndex;
    const falls = heading.getAttribute("aria-sort") === "ascending";
    const body = table.tBodies[0];
    const rows = [...body.rows].sort((a, b) => compare(key(a.cells[column]), key(b.cells[column])) * (falls ? -1 : 1));
    for (const each of heading.parentElement.cells) each.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", falls ? "descending" : "ascending");
    body.append(...rows);
  };
  const sortable = (table) => {
    for (const heading of table.tHead.rows[0].cells) {
      const button = make("button", { type: "button", ariaLabel: `Sort by ${heading.textContent}` });
      button.addEventListener("click", () => sortBy(table, heading));
      heading.append(button);
    }
  };
  // What a filter leaves is said; what it is stands in the address, so that a link to it can be sent.
  const words = { level: "Level", unit: "Unit", owner: "Owner", moved: "What changed", cell: "Cell", outside: "Outside appetite", overdue: "Past due" };
  const filter = (box) => {
    const table = box.querySelector("table");
    const rows = [...table.tBodies[0].rows];
    const said = make("output");
    const clear = make("button", { type: "button", textContent: "Clear" });
    const more = make("button", { type: "button", textContent: `Show all ${rows.length}` });
    let most = 5;
    const bar = make("p", { className: "filter" });
    const fields = {};
    for (const [name, label] of Object.entries(words)) {
      const values = [...new Set(rows.map((row) => row.dataset[name]).filter(Boolean))];
      if (!values.length || (values.length === 1 && values[0] !== "yes")) continue;
      const yes = values[0] === "yes";
      const field = yes ? make("input", { type: "checkbox" }) : make("select", { none: "all" }, new Option("all", "all"));
      if (name === "moved") field.append(new Option("any", ""));
      if (!yes) field.append(...values.map((value) => new Option(value, value)));
      fields[name] = field;
      bar.append(make("label", { hidden: name === "cell" }, ...(yes ? [field, ` ${label}`] : [`${label} `, field])));
    }
    fields.with = make("input", { type: "search", none: "" });
    bar.append(make("label", {}, box.dataset.noun === "risk" ? "With " : "Search ", fields.with));
    const wanted = () =>
      Object.entries(fields).flatMap(([name, field]) =>
        field.type === "checkbox" ? (field.checked ? [[name, "yes"]] : []) : field.value === field.none ? [] : [[name, field.value]]);
    const show = () => {
      const asked = wanted();
      const fits = (row) => asked.every(([name, value]) =>
        name === "with" ? value.toLowerCase().split(/\s+/).every((word) => row.textContent.replaceAll("\u00a0", " ").toLowerCase().includes(word)) : value ? row.dataset[name] === value : row.dataset[name]);
      for (const [place, row] of rows.entries()) row.hidden = !fits(row) || (!asked.length && place >= most);
      more.hidden = asked.length > 0 || rows.length <= most;
      const left = rows.filter((row) => !row.hidden).length;
      if (fields.cell) fields.cell.parentElement.hidden = fields.cell.value === "all";
      said.textContent = !asked.length ? "" : left ? `${left} of ${rows.length} shown` : `No ${box.dataset.noun} of ${rows.length} is so`;
      clear.hidden = !asked.length;
      return asked;
    };
    const keep = () => {
      const asked = new URLSearchParams(show()).toString();
      try {
        history.replaceState(null, "", `${asked ? `?${asked}` : location.pathname}#${box.id}`);
      } catch {} // an address that can't be changed, such as a preview's
    };
    const set = (search) => {
      const asked = new URLSearchParams(search);
      for (const [name, field] of Object.entries(fields)) {
        if (field.type === "checkbox") field.checked = asked.get(name) === "yes";
        else field.value = asked.get(name) ?? field.none;
        if (field.selectedIndex === -1) {
          field.append(new Option(asked.get(name)));
          field.value = asked.get(name);
        }
      }
      show();
    };
    for (const field of Object.values(fields)) field.addEventListener(field === fields.with ? "input" : "change", keep);
    clear.addEventListener("click", () => {
      set("");
      keep();
    });
    const all = () => {
      most = rows.length;
      show();
    };
    more.addEventListener("click", all);
    bar.append(said, clear);
    box.prepend(bar);
    box.querySelector(".table-scroll").after(more);
    set(location.search);
    addEventListener("beforeprint", () => rows.forEach((row) => (row.hidden = false)));
    addEventListener("afterprint", show);
    document.addEventListener("click", (event) => {
      const link = event.target.closest?.("a[href^='?']");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      set(link.getAttribute("href").split("#")[0]);
      keep();
      lead(box);
      bar.querySelector("select, input")?.focus({ preventScroll: true });
    });
    const shown = () => {
      if (!document.querySelector(":target")?.closest("tr[hidden]")) return;
      most = rows.length;
      set("");
    };
    addEventListener("hashchange", shown);
    shown();
  };
  const unfold = (target) => {
    for (let up = target; up; up = up.parentElement) {
      if (up.matches("details")) up.open = true;
      if (up.matches("section.closed")) up.querySelector("button.chapter").click();
    }
  };
  const lead = (target) => {
    if (!target) return;
    document.documentElement.classList.add("settled"); // else chapters above would get their heights only now
    unfold(target);
    target.scrollIntoView({ behavior: "instant" });
  };
  const reveal = () => lead(document.querySelector(":target"));
  const foldable = (section, place) => {
    const heading = section.querySelector("h2");
    const button = make("button", { type: "button", className: "chapter" }, ...heading.childNodes);
    button.addEventListener("click", () => (button.ariaExpanded = String(!section.classList.toggle("closed"))));
    heading.append(button);
    if (place) section.classList.add("closed"); // the first chapter stays open
    button.ariaExpanded = String(!place);
  };
  const start = () => {
    for (const table of document.querySelectorAll("section table:not(.matrix, .grouped)"))
      if (table.tBodies[0].rows.length > 2) setTimeout(sortable, 0, table); // each by itself: no task is long
    const box = document.querySelector("[data-noun]");
    if (box) filter(box);
    for (const row of document.querySelectorAll("section table:not(.matrix) tbody tr")) {
      if (row.cells.length < 7) continue; // on a phone a card shows the first of it
      const button = make("button", { type: "button", className: "whole", textContent: "More" });
      button.addEventListener("click", () => (button.textContent = row.classList.toggle("whole") ? "Less" : "More"));
      const last = row.cells[row.cells.length - 1];
      if (!last.textContent) delete last.dataset.label; // it holds nothing but the button
      last.append(" ", button);
    }
    const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
    const chapters = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries) {
          const link = links.get(target.getAttribute("aria-labelledby"));
          if (!isIntersecting) link?.removeAttribute("aria-current");
          else if (link) {
            link.setAttribute("aria-current", "true");
            link.closest("ul").scrollLeft = link.offsetLeft - 48; // the row of chapters may be longer than it is wide
          }
        }
      },
      { rootMargin: "-25% 0px -74% 0px" },
    );
    const sections = document.querySelectorAll("section[aria-labelledby]");
    for (const section of sections) chapters.observe(section);
    if (matchMedia("(max-width: 40rem)").matches) sections.forEach(foldable);
    addEventListener("hashchange", reveal);
    setTimeout(() => {
      reveal();
      document.documentElement.dataset.tables = "ready";
    });
  };
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const each of opened) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of opened) each.open = false;
  });
  // after the first frame; or after a second, for a page behind others may get none
  window.afterFrame = (begin) =>
    Promise.race([new Promise(requestAnimationFrame), new Promise((late) => setTimeout(late, 1000))]).then(() => setTimeout(begin));
  afterFrame(start);
})();
