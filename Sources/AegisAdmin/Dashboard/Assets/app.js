// What every page does: the theme, regions that follow the server, dialogs and messages.
"use strict";

const Aegis = {
  /** One message at the top of the page. */
  say(text, tone = "bad") {
    const place = document.getElementById("alerts");
    const banner = document.createElement("div");
    banner.className = "banner " + tone;
    banner.textContent = text;
    place.replaceChildren(banner);
  },

  quiet() {
    document.getElementById("alerts").replaceChildren();
  },

  /** Asks before something that can't be undone. Resolves to null, or to what was written. */
  ask(question, wantsReason) {
    const dialog = document.createElement("dialog");
    const form = document.createElement("form");
    form.method = "dialog";
    const text = document.createElement("p");
    text.textContent = question;
    form.append(text);
    let input = null;
    if (wantsReason) {
      input = document.createElement("input");
      input.maxLength = 64;
      input.required = true;
      input.placeholder = "Why";
      input.setAttribute("aria-label", "Reason");
      form.append(input);
    }
    const actions = document.createElement("div");
    actions.className = "actions";
    for (const [value, label, kind] of [["", "Cancel", ""], ["yes", "Go on", "primary"]]) {
      const button = document.createElement("button");
      button.className = "button " + kind;
      button.value = value;
      button.textContent = label;
      if (!value) button.formNoValidate = true;
      actions.append(button);
    }
    form.append(actions);
    dialog.append(form);
    document.body.append(dialog);
    dialog.showModal();
    (input ?? actions.lastChild).focus();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => {
        resolve(dialog.returnValue === "yes" ? (input ? input.value : "yes") : null);
        dialog.remove();
      });
    });
  },

  /** Fetches this page again and takes over the regions that differ. */
  async refresh() {
    const response = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!response.ok) throw new Error("the admin answered " + response.status);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const fresh of page.querySelectorAll("[data-live]")) {
      const shown = document.getElementById(fresh.id);
      if (!shown || shown.isEqualNode(fresh)) continue;
      // Nobody loses what they are typing in.
      if (shown.contains(document.activeElement) && document.activeElement !== document.body) continue;
      const scrolled = shown.querySelector(".scrolls")?.scrollTop ?? 0;
      const adopted = document.adoptNode(fresh);
      shown.replaceWith(adopted);
      const scroller = adopted.querySelector(".scrolls");
      if (scroller) scroller.scrollTop = scrolled;
      document.dispatchEvent(new CustomEvent("aegis:replaced", { detail: adopted }));
    }
  },
};

(function theme() {
  const saved = localStorage.getItem("aegis-theme");
  if (saved) document.documentElement.dataset.theme = saved;
  document.querySelector("[data-theme-toggle]")?.addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("aegis-theme", document.documentElement.dataset.theme);
  });
})();

(function follow() {
  const seconds = Number(document.body.dataset.refresh);
  if (!seconds) return;
  let failures = 0;
  async function look() {
    if (!document.hidden) {
      try {
        await Aegis.refresh();
        if (failures > 1) Aegis.quiet();
        failures = 0;
      } catch (error) {
        failures += 1;
        // Training goes on without the admin; what is shown is only older.
        if (failures === 2) Aegis.say("The admin doesn't answer. The figures may be old; training goes on.", "warn");
      }
    }
    setTimeout(look, seconds * 1000 * Math.min(8, 1 + failures));
  }
  setTimeout(look, seconds * 1000);
})();
