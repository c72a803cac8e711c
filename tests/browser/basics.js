// What a page owes to those who do not see it, as sentences of what is missing.
() => {
  const wrong = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const place = (element) => element.outerHTML.replace(/\s+/g, " ").slice(0, 90);
  const text = (element) => (element.textContent || "").trim();
  const named = (element) =>
    Boolean(element.getAttribute("aria-label")?.trim() || text(element)
      || element.querySelector("svg title, img[alt]:not([alt=''])"));

  if (!document.documentElement.lang) wrong.push("no language");
  if (!document.title.trim()) wrong.push("no title");
  if (all("h1").length !== 1) wrong.push(`${all("h1").length} first-level headings`);
  if (all("main").length !== 1) wrong.push("not one main part");
  let level = 1;
  for (const heading of all("h1, h2, h3, h4").filter((one) => !one.closest(".letter"))) {
    const here = Number(heading.localName[1]);
    if (here > level + 1) wrong.push(`a heading skips a level: ${place(heading)}`);
    level = here;
  }
  for (const group of [all("nav"), all("[role=region], main section")]) {
    const names = group.map((one) => one.getAttribute("aria-label") || one.getAttribute("aria-labelledby"));
    if (names.some((name) => !name)) wrong.push(`a part without a name: ${place(group[names.findIndex((name) => !name)])}`);
    const twice = names.filter((name, index) => name && names.indexOf(name) !== index);
    if (twice.length) wrong.push(`parts of the same name: ${twice.join(", ")}`);
  }
  for (const field of all("input:not([type=hidden]):not([hidden]), select, textarea")) {
    if (!field.labels?.length && !field.getAttribute("aria-label")) wrong.push(`no label: ${place(field)}`);
  }
  for (const group of all("fieldset")) if (!group.querySelector("legend")) wrong.push(`no legend: ${place(group)}`);
  for (const one of all("button, a[href], summary")) if (!named(one)) wrong.push(`no name: ${place(one)}`);
  for (const one of all("svg")) {
    const spoken = one.getAttribute("role") === "img" && (one.getAttribute("aria-label") || one.querySelector("title"));
    if (one.getAttribute("aria-hidden") !== "true" && !spoken) wrong.push(`a picture without words: ${place(one)}`);
  }
  for (const one of all("img")) if (!one.hasAttribute("alt")) wrong.push(`a picture without words: ${place(one)}`);
  for (const one of all("iframe")) if (!one.title) wrong.push(`a frame without a title: ${place(one)}`);
  for (const one of all("thead th")) if (!named(one) || one.scope !== "col") wrong.push(`a column without a name: ${place(one)}`);
  const ids = all("[id]").map((one) => one.id);
  const double = ids.filter((id, index) => ids.indexOf(id) !== index);
  if (double.length) wrong.push(`one id twice: ${[...new Set(double)].join(", ")}`);
  for (const name of ["for", "aria-labelledby", "aria-describedby"]) {
    for (const one of all(`[${name}]`)) {
      for (const id of one.getAttribute(name).split(/\s+/)) if (!document.getElementById(id)) wrong.push(`${name} points nowhere: ${place(one)}`);
    }
  }
  for (const one of all("a[href^='#']")) {
    if (!document.getElementById(one.getAttribute("href").slice(1))) wrong.push(`leads nowhere: ${place(one)}`);
  }
  for (const one of all("[tabindex]")) if (one.tabIndex > 0) wrong.push(`out of its order: ${place(one)}`);
  return wrong;
}
