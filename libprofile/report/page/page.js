// Sorting, choosing and highlighting. The page says all it has to say without this.
"use strict";

// A click on a heading sorts: numbers largest first, text from A.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const isNumber = heading.classList.contains("number");
      const first = isNumber ? "descending" : "ascending";
      const second = isNumber ? "ascending" : "descending";
      const order = heading.getAttribute("aria-sort") === first ? second : first;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const compare = (a, b) => {
        const [x, y] = [a.cells[column], b.cells[column]];
        if (!isNumber) return sign * x.textContent.localeCompare(y.textContent, undefined, { numeric: true });
        const [v, w] = [x.dataset.value, y.dataset.value];
        if (v === undefined || w === undefined) return (v === undefined) - (w === undefined);  // gaps last
        return sign * (v - w);
      };
      body.append(...[...body.rows].sort(compare));
    });
  });
}

// One choice at a time; all of them on paper.
for (const choices of document.querySelectorAll(".choices")) {
  const parts = [...choices.querySelectorAll(":scope > .choice")];
  if (parts.length < 2) continue;
  const bar = document.createElement("div");
  bar.className = "buttons";
  bar.append(choices.dataset.label);
  const show = (shown) => {
    parts.forEach((part) => { part.hidden = part !== shown; });
    bar.querySelectorAll("button").forEach((button, i) => button.setAttribute("aria-pressed", parts[i] === shown));
  };
  for (const part of parts) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = part.dataset.choice;
    button.addEventListener("click", () => show(part));
    bar.append(button);
    part.querySelector("h4").hidden = true;
  }
  choices.prepend(bar);
  show(parts[Math.floor((parts.length - 1) / 2)]);
  addEventListener("beforeprint", () => parts.forEach((part) => {
    part.wasHidden = part.hidden;
    part.hidden = part.querySelector("h4").hidden = false;
  }));
  addEventListener("afterprint", () => parts.forEach((part) => {
    part.hidden = part.wasHidden;
    part.querySelector("h4").hidden = true;
  }));
}

// A pointer on a method lifts it out of every plot and table of its section.
for (const section of document.querySelectorAll("main > section")) {
  const mark = (name) => {
    section.classList.toggle("chosen-series", name !== null);
    for (const part of section.querySelectorAll("[data-series]")) {
      part.classList.toggle("chosen", part.dataset.series === name);
    }
  };
  if (!section.querySelector("svg [data-series]")) continue;
  section.addEventListener("pointerover", (event) => {
    const part = event.target.closest("[data-series]");
    mark(part === null ? null : part.dataset.series);
  });
  section.addEventListener("pointerleave", () => mark(null));
}
