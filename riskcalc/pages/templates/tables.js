(() => {
  const number = (text) => Number.parseFloat(text.replace(/[^0-9.eE+-]/g, ""));
  const key = (cell) => {
    if (cell.dataset.rank) return Number(cell.dataset.rank);
    const read = cell.classList.contains("number") ? number(cell.textContent) : NaN;
    return Number.isNaN(read) ? cell.textContent.trim() : read;
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
  const filterFor = (region, table) => {
    const said = document.createElement("input");
    said.type = "search";
    said.placeholder = "Show rows with …";
    said.setAttribute("aria-label", `Show rows of ${table.caption.textContent} with`);
    said.addEventListener("input", () => {
      const wanted = said.value.trim().toLowerCase();
      for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    });
    const holder = document.createElement("p");
    holder.className = "filter";
    holder.append(said);
    region.before(holder);
  };
  for (const region of document.querySelectorAll("section .table-scroll")) {
    const table = region.querySelector("table:not(.matrix)");
    if (!table || table.tBodies[0].rows.length < 3) continue;
    if (table.classList.contains("grouped")) continue;
    if (table.tBodies[0].rows.length > 9) filterFor(region, table);
    for (const heading of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sortBy(table, heading));
      heading.append(button);
    }
  }
  addEventListener("beforeprint", () => {
    for (const row of document.querySelectorAll("tr[hidden]")) row.hidden = false;
    for (const said of document.querySelectorAll(".filter input")) said.value = "";
  });
})();
