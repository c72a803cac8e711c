// Comforts only. Everything on the desk works without this file: it counts down, refreshes what only shows, copies.
"use strict";

(() => {
  const pad = (number) => String(number).padStart(2, "0");
  const serverNow = Date.parse(document.documentElement.dataset.now || "");
  const skew = Number.isNaN(serverNow) ? 0 : serverNow - Date.now();

  const face = (milliseconds) => {
    const seconds = Math.floor(Math.abs(milliseconds) / 1000);
    return `${pad(Math.floor(seconds / 3600))}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
  };

  const countDown = () => {
    for (const element of document.querySelectorAll("[data-due]")) {
      const left = Date.parse(element.dataset.due) - (Date.now() + skew);
      element.textContent = (left < 0 ? "+" : "") + face(left);
      element.closest("[data-tone]")?.classList.toggle("over", left < 0);
    }
  };

  // Elements with data-live are replaced by what the server would show now, unless somebody works inside them.
  const refresh = async () => {
    if (document.hidden) return;
    let text;
    try {
      const answer = await fetch(location.pathname + location.search, {
        headers: { "X-Breachwatch-Refresh": "1" }, redirect: "error", cache: "no-store",
      });
      if (!answer.ok) return;
      text = await answer.text();
    } catch {
      return;
    }
    const fresh = new DOMParser().parseFromString(text, "text/html");
    for (const element of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(element.id);
      if (!next || element.innerHTML === next.innerHTML) continue;
      if (element.contains(document.activeElement) || element.querySelector("details[open]")) continue;
      element.replaceWith(document.importNode(next, true));
    }
    const seen = document.body.dataset.seq;
    const banner = document.getElementById("moved-on");
    if (banner && seen && fresh.body.dataset.seq && fresh.body.dataset.seq !== seen) banner.hidden = false;
    countDown();
  };

  // A slider says its value in words beside its legend while it is moved.
  const nameSliders = () => {
    for (const group of document.querySelectorAll("[data-slide]")) {
      const output = group.querySelector("output");
      const say = () => {
        const chosen = group.querySelector("input:checked");
        if (output && chosen) output.textContent = chosen.dataset.says || "";
      };
      group.addEventListener("change", say);
      say();
    }
  };

  const offerCopies = () => {
    if (!navigator.clipboard) return;
    for (const place of document.querySelectorAll("[data-copy]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.setAttribute("aria-label", `Copy: ${place.dataset.copyLabel || ""}`);
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(place.dataset.copy);
        button.textContent = "Copied";
      });
      place.append(button);
    }
  };

  countDown();
  nameSliders();
  offerCopies();
  setInterval(countDown, 1000);
  if (document.querySelector("[data-live]")) setInterval(refresh, 4000);
})();
