// The page's own script: requests put together when they are asked for, keys, and the theme. It makes no request.
"use strict";
(() => {
  const root = document.documentElement;
  const turns = [...document.querySelectorAll("article.turn")];
  const rows = new Map();
  for (const row of document.querySelectorAll(".timeline li")) {
    rows.set(row.firstElementChild.getAttribute("href").slice(1), row);
  }

  // --- Requests

  let data = null; // parsed when the first request is looked at

  function known() {
    data ??= JSON.parse(document.getElementById("data").textContent);
    return data;
  }

  class Missing extends Error {}

  // A request is the first `keep` parts of the one that it came after, and then its own.
  function partsOf(request) {
    const pieces = [request.parts ?? []];
    let keep = request.keep ?? 0;
    let after = request.after;
    for (let left = Object.keys(known().requests).length; keep && after && left; left--) {
      const link = known().requests[after];
      const kept = link.keep ?? 0;
      if (kept < keep) {
        pieces.push((link.parts ?? []).slice(0, keep - kept));
        keep = kept;
      }
      after = link.after;
    }
    return pieces.reverse().flat();
  }

  // Its text by its key, or the turn that it repeats: as it was said to its speaker, with its label to the others.
  function textOf([role, place]) {
    const found = typeof place === "string" ? known().texts[place] : known().turns[place];
    if (found === undefined) throw new Missing(); // somebody has changed the session
    if (typeof place === "string") return found;
    const { label, content, said } = found;
    return role === "assistant" ? content : `${label}: ${said ?? content}`;
  }

  function messagesOf(request) {
    const messages = [];
    for (const part of partsOf(request)) {
      const last = messages.at(-1);
      const [content, role] = [textOf(part), part[0]];
      if (last?.role === role) last.content += "\n\n" + content;
      else messages.push({ content, role }); // sorted by key, as the digest has it
    }
    return messages;
  }

  async function digest(messages) {
    const ascii = JSON.stringify(messages).replace(
      /[\u007f-\uffff]/g,
      (mark) => "\\u" + mark.charCodeAt(0).toString(16).padStart(4, "0"),
    );
    const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(ascii));
    return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  // Control characters and marks that turn the direction are shown, as everywhere on this page.
  function visible(text) {
    return text
      .replace(/[\u0000-\u0008\u000b-\u001f]/g, (mark) =>
        mark === "\r" ? "" : String.fromCharCode(0x2400 + mark.charCodeAt(0)))
      .replace(/[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g, "\ufffd");
  }

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = visible(text);
    if (className) made.className = className;
    return made;
  }

  function section(title, text, className) {
    const made = element("section", undefined, className);
    made.append(element("h4", title), element("pre", text));
    return made;
  }

  function show(details) {
    const request = known().requests[details.dataset.id];
    const sent = element("div", undefined, "sent");
    details.append(sent);
    let messages;
    try {
      messages = messagesOf(request);
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      sent.append(element("p", "The messages cannot be put together: the session was changed, and lacks a part of them.", "proof bad"));
      return;
    }
    for (const { role, content } of messages) sent.append(section(role, content, role));
    if (!messages.length) sent.append(element("p", "Nothing was sent: the request could not be rendered.", "note"));
    sent.append(section("options", JSON.stringify(request.options, null, 2), "options"));
    if (request.format !== undefined) sent.append(section("format", JSON.stringify(request.format, null, 2), "format"));
    const proof = element("p", `SHA-256 of the messages: ${request.sha256}`, "proof");
    sent.append(proof);
    globalThis.crypto?.subtle && digest(messages).then((found) => {
      const same = found === request.sha256;
      proof.classList.add(same ? "good" : "bad");
      proof.textContent = same
        ? `These are the exact messages that were sent: SHA-256 ${found.slice(0, 16)}… as recorded.`
        : `These are not the messages that were sent: the session was changed since (SHA-256 ${found.slice(0, 16)}…).`;
    });
  }

  function fill(details) {
    if (details.open && details.matches("details.request") && !details.querySelector(".sent")) show(details);
  }

  document.addEventListener("toggle", (event) => fill(event.target), true);

  // --- Keys

  let now = -1;

  function mark(turn) {
    document.querySelector(".timeline li.now")?.classList.remove("now");
    const row = rows.get(turn.id);
    if (!row) return;
    row.classList.add("now");
    const box = row.closest(".timeline");
    const at = row.offsetTop - box.offsetTop;
    if (at < box.scrollTop + 40 || at > box.scrollTop + box.clientHeight - 40) box.scrollTop = at - box.clientHeight / 2;
  }

  function go(to) {
    if (!turns.length) return;
    now = Math.min(Math.max(to, 0), turns.length - 1);
    turns[now].focus({ preventScroll: true });
    turns[now].scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("focusin", (event) => {
    const turn = event.target.closest("article.turn");
    if (!turn) return;
    now = turns.indexOf(turn);
    mark(turn);
  });

  addEventListener("hashchange", () => {
    const turn = turns.findIndex((one) => one.id === location.hash.slice(1));
    if (turn >= 0) go(turn);
  });

  function toggle(kind) {
    const details = turns[now]?.querySelector(`.more > details.${kind}`);
    if (!details) return;
    details.open = !details.open;
    fill(details); // now, for the event comes later
    if (details.open) details.scrollIntoView({ block: "nearest" });
  }

  const help = document.getElementById("help");
  const keys = {
    j: () => go(now + 1),
    ArrowRight: () => go(now + 1),
    k: () => go(now - 1),
    ArrowLeft: () => go(now - 1),
    g: () => go(0),
    G: () => go(turns.length - 1),
    r: () => toggle("request"),
    t: () => toggle("thinking"),
    d: () => changeTheme(),
    "?": () => help.showModal(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.key.startsWith("Arrow") && event.target.closest("pre, .timeline, .said table")) return; // they scroll
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  document.getElementById("keys").addEventListener("click", () => help.showModal());

  // --- The theme: the system's, until somebody chooses

  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
  }

  function name() {
    button.textContent = isDark() ? "Light" : "Dark";
  }

  function remembered(value) {
    try {
      if (value) localStorage.setItem("llm-gc-theme", value);
      return localStorage.getItem("llm-gc-theme");
    } catch {
      return null; // a browser may keep nothing for pages on the disk
    }
  }

  function changeTheme() {
    root.dataset.theme = isDark() ? "light" : "dark";
    remembered(root.dataset.theme);
    name();
  }

  const before = remembered();
  if (before === "dark" || before === "light") root.dataset.theme = before;
  button.addEventListener("click", changeTheme);
  system.addEventListener("change", name);
  name();
})();
