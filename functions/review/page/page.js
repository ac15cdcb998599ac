// What both pages are built with: elements, sentences for times, announcements, the server's clock.
// Text reaches the page as text nodes only; nothing is ever parsed as HTML.

import { onEnd, signIn, signOut } from "/console/session.js";

const SVG = "http://www.w3.org/2000/svg";

/** An element. `on` holds listeners, `data` the data-* attributes; null, undefined and false leave an attribute out. */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for a drawing. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === "data") {
      Object.assign(element.dataset, value);
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** A button that never submits anything. */
export function button(label, onClick, attributes = {}) {
  return el("button", { type: "button", ...attributes, on: { click: onClick } }, label);
}

/** A key as it is shown. Hidden from readers, which are told by aria-keyshortcuts. */
export const key = (name) => el("kbd", { "aria-hidden": "true" }, name);

/** Say it to people who listen. `urgent` interrupts. */
export function announce(text, urgent = false) {
  const place = byId(urgent ? "urgent" : "polite");
  place.textContent = "";
  // A text that is the same as before would not be read out again without a change in between.
  setTimeout(() => { place.textContent = text; }, 50);
}

// --- time ------------------------------------------------------------------------------------------------------------

let ahead = 0; // how far the server's clock is ahead of this machine's, in milliseconds

/** Take the server's clock from an answer: this machine's own may be wrong. */
export function serverSays(now) {
  if (now) ahead = Date.parse(now) - Date.now();
}

export const serverNow = () => Date.now() + ahead;

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const whole = new Intl.DateTimeFormat("en-GB", {
  weekday: "long", day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
});

/** Local time: "14:03:22", with the day where it is not today. */
export function at(moment) {
  const then = new Date(moment);
  const today = day.format(new Date(serverNow())) === day.format(then);
  return today ? clock.format(then) : `${day.format(then)}, ${clock.format(then)}`;
}

/** Local time in full, with its zone, for paper. */
export const atLength = (moment) => whole.format(new Date(moment));

/** "48 s", "4 min 05 s", "3 h 20 min". */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.floor(minutes / 1440)} days`;
}

/** "12 s ago", and it goes on by itself. */
export const since = (moment) => ticking("since", moment);

/** "4 min 05 s left", and it goes on by itself; at the end it says `over` and sends the event `over` up the page. */
export const until = (moment, over = "Expired") => ticking("until", moment, over);

function ticking(kind, moment, over = "") {
  const time = el("time", { datetime: moment, class: "ticking", data: { [kind]: Date.parse(moment), over } });
  show(time, true);
  return time;
}

// The first time is silent: nobody can listen yet, and the next tick tells of an end that has passed.
function show(time, silent = false) {
  if (time.dataset.since) {
    time.textContent = `${span(serverNow() - Number(time.dataset.since))} ago`;
    return;
  }
  const left = Number(time.dataset.until) - serverNow();
  time.textContent = left > 0 ? `${span(left)} left` : time.dataset.over;
  time.classList.toggle("soon", left > 0 && left <= 60_000);
  if (silent) return;
  if (left <= 0 && !time.classList.contains("over")) {
    time.classList.add("over");
    time.dispatchEvent(new CustomEvent("over", { bubbles: true }));
  } else if (left > 0) {
    time.classList.remove("over");
  }
}

/** Begin to tick, once a page. */
export function startClock() {
  setInterval(() => { for (const time of document.querySelectorAll("time.ticking")) show(time); }, 500);
}

// --- small things ----------------------------------------------------------------------------------------------------

/** What somebody chose on this machine, such as the sound. Nothing about anybody is kept so. */
export const choices = {
  get: (name, otherwise) => localStorage.getItem(`proviso.choice.${name}`) ?? otherwise,
  set: (name, value) => localStorage.setItem(`proviso.choice.${name}`, value),
};

/** True where a key belongs to a text field and not to the page. */
export function isTyping(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName)
    || (target.tagName === "INPUT" && !/^(button|checkbox|radio)$/.test(target.type)));
}

/** The prefix that a policy puts before each message ("DEMONSTRATION: ") as a banner's words; "" without one. */
export const prefix = (text) => (text || "").trim().replace(/[:.\s]+$/, "");

export const short = (id) => String(id).slice(0, 8);

/** Move focus to a heading that a key press brought up, so that reading goes on there. `still`: without scrolling. */
export function focusOn(heading, still = false) {
  heading.setAttribute("tabindex", "-1");
  heading.focus({ preventScroll: still });
}

// --- what both pages have around their content -----------------------------------------------------------------------

const STATES = {
  live: "Live", waking: "The database is waking up", away: "No connection, trying again",
  busy: "A fault, trying again", refused: "Not allowed", out: "Signed out",
};

/** How the page stands to the API, where everybody looks for it. */
export function showState(name) {
  const place = byId("connection");
  if (place.dataset.state === name) return;
  place.dataset.state = name;
  place.textContent = STATES[name];
  if (name === "waking" || name === "away") announce(`${STATES[name]}. The page goes on by itself.`);
}

/** Nobody is signed in here any more. `cleared`: the ids of what showed something; it is taken away. */
export function showSignedOut(cleared, why) {
  for (const id of cleared) byId(id).replaceChildren();
  document.body.dataset.view = "signed-out";
  document.title = "Sign in · Proviso";
  byId("signed-out").hidden = false;
  byId("signed-out-why").textContent = why;
  showState("out");
  if (why) announce(why, true);
}

/** Sign in, Sign out and the skip link; `signedOut` is called with the reason when there is no session any more. */
export function sessionControls(signedOut) {
  byId("sign-in").addEventListener("click", () => signIn().catch((fault) => signedOut(fault.message)));
  byId("sign-out").addEventListener("click", () => signOut().catch(() => signedOut("You are signed out on this machine.")));
  document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); byId("main").focus(); });
  onEnd(signedOut);
}
