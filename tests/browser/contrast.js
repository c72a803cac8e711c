// Everything a page says, with the contrast it is said in: [{ what, ratio }], least first. Unfolds what is folded.
// WCAG 2.2, 1.4.3 (text) and 1.4.11 (edges of controls, what is drawn); ratios by its definition of relative luminance.
() => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const numbers = (text) => {
    const [r, g, b, a = 1] = (text.match(/[\d.]+/g) || ["0", "0", "0", "0"]).map(Number);
    return { r, g, b, a };
  };
  const over = (top, below) => {
    const mix = (name) => top[name] * top.a + below[name] * (1 - top.a);
    return { r: mix("r"), g: mix("g"), b: mix("b"), a: 1 };
  };
  const luminance = (colour) => {
    const [r, g, b] = ["r", "g", "b"].map((name) => colour[name] / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) {
      layers.push(numbers(getComputedStyle(one).backgroundColor));
      if (layers.at(-1).a === 1) break;
    }
    const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? "18, 18, 18" : "255, 255, 255";
    return layers.reverse().reduce((below, top) => over(top, below), numbers(canvas));
  };
  const ratio = (colour, below) => {
    const [low, high] = [luminance(over(colour, below)), luminance(below)].sort((a, b) => a - b);
    return Math.round(((high + 0.05) / (low + 0.05)) * 100) / 100;
  };
  const seen = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
      && !element.closest(".unseen, .skip, noscript, script, style, title, desc");
  };
  const place = (element) => {
    const names = [element.id && `#${element.id}`, element.getAttribute("class") && `.${element.getAttribute("class")}`];
    return `${element.closest("[id]")?.id || "page"} > ${element.localName}${names.filter(Boolean).join("")}`;
  };

  const found = [];
  const say = (element, text, colour, below, least) => {
    found.push({ what: `${place(element)} "${text.trim().slice(0, 40)}"`, ratio: ratio(numbers(colour), below), least });
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !seen(element)) continue;
    const style = getComputedStyle(element);
    const colour = element instanceof SVGElement ? style.fill : style.color;
    say(element, texts.currentNode.data, colour, behind(element), 4.5);
  }
  for (const element of document.body.querySelectorAll("*")) {
    if (!seen(element)) continue;
    for (const side of ["::before", "::after"]) {
      const style = getComputedStyle(element, side);
      if (/["\w]/.test(style.content) && !["none", "normal", '""'].includes(style.content)) {
        say(element, `${side} ${style.content}`, style.color, behind(element), 4.5);
      }
    }
    const style = getComputedStyle(element);
    if (element.matches("textarea, select, input:not([type=hidden], [type=radio], [type=checkbox])")) {
      say(element, `typed ${element.value}`, style.color, behind(element), 4.5);
      say(element, "edge", style.borderTopColor, behind(element.parentElement), 3);
    }
    if (element.matches(".slide input:not(:checked), button:not(.plain):not(.main), a.button")) {
      say(element, "edge", style.borderTopColor, behind(element.parentElement), 3);
    }
    if (element.matches(".track .used, .track .peg, .level .on, .stack rect, .picture rect, .picture circle")) {
      if (style.fill !== "none") say(element, "drawn", style.fill, behind(element), 3);
    }
    if (element.matches(".dial line:not(.gone), .picture line.reminder, .picture line.now")) {
      say(element, "drawn", style.stroke, behind(element), 3);
    }
  }
  return found.sort((a, b) => a.ratio / a.least - b.ratio / b.least);
}
