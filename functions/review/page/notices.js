// The recipients' page: what a reviewer has confirmed, what may be done about it, and what came of it (S20, S22).

import { ApiFault, advice, get, patient, post, watch } from "/console/api.js";
import {
  announce, at, button, byId, el, focusOn, sessionControls, prefix, serverNow, serverSays, short, showSignedOut,
  showState, since, startClock, until,
} from "/console/page.js";
import { Faces } from "/console/pictures.js";
import { account, signedIn } from "/console/session.js";
import { SlipView } from "/console/slip.js";

const RESULTS = { not_engaged: "Not spoken to", engaged_right: "Spoken to: right person", engaged_wrong: "Spoken to: wrong person" };
const ACTIONS = {
  none: "Nothing more", conversation: "Conversation", help: "Help", search: "Search", arrest: "Arrest", removal: "Asked to leave",
};

let notices = [];
let view = null;
let known = null;
let watching = null;

const isSlip = () => location.pathname === "/console/slip";
const withdrawn = (one) => one.state === "withdrawn";
const late = (one) => Date.parse(one.useful_until) <= serverNow();

// --- the list --------------------------------------------------------------------------------------------------------

async function refreshList() {
  let said;
  try {
    said = await get("/notices");
  } catch (fault) {
    if (!(fault instanceof ApiFault) || fault.status !== 403) throw fault;
    byId("list-fault").replaceChildren(el("p", {}, advice(fault)));
    notices = []; // what this person may not see any more is taken away
    showList();
    byId("nothing").hidden = true;
    view?.gone?.();
    return;
  }
  serverSays(said.now);
  byId("list-fault").replaceChildren();
  const before = new Map(notices.map((one) => [one.id, one]));
  notices = said.notices;
  const taken = notices.filter((one) => withdrawn(one) && before.has(one.id) && !withdrawn(before.get(one.id)));
  const arrived = known === null ? [] : notices.filter((one) => !known.has(one.id));
  known = new Set([...(known ?? []), ...notices.map((one) => one.id)]);
  showList();
  for (const one of taken) announce(`Notice ${one.reference} is withdrawn. Do not act on it.`, true);
  if (arrived.length) announce(`New notice ${arrived[0].reference}, ${arrived[0].place}.`);
  const open = view && notices.find((one) => one.id === view.id);
  if (open) view.changed(open);
  else view?.gone?.();
}

function showList() {
  const list = byId("notices");
  const focused = document.activeElement?.closest?.("li[data-id]")?.dataset.id;
  list.replaceChildren(...notices.map((one) => el("li", { data: { id: one.id } }, noticeRow(one))));
  if (focused) list.querySelector(`li[data-id="${focused}"] a`)?.focus();
  byId("nothing").hidden = notices.length > 0;
  byId("nothing").textContent = "There is no notice. New ones appear here by themselves.";
  const open = notices.filter((one) => !withdrawn(one) && !late(one) && !one.outcome).length;
  byId("notices-title").textContent = `Notices (${open} open)`;
  if (!isSlip()) document.title = `${open ? `(${open}) ` : ""}Notices · Proviso`;
  markOpen();
}

function noticeRow(one) {
  const demonstration = prefix(one.message_prefix);
  const left = withdrawn(one) ? null : until(one.useful_until, "Too late to act");
  return el("a", { href: `#n/${one.id}`, class: withdrawn(one) ? "row withdrawn" : "row" },
    el("span", { class: "first" }, el("strong", { class: "reference" }, one.reference), el("span", {}, one.place)),
    withdrawn(one) && el("strong", { class: "badge stop" }, "WITHDRAWN: do not act"),
    demonstration && el("span", { class: "badge demo" }, demonstration),
    el("span", { class: "more" }, el("span", {}, "seen ", since(one.captured_at)), left),
    el("span", { class: "more quiet" }, one.outcome ? `outcome: ${outcomeWords(one.outcome)}` : "no outcome yet",
      el("span", {}, `camera ${one.camera}`)));
}

function outcomeWords(outcome) {
  const result = RESULTS[outcome.result] ?? "not recorded";
  return outcome.action && outcome.action !== "none" ? `${result}; ${ACTIONS[outcome.action].toLowerCase()}` : result;
}

function markOpen() {
  for (const link of document.querySelectorAll("a.row")) {
    if (view && link.parentElement.dataset.id === view.id) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

// --- one notice ------------------------------------------------------------------------------------------------------

class NoticeView {
  #host = byId("notice");
  #stop = new AbortController();
  #said = null;
  #faces = null;
  #pictures = null; // their place on the page
  #outcome = null; // and the outcome's
  #sending = false;

  constructor(id) {
    this.id = id;
  }

  async open() {
    this.#host.replaceChildren(el("p", { class: "quiet" }, "Loading the notice …"));
    const signal = this.#stop.signal;
    try {
      const said = await patient(() => get(`/notices/${this.id}`, { signal }), { signal });
      serverSays(said.now);
      this.#said = said;
      this.#show();
    } catch (fault) {
      if (signal.aborted) return;
      const heading = el("h2", {}, "This notice cannot be shown");
      this.#host.replaceChildren(heading, el("p", { class: "fault", role: "alert" }, advice(fault)),
        el("div", { class: "buttons" }, button("Try again", () => this.open()), button("Back to the list", toList)));
      focusOn(heading);
    }
  }

  close() {
    this.#stop.abort();
    this.#faces?.close();
    this.#host.replaceChildren();
  }

  /** It is not among this person's notices any more. */
  gone() {
    if (!this.#said) return;
    this.#said = null;
    this.#stop.abort();
    this.#faces?.close();
    const heading = el("h2", {}, "This notice is not there any more");
    this.#host.replaceChildren(heading, el("p", { class: "fault", role: "alert" }, "Do not act on it."),
      el("div", { class: "buttons" }, button("Back to the list", toList)));
  }

  changed(brief) {
    if (!this.#said || this.#sending) return;
    // A stop, or the person taken off the list, ends its time of use: nothing may go on saying "possible match".
    const turned = brief.state !== this.#said.state || brief.useful_until !== this.#said.useful_until;
    const answered = JSON.stringify(brief.outcome) !== JSON.stringify(this.#said.outcome);
    this.#said = { ...this.#said, state: brief.state, outcome: brief.outcome, useful_until: brief.useful_until };
    if (turned) this.#show();
    else if (answered) this.#showOutcome(); // else the buttons stay as they are: somebody may be tapping one
  }

  #show() {
    const said = this.#said;
    const first = !this.#outcome;
    const heading = el("h2", {}, `Notice ${said.reference}`);
    this.#outcome = el("section", { "aria-labelledby": "outcome-title", class: "decide" });
    this.#pictures = el("section", { "aria-labelledby": "pictures-title" });
    const demonstration = prefix(said.message_prefix);
    this.#host.replaceChildren(
      el("div", { class: "title" }, heading, demonstration ? el("p", { class: "banner" }, demonstration) : "",
        button("← List", toList, { "aria-label": "Back to the list" })),
      this.#rule(),
      this.#facts(),
      this.#pictures,
      this.#outcome,
      el("div", { class: "buttons" }, el("a", { class: "button", href: `/console/slip#n/${said.id}` }, "Slip for the person")));
    this.#showPictures();
    this.#showOutcome();
    if (first || document.activeElement === document.body) focusOn(heading);
  }

  /** Pictures while the notice is of use, and not a moment longer: the API gives none either. */
  #showPictures() {
    const title = el("h3", { id: "pictures-title" }, "Pictures");
    if (withdrawn(this.#said) || late(this.#said)) {
      this.#faces?.close();
      this.#faces = null;
      this.#pictures.replaceChildren(title, el("p", {}, "Pictures are shown only while the notice may be acted on."));
      return;
    }
    const fresh = !this.#faces;
    this.#faces ??= new Faces(this.#said, { signal: this.#stop.signal });
    this.#pictures.replaceChildren(title, this.#faces.element);
    if (fresh) this.#faces.open();
  }

  /** What to do and what not. Withdrawn or too late is said in large letters, in place of everything else. */
  #rule() {
    const said = this.#said;
    if (withdrawn(said)) {
      return el("div", { class: "rule stop" }, el("p", { class: "large" }, "WITHDRAWN. Do not act on it."),
        el("p", {}, "A reviewer has taken the confirmation back. If you have already spoken to somebody because of it: tell them so, give them the slip, and record the outcome."));
    }
    const rule = el("div", { class: "rule" });
    const inTime = () => rule.replaceChildren(
      el("p", { class: "large" }, "Possible match, checked by a reviewer. Not proof of identity: verify first."),
      el("p", {}, `Do not act on it after ${at(said.useful_until)}.`, " ", until(said.useful_until, "Too late")),
      said.calibrated ? "" : el("p", {}, "Nobody has measured how often this system errs here."));
    const tooLate = () => {
      rule.classList.add("stop");
      rule.replaceChildren(el("p", { class: "large" }, "Too late. Do not act on it any more."),
        el("p", {}, "Its time ran out, the deployment ended or was stopped, or the person was taken off the list. Record the outcome."));
    };
    rule.addEventListener("over", () => {
      tooLate();
      this.#showPictures();
      announce("Too late. Do not act on this notice any more.", true);
    });
    if (late(said)) tooLate();
    else inTime();
    return rule;
  }

  #facts() {
    const said = this.#said;
    const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, ...value));
    return el("dl", { class: "facts" },
      fact("Seen", since(said.captured_at), ` (${at(said.captured_at)})`),
      fact("Place", said.place),
      fact("Camera", said.camera),
      fact("Confirmed", at(said.confirmed_at)),
      fact("Deployment", el("span", { class: "id" }, short(said.deployment_id))));
  }

  #showOutcome() {
    const said = this.#said;
    const { outcome } = said;
    const focused = this.#outcome.contains(document.activeElement) ? document.activeElement.dataset.say : null;
    const choice = (value, text, chosen, say) => button(text, say, { class: "decision", "aria-pressed": String(chosen), data: { say: value } });
    const engaged = outcome && outcome.result.startsWith("engaged");
    this.#outcome.classList.toggle("reach", !outcome);
    this.#outcome.replaceChildren(
      el("h3", { id: "outcome-title" }, "What came of it?", !outcome && el("span", { class: "quick" }, " One tap records it.")),
      el("div", { class: "three", role: "group", "aria-labelledby": "outcome-title" }, Object.entries(RESULTS).map(([value, text]) =>
        choice(value, text, outcome?.result === value, () => this.#say({ result: value, action: "none" })))),
      el("p", { class: "quiet" }, outcome && RESULTS[outcome.result]
        ? `Recorded at ${at(outcome.recorded_at)}: ${outcomeWords(outcome)}. Wrong button? Press the right one.`
        : "One tap records it. You can change it by another tap."),
      engaged ? el("div", {}, el("h4", { id: "action-title" }, "And then? (optional)"),
        el("div", { class: "chips two", role: "group", "aria-labelledby": "action-title" }, Object.entries(ACTIONS).map(([value, text]) =>
          choice(value, text, outcome.action === value, () => this.#say({ result: outcome.result, action: value }))))) : "",
      el("div", { class: "fault", role: "alert" }));
    if (focused) this.#outcome.querySelector(`[data-say="${focused}"]`)?.focus();
  }

  async #say(body) {
    if (this.#sending) return;
    this.#sending = true;
    const fault = this.#outcome.querySelector(".fault");
    fault.replaceChildren();
    this.#outcome.setAttribute("aria-busy", "true");
    try {
      const said = await patient(() => post(`/notices/${this.id}/outcome`, body), {
        signal: this.#stop.signal,
        waiting: () => fault.replaceChildren(el("p", {}, "The database is waking up. It is sent again by itself.")),
      });
      this.#said = { ...this.#said, outcome: said.outcome, state: said.state };
      this.#showOutcome();
      announce(`Recorded: ${outcomeWords(said.outcome)}.`);
    } catch (problem) {
      if (!this.#stop.signal.aborted) fault.replaceChildren(el("p", {}, `Not recorded. ${advice(problem)}`));
    } finally {
      this.#sending = false;
      this.#outcome.removeAttribute("aria-busy");
    }
  }
}

// --- views and begin -------------------------------------------------------------------------------------------------

const toList = () => { location.hash = "#list"; };

function route() {
  if (!signedIn()) return;
  const [name, id] = location.hash.slice(1).split("/");
  const named = name === "n" && /^[A-Za-z0-9-]{1,64}$/.test(id ?? "");
  if (isSlip() && !named) {
    location.replace("/console/notices");
    return;
  }
  if (named && view?.id === id) return;
  const from = view?.id;
  view?.close();
  view = null;
  document.body.dataset.view = isSlip() ? "slip" : named ? "candidate" : "list";
  if (named) {
    view = isSlip() ? new SlipView(byId("notice"), id, () => notices.find((one) => one.id === id)) : new NoticeView(id);
    window.scrollTo(0, 0);
    view.open();
  } else if (from) (document.querySelector(`li[data-id="${from}"] a`) ?? byId("main")).focus();
  markOpen();
}

function signedOut(why = "") {
  watching?.stop();
  watching = null;
  view?.close();
  view = null;
  notices = [];
  showSignedOut(["notices", "notice", "list-fault"], why);
}

async function begin() {
  sessionControls(signedOut);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && view && !isSlip()) toList(); });
  addEventListener("hashchange", route);
  if (!signedIn()) {
    signedOut();
    return;
  }
  byId("account").textContent = account();
  startClock();
  document.body.dataset.view = "list";
  watching = watch({ changed: refreshList, state: showState });
  route();
}

begin();
