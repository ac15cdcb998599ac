// The reviewers' console: the list, live; one candidate beside it or in its place; keys for everything.

import { ApiFault, advice, get, watch } from "/console/api.js";
import { CandidateView, DECISIONS, stopControl } from "/console/candidate.js";
import {
  announce, at, button, byId, choices, el, focusOn, sessionControls, isTyping, prefix, serverNow, serverSays, short, showSignedOut,
  showState, since, startClock, until,
} from "/console/page.js";
import { account, finishSignIn, signedIn } from "/console/session.js";

const NEW_MS = 20_000;

let view = null; // the open candidate
let waiting = []; // as the API listed it last
let decided = [];
let confirmed = []; // by others
let known = null; // ids that were listed before, so that new ones are told apart
let fresh = new Map(); // id → when it was new
let watching = null;

// --- the list --------------------------------------------------------------------------------------------------------

async function refreshList() {
  let said;
  try {
    said = await get("/candidates");
  } catch (fault) {
    if (!(fault instanceof ApiFault) || fault.status !== 403) throw fault;
    // Signed in, and no reviewer: an authoriser, or somebody whose training is over. The page says so and stays quiet.
    const other = fault.reason === "role_missing";
    byId("list-fault").replaceChildren(...(other ? [] : [el("p", {}, advice(fault))]));
    showList({ candidates: [], decided: [] }, other);
    byId("nothing").hidden = !other;
    return;
  }
  byId("list-fault").replaceChildren();
  serverSays(said.now);
  showList(said);
}

/** For somebody who is no reviewer: where else to go. The second link is for authorisers, as the one at the top. */
function forOthers() {
  return ["This list is for reviewers. ",
    el("a", { href: "/console/notices" }, "Notices (recipients)"), " ",
    el("a", { href: "#reviewers", id: "other-reviewers", hidden: byId("to-reviewers").hidden }, "Reviewers (authorisers)")];
}

function showList(said, other = false) {
  const ids = said.candidates.map((one) => one.id);
  const arrived = known === null ? [] : said.candidates.filter((one) => !known.has(one.id));
  known = new Set([...(known ?? []), ...ids]);
  for (const one of arrived) fresh.set(one.id, Date.now());
  waiting = said.candidates;
  decided = said.decided ?? [];
  confirmed = said.confirmed ?? [];
  const { decided: done, per_hour: most } = said.cap ?? {};
  byId("cap").textContent = done === undefined ? "" : `Decided by you: ${done}${most ? ` of ${most}` : ""} this hour`;
  byId("cap").classList.toggle("reached", Boolean(most) && done >= most);
  const stopped = said.suspended ?? [];
  byId("suspended").replaceChildren(...stopped.map((one) => el("li", {}, suspended(one))));
  byId("suspended").hidden = stopped.length === 0;
  fill(byId("waiting"), waiting, waitingRow);
  fill(byId("decided"), decided, decidedRow);
  byId("decided-section").hidden = decided.length === 0;
  fill(byId("confirmed"), confirmed, confirmedRow);
  byId("confirmed-section").hidden = confirmed.length === 0;
  showStops();
  const nothing = byId("nothing");
  nothing.hidden = waiting.length > 0;
  if (!other) nothing.textContent = "Nothing waits for you. New candidates appear here by themselves.";
  else if (!byId("other-reviewers")) nothing.replaceChildren(...forOthers());
  counted();
  markOpen();
  if (arrived.length) told(arrived);
  if (view) view.changed([...waiting, ...decided, ...confirmed].find((one) => one.id === view.id) ?? null);
}

/** Why nothing comes any more from there (S26, S27). */
function suspended(one) {
  return `${one.place} stopped by itself at ${at(one.at)} (${one.safeguard}). Nothing is searched there any more; an authoriser reviews it.`;
}

/** Rows by id: one that stays keeps its element, and so its focus. */
function fill(list, items, rowOf) {
  const rows = new Map([...list.children].map((row) => [row.dataset.id, row]));
  const wanted = items.map((item) => {
    const mark = JSON.stringify([item, fresh.has(item.id)]);
    const row = rows.get(item.id);
    if (row?.dataset.mark === mark) return row;
    const made = el("li", { data: { id: item.id, mark } }, rowOf(item));
    if (row?.contains(document.activeElement)) {
      row.replaceWith(made);
      made.querySelector("a").focus();
    }
    return made;
  });
  for (const row of [...list.children]) if (!wanted.includes(row)) row.remove();
  wanted.forEach((row, index) => { if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null); });
}

function waitingRow(one) {
  const left = until(one.decide_by, "Expired");
  left.addEventListener("over", () => {
    left.closest("a").classList.add("expired");
    // The list is asked anew when its being over has been seen; the API then leaves it out.
    setTimeout(() => watching?.again(), 10_000);
  });
  return row(one, [
    fresh.has(one.id) && el("span", { class: "badge" }, "New"),
    left, el("span", {}, "seen ", since(one.captured_at)),
  ]);
}

function decidedRow(one) {
  return row(one, [el("span", { class: "badge plain" }, DECISIONS[one.own_decision] ?? one.own_decision),
    el("span", {}, stateOf(one)), el("span", {}, "seen ", at(one.captured_at))]);
}

function confirmedRow(one) {
  return row(one, [el("span", { class: "badge plain" }, "Confirmed"), el("span", {}, "seen ", at(one.captured_at))]);
}

function stateOf(one) {
  if (one.state === "raised") return one.own_decision === "confirm" ? "waits for another" : "waits";
  return one.state;
}

function row(one, parts) {
  const demonstration = prefix(one.message_prefix);
  return el("a", { href: `#c/${one.id}`, class: "row" },
    el("span", { class: "first" }, el("strong", { class: "reference" }, one.reference), el("span", {}, one.place)),
    demonstration && el("span", { class: "badge demo" }, demonstration),
    el("span", { class: "more" }, parts),
    el("span", { class: "more quiet" }, `camera ${one.camera}`, el("span", {}, `deployment ${short(one.deployment_id)}`)));
}

/** One stop for each deployment that is listed. One in use stays as it is: nobody is interrupted in a stop. */
function showStops() {
  const places = new Map();
  for (const one of [...waiting, ...decided, ...confirmed]) {
    places.set(one.deployment_id, (places.get(one.deployment_id) ?? new Set()).add(one.place));
  }
  const list = byId("stops");
  for (const row of [...list.children]) {
    const used = row.querySelector(".stop-asked") || row.contains(document.activeElement);
    if (!used) row.remove();
  }
  const there = new Set([...list.children].map((row) => row.dataset.id));
  for (const [id, names] of places) {
    if (there.has(id)) continue;
    list.append(el("li", { data: { id } }, stopControl(id, () => watching?.again(), [...names].slice(0, 3).join("; "))));
  }
  byId("stop-section").hidden = !list.children.length;
}

function counted() {
  const count = waiting.length;
  byId("waiting-title").textContent = `Waiting (${count})`;
  document.title = `${count ? `(${count}) ` : ""}Candidates · Proviso`;
}

function told(arrived) {
  const [first] = arrived;
  announce(arrived.length === 1
    ? `New candidate ${first.reference}, ${first.place}. ${waiting.length} waiting.`
    : `${arrived.length} new candidates. ${waiting.length} waiting.`);
  if (choices.get("sound", "off") === "on") beep();
  setTimeout(() => {
    for (const [id, when] of fresh) if (Date.now() - when >= NEW_MS) fresh.delete(id);
    fill(byId("waiting"), waiting, waitingRow);
    markOpen();
  }, NEW_MS + 100);
}

function markOpen() {
  for (const link of document.querySelectorAll("a.row")) {
    if (view && link.parentElement.dataset.id === view.id) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

// --- sound -----------------------------------------------------------------------------------------------------------

let audio;

function beep() {
  audio ??= new AudioContext();
  if (audio.state === "suspended") audio.resume();
  const tone = audio.createOscillator();
  const loud = audio.createGain();
  tone.frequency.value = 660;
  loud.gain.setValueAtTime(0.15, audio.currentTime);
  loud.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.4);
  tone.connect(loud).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.4);
}

function showSound() {
  const on = choices.get("sound", "off") === "on";
  byId("sound").setAttribute("aria-pressed", String(on));
  byId("sound").textContent = on ? "Sound: on" : "Sound: off";
}

// --- views -----------------------------------------------------------------------------------------------------------

function route() {
  if (!signedIn()) return;
  const [name, id] = location.hash.slice(1).split("/");
  if (name === "c" && /^[A-Za-z0-9-]{1,64}$/.test(id ?? "")) return showCandidate(id);
  if (name === "main") return;
  const from = view?.id;
  closeCandidate();
  if (name === "reviewers") return showReviewers();
  document.body.dataset.view = "list";
  byId("reviewers").hidden = true;
  byId("to-list").setAttribute("aria-current", "page");
  byId("to-reviewers").removeAttribute("aria-current");
  if (from) (document.querySelector(`li[data-id="${from}"] a`) ?? byId("main")).focus();
}

function showCandidate(id) {
  if (view?.id === id) return;
  closeCandidate();
  document.body.dataset.view = "candidate";
  byId("reviewers").hidden = true;
  view = new CandidateView(byId("candidate"), id, {
    decided: () => watching?.again(),
    stopped: () => watching?.again(),
    back: toList,
    next: openNext,
  });
  markOpen();
  window.scrollTo(0, 0);
  view.open();
}

function closeCandidate() {
  view?.close();
  view = null;
  markOpen();
}

const toList = () => { location.hash = "#list"; };

function openNext() {
  const next = waiting.find((one) => one.id !== view?.id && Date.parse(one.decide_by) > serverNow());
  if (next) location.hash = `#c/${next.id}`;
  else {
    toList();
    announce("Nothing waits for you.");
  }
}

async function showReviewers() {
  document.body.dataset.view = "reviewers";
  byId("reviewers").hidden = false;
  byId("to-reviewers").setAttribute("aria-current", "page");
  byId("to-list").removeAttribute("aria-current");
  await loadReviewers();
  focusOn(byId("reviewers-title"));
}

function authoriser(is) {
  for (const link of [byId("to-reviewers"), byId("other-reviewers")]) if (link) link.hidden = !is;
}

/** Only an authoriser is given the reviewers; for others there is no such section. */
async function loadReviewers() {
  const place = byId("reviewers-content");
  try {
    const said = await get("/reviewers");
    const { reviewersTable } = await import("/console/reviewers.js");
    place.replaceChildren(reviewersTable(said));
    authoriser(true);
  } catch (fault) {
    if (fault instanceof ApiFault && fault.status === 403) {
      sessionStorage.setItem("proviso.no-reviewers", account());
      authoriser(false);
      if (document.body.dataset.view === "reviewers") toList();
      return;
    }
    place.replaceChildren(el("p", { class: "fault", role: "alert" }, advice(fault)), button("Try again", loadReviewers));
  }
}

// --- keys ------------------------------------------------------------------------------------------------------------

function pressed(event) {
  if (event.defaultPrevented || event.isComposing || byId("keys").open || !signedIn()) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    if (view?.writing && !event.repeat) { event.preventDefault(); view.record(); }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    if (view?.key("Escape", event)) event.preventDefault();
    else if (view && !isTyping(event.target)) toList();
    return;
  }
  if (isTyping(event.target) || choices.get("keys", "on") !== "on") return;
  if (used(event)) event.preventDefault();
}

function used(event) {
  const { key, repeat } = event;
  const inList = event.target.closest?.("#list") || document.body.dataset.view === "list";
  if ((key === "j" || (key === "ArrowDown" && inList && !event.shiftKey)) && !view?.writing) return choose(1);
  if ((key === "k" || (key === "ArrowUp" && inList && !event.shiftKey)) && !view?.writing) return choose(-1);
  if (repeat && !/^[+\-=_]$|^Arrow/.test(key)) return false; // a key that is held down decides nothing
  if (key === "?") return showKeys();
  if (view?.key(key, { shift: event.shiftKey })) return true;
  if (key === "n" && !view?.writing) { openNext(); return true; }
  return false;
}

function choose(by) {
  const rows = [...document.querySelectorAll("#list a.row")].filter((link) => link.offsetParent !== null);
  if (!rows.length) return false;
  const here = rows.findIndex((link) => link === document.activeElement);
  const from = here >= 0 ? here : view ? rows.findIndex((link) => link.parentElement.dataset.id === view.id) : by > 0 ? -1 : rows.length;
  rows[Math.min(rows.length - 1, Math.max(0, from + by))].focus();
  return true;
}

function showKeys() {
  byId("single-keys").checked = choices.get("keys", "on") === "on";
  byId("keys").showModal();
  return true;
}

// --- begin -----------------------------------------------------------------------------------------------------------

function signedOut(why = "") {
  watching?.stop();
  watching = null;
  closeCandidate();
  waiting = [];
  decided = [];
  confirmed = [];
  showSignedOut(["waiting", "decided", "confirmed", "stops", "nothing", "reviewers-content", "list-fault"], why);
}

async function begin() {
  sessionControls(signedOut);
  byId("show-keys").addEventListener("click", showKeys);
  byId("close-keys").addEventListener("click", () => byId("keys").close());
  byId("single-keys").addEventListener("change", (event) => choices.set("keys", event.target.checked ? "on" : "off"));
  byId("sound").addEventListener("click", () => {
    const on = choices.get("sound", "off") !== "on";
    choices.set("sound", on ? "on" : "off");
    showSound();
    if (on) beep();
  });
  document.addEventListener("keydown", pressed);
  addEventListener("hashchange", route);
  showSound();
  try {
    if (await finishSignIn()) return;
  } catch (fault) {
    signedOut(fault.message);
    return;
  }
  if (!signedIn()) {
    signedOut();
    return;
  }
  byId("account").textContent = account();
  startClock();
  watching = watch({ changed: refreshList, state: showState });
  if (sessionStorage.getItem("proviso.no-reviewers") !== account()) loadReviewers();
  document.body.dataset.view = "list";
  route();
}

begin();
