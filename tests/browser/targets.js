// What a thumb cannot hit surely: targets below 24 px with another within reach (WCAG 2.2, 2.5.8). Links within a
// sentence are exempt there. Whatever moves a case on (a button that is not plain) has to be 40 px high.
() => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const inSentence = (one) =>
    one.localName === "a" && [...one.parentNode.childNodes].some((node) => node.nodeType === 3 && node.data.trim().length > 2);
  const targets = [...document.querySelectorAll("a[href], button, summary, input:not([type=hidden]), select, textarea")]
    .filter((one) => one.checkVisibility() && !one.closest(".skip") && !inSentence(one))
    .map((one) => {
      const label = one.matches("[type=radio], [type=checkbox]") && one.closest("label");
      return { one, box: (label || one).getBoundingClientRect() };
    })
    .filter(({ box }) => box.width > 1 && box.height > 1);
  const near = (box, other) => {
    const x = box.left + box.width / 2, y = box.top + box.height / 2;
    const dx = Math.max(other.left - x, 0, x - other.right), dy = Math.max(other.top - y, 0, y - other.bottom);
    return Math.hypot(dx, dy) < 12;
  };
  const wrong = [];
  for (const { one, box } of targets) {
    const size = `${Math.round(box.width)} x ${Math.round(box.height)} px: ${one.outerHTML.replace(/\s+/g, " ").slice(0, 90)}`;
    if (one.matches("button.main, a.button") && box.height < 40) wrong.push(size);
    const small = box.width < 23.9 || box.height < 23.9;
    if (small && targets.some((other) => other.one !== one && !one.contains(other.one) && near(box, other.box))) wrong.push(size);
  }
  return wrong;
}
