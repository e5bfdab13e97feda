for (const table of document.querySelectorAll("table.results")) {
  const body = table.tBodies[0];
  const key = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent;
  table.querySelectorAll("thead th:not([data-fixed])").forEach((head) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const of = (row) => key(row, head.cellIndex);
      const order = (a, b) => of(a).localeCompare(of(b), "en", { numeric: true });
      const number = (a, b) => Number(of(a)) - Number(of(b));
      const compare = body.rows[0].cells[head.cellIndex].dataset.value === undefined ? order : number;
      const missing = (row) => Number(of(row) === ""); // last, whichever way
      body.append(...[...body.rows].sort((a, b) => missing(a) - missing(b) || (down ? -1 : 1) * compare(a, b)));
    });
  });
}
