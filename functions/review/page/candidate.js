// One candidate before the reviewer's own decision: two faces, where it was, three equal buttons, a reason.
// The API gives no similarity, category or other decision before that (S16, S17), so there is none here to show.

import { ApiFault, advice, get, patient, post } from "/console/api.js";
import { afterDecision, stateSentence, withdrawal } from "/console/decided.js";
import { announce, at, button, el, focusOn, key, prefix, serverSays, serverNow, short, since, until } from "/console/page.js";
import { Faces } from "/console/pictures.js";

export const DECISIONS = { confirm: "Confirm", reject: "Reject", cannot_tell: "Cannot tell" };
const KEYS = { c: "confirm", r: "reject", t: "cannot_tell" };
const REASONS = {
  confirm: [
    "Eyes, nose and mouth agree",
    "Marks, scars or moles agree",
    "Shape of the face agrees",
    "Agree in spite of another age or pose",
  ],
  reject: [
    "Eyes, nose or mouth differ",
    "Shape of the face differs",
    "Marks, scars or moles differ",
    "Clearly another age",
  ],
  cannot_tell: [
    "Face too small or not sharp",
    "Turned away or partly covered",
    "Too dark, too bright or in shadow",
    "The list's picture is too old or too poor",
  ],
};
const ONE_MINUTE = 60_000;
const ROOM_PX = 40; // the edges that style keeps free when something is scrolled to
const GONE = "It no longer waits for you: it was decided, its time is over, or the deployment was stopped. You recorded no decision.";

export class CandidateView {
  #id;
  #host;
  #hooks;
  #stop = new AbortController();
  #said = null; // what the API said last
  #faces = null;
  #ready = false; // both pictures are shown
  #chosen = null; // the decision whose reason is being written
  #sending = false;
  #over = false; // the time is over, or it waits for nobody any more
  #unknown = false; // a decision was sent and no answer came
  #parts = {};
  #timer;

  /** `hooks`: decided(answer), stopped(), back(), next(). */
  constructor(host, id, hooks) {
    this.#host = host;
    this.#id = id;
    this.#hooks = hooks;
  }

  get id() { return this.#id; }

  get undecided() { return Boolean(this.#said && this.#said.own_decision === null && this.#said.state === "raised"); }

  get writing() { return this.#chosen !== null; }

  async open() {
    this.#host.replaceChildren(el("p", { class: "quiet" }, "Loading the candidate …"));
    try {
      await this.#ask();
    } catch (fault) {
      if (this.#stop.signal.aborted) return;
      const heading = el("h2", {}, "This candidate cannot be shown");
      this.#host.replaceChildren(heading, el("p", { class: "fault", role: "alert" }, advice(fault)),
        el("div", { class: "buttons" }, button("Try again", () => this.open()), button("Back to the list", this.#hooks.back)));
      focusOn(heading);
    }
  }

  async #ask() {
    const signal = this.#stop.signal;
    const said = await patient(() => get(`/candidates/${this.#id}`, { signal }), { signal, waiting: () => {
      this.#host.replaceChildren(el("p", { class: "quiet", role: "status" }, "The database is waking up. This takes up to a minute …"));
    } });
    if (signal.aborted) return;
    serverSays(said.now);
    this.#show(said);
  }

  close() {
    this.#stop.abort();
    clearInterval(this.#timer);
    this.#faces?.close();
    this.#said = null;
    this.#host.replaceChildren();
  }

  /** The list says something new about it; `brief` is null when it is on no list any more. */
  changed(brief) {
    if (!this.#said || this.#sending) return;
    if (this.undecided && !brief) this.#end(GONE);
    else if (brief && this.#said.own_decision !== null && brief.state !== this.#said.state) this.#ask().catch(() => {});
  }

  /** A key that the page did not use itself. True when it was used here. */
  key(name, { shift }) {
    if (name === "Escape") return this.#chosen ? this.#back() : false;
    if (name === "+" || name === "=") return this.#used(this.#faces?.zoom(1));
    if (name === "-" || name === "_") return this.#used(this.#faces?.zoom(-1));
    if (name === "0") return this.#used(this.#faces?.zoom(0));
    if (name === "[" || name === "]") return this.#used(this.#faces?.step(name === "]" ? 1 : -1));
    if (shift && name.startsWith("Arrow")) {
      const [right, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[name];
      return this.#used(this.#faces?.move(right * 0.08, down * 0.08));
    }
    if (KEYS[name] && this.undecided && !this.#chosen) return this.#used(this.#choose(KEYS[name]));
    if (this.#chosen && /^[1-4]$/.test(name)) return this.#used(this.#fill(REASONS[this.#chosen][Number(name) - 1]));
    return false;
  }

  #used() { return true; }

  /** Ctrl+Enter, or the button. */
  async record() {
    if (!this.#chosen || this.#sending) return;
    const reason = this.#parts.reason.value.trim();
    if (this.#over) return this.#problem("The time is over. Your decision was not recorded.");
    if (!reason) {
      this.#problem("Write a reason first, or take one with 1 to 4.");
      this.#parts.reason.focus();
      return;
    }
    this.#sending = true;
    this.#parts.record.setAttribute("aria-disabled", "true");
    this.#problem("");
    announce("Sending your decision.");
    try {
      const body = { decision: this.#chosen, reason };
      const said = await patient(() => post(`/candidates/${this.#id}/decision`, body), {
        signal: this.#stop.signal,
        enough: () => this.#over,
        waiting: () => this.#problem("The database is waking up. Nothing is recorded yet; your decision is sent again by itself."),
      });
      if (this.#stop.signal.aborted) return;
      this.#sending = false;
      this.#chosen = null;
      serverSays(said.now);
      this.#show(said);
      this.#hooks.decided(said);
    } catch (fault) {
      this.#sending = false;
      if (!this.#stop.signal.aborted) this.#failed(fault);
    }
  }

  #failed(fault) {
    this.#parts.record.removeAttribute("aria-disabled");
    if (fault instanceof ApiFault && fault.unknown) {
      this.#unknown = true;
      this.#problem("It is not known whether your decision was recorded. Look again before you decide anew.",
        button("Look again", () => { this.#chosen = null; this.open(); }));
      return;
    }
    this.#problem(advice(fault));
    if (["too_late", "not_active", "wrong_state"].includes(fault.reason)) this.#end(advice(fault));
  }

  // --- what is shown -------------------------------------------------------------------------------------------------

  #show(said) {
    const before = this.#said;
    this.#said = said;
    this.#unknown = false;
    clearInterval(this.#timer);
    const heading = el("h2", { id: "candidate-title" }, `Candidate ${said.reference}`);
    this.#parts.decide = el("section", { class: "decide", "aria-labelledby": "decide-title" });
    this.#faces ??= new Faces(said, {
      signal: this.#stop.signal,
      keys: true,
      ready: () => { this.#ready = true; this.#enable(); },
      failed: () => { this.#ready = false; this.#enable(); },
    });
    this.#parts.stop ??= stopControl(said.deployment_id, this.#hooks.stopped);
    const pictures = el("section", { "aria-labelledby": "pictures-title" },
      el("h3", { id: "pictures-title" }, "Are these the same person?"), this.#faces.element);
    this.#host.replaceChildren(
      el("div", { class: "title" }, heading, banner(said), button(["← List ", key("Esc")], this.#hooks.back, { "aria-label": "Back to the list" })),
      this.#facts(said), pictures, this.#parts.decide, this.#parts.stop);
    if (!before) {
      focusOn(heading);
      this.#faces.open();
    }
    if (this.undecided) this.#offer();
    else {
      this.#faces.element.classList.remove("writing");
      this.#after(said, before);
    }
    // What had the focus is gone: go on reading from the top.
    if (document.activeElement === document.body || document.activeElement === null) focusOn(heading);
  }

  #facts(said) {
    const waits = said.own_decision === null && said.state === "raised";
    const left = waits ? until(said.decide_by, "Time is over") : null;
    left?.addEventListener("over", () => this.#end("The time for this candidate is over. Your decision was not recorded."));
    if (left) {
      let told = false;
      this.#timer = setInterval(() => {
        const rest = Date.parse(said.decide_by) - serverNow();
        if (!told && rest > 0 && rest < ONE_MINUTE) { told = true; announce("Less than one minute left."); }
      }, 1000);
    }
    const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, ...value));
    return el("dl", { class: "facts" },
      left && fact("Time to decide", left),
      fact("Seen", at(said.captured_at), " (", since(said.captured_at), ")"),
      fact("Place", said.place),
      fact("Camera", said.camera),
      fact("Deployment", el("span", { title: said.deployment_id }, short(said.deployment_id))));
  }

  #offer(focused = null) {
    const choices = Object.entries(DECISIONS).map(([name, label]) => {
      const letter = Object.keys(KEYS).find((one) => KEYS[one] === name);
      return button([label, " ", key(letter)], () => this.#choose(name), {
        class: "decision", data: { decision: name }, "aria-keyshortcuts": letter, "aria-describedby": "decide-note" });
    });
    this.#parts.note = el("p", { id: "decide-note", class: "quiet" });
    this.#writing(false);
    this.#parts.decide.replaceChildren(
      el("div", { class: "why" }, el("h3", { id: "decide-title" }, "Your decision"), this.#left()),
      this.#parts.note,
      el("div", { class: "three", role: "group", "aria-labelledby": "decide-title" }, choices));
    this.#parts.choices = choices;
    this.#enable();
    if (focused) choices.find((one) => one.dataset.decision === focused)?.focus();
  }

  /** While a reason is written, what stands between the faces and it makes room, so that both are in sight. */
  #writing(now) {
    this.#parts.decide.classList.toggle("reach", !now);
    this.#faces.element.classList.toggle("writing", now);
  }

  /** Beside the decision too: the facts may be out of sight. */
  #left() {
    return until(this.#said.decide_by, "Time is over");
  }

  #enable() {
    if (!this.#parts.note || !this.undecided || this.#over) return;
    this.#parts.note.textContent = this.#ready
      ? "Decide by what you see. In doubt: Cannot tell."
      : "Confirm and Reject can be chosen when both pictures are shown.";
    for (const choice of this.#parts.choices ?? []) {
      const waits = !this.#ready && choice.dataset.decision !== "cannot_tell";
      choice.toggleAttribute("data-waits", waits);
      if (waits) choice.setAttribute("aria-disabled", "true");
      else choice.removeAttribute("aria-disabled");
    }
  }

  #choose(name) {
    if (!this.undecided || this.#over || this.#sending) return;
    if (!this.#ready && name !== "cannot_tell") {
      announce("Wait until both pictures are shown.", true);
      return;
    }
    this.#chosen = name;
    this.#writing(true);
    const label = DECISIONS[name];
    const heading = el("h3", { id: "decide-title" }, `${label}: why?`);
    this.#parts.reason = el("textarea", { id: "reason", rows: 2, maxlength: 500, required: true, "aria-describedby": "reason-note" });
    this.#parts.problem = el("div", { class: "fault", role: "alert" });
    this.#parts.record = button([`Record: ${label.toLowerCase()} `, key("Ctrl Enter")], () => this.record(), {
      class: "primary", "aria-keyshortcuts": "Control+Enter" });
    this.#parts.decide.replaceChildren(
      el("div", { class: "why" }, heading, this.#left()),
      el("div", { class: "chips", role: "group", "aria-label": "Reasons" }, REASONS[name].map((text, index) =>
        button([key(String(index + 1)), ` ${text}`], () => this.#fill(text), { "aria-keyshortcuts": String(index + 1) }))),
      el("label", { for: "reason" }, "Reason (required)"),
      this.#parts.reason,
      el("p", { id: "reason-note", class: "quiet" }, "Take one above and change it, or write your own. Nobody's name, please."),
      this.#parts.problem,
      el("div", { class: "buttons" }, this.#parts.record, button(["Back ", key("Esc")], () => this.#back())));
    focusOn(heading, true);
    // Record has to be in sight, and of the faces as much as there is room for.
    const { decide } = this.#parts;
    if (decide.offsetHeight < innerHeight - ROOM_PX) decide.scrollIntoView({ block: "nearest" });
    else decide.scrollIntoView({ block: "start" });
  }

  #fill(text) {
    this.#parts.reason.value = text;
    this.#problem("");
    announce(`Reason: ${text}. Control and Enter records it.`);
  }

  #back() {
    if (this.#sending) return true;
    const chosen = this.#chosen;
    this.#chosen = null;
    if (!this.#over) this.#offer(chosen);
    return true;
  }

  #problem(text, ...more) {
    this.#parts.problem?.replaceChildren(...(text ? [el("p", {}, text), ...more] : []));
  }

  #end(why) {
    // Where nobody knows whether a decision was recorded, that stays on the page, and "Look again".
    if (this.#over || this.#sending || this.#unknown || !this.undecided) return;
    this.#over = true;
    this.#chosen = null;
    this.#writing(false);
    this.#parts.decide.classList.remove("reach");
    // Nobody may decide on these faces any more, so nobody looks at them.
    this.#faces?.close();
    this.#faces?.element.replaceWith(el("p", { class: "quiet" }, "The pictures are taken away: there is nothing left to decide."));
    const heading = el("h3", { id: "decide-title" }, "Too late to decide");
    this.#parts.decide.replaceChildren(heading, el("p", { class: "ended" }, why),
      el("div", { class: "buttons" }, button(["Next ", key("n")], this.#hooks.next, { "aria-keyshortcuts": "n" }),
        button("Back to the list", this.#hooks.back)));
    announce(why, true);
  }

  #after(said, before) {
    const again = () => this.#ask();
    if (said.own_decision === null) {
      // Decided by others alone, or over: nothing of it is shown but that, and how a confirmation is taken back.
      this.#parts.decide.replaceChildren(el("h3", { id: "decide-title" }, "Your decision"),
        el("p", {}, "You did not decide on this candidate."), el("p", { class: "state" }, stateSentence(said)),
        withdrawal(said, again) ?? "");
      return;
    }
    const heading = el("h3", { id: "decide-title" }, `Your decision: ${DECISIONS[said.own_decision]}`);
    this.#parts.decide.replaceChildren(heading, ...afterDecision(said, { again, next: this.#hooks.next }));
    if (before && before.own_decision === null) {
      focusOn(heading);
      announce(`Recorded: ${DECISIONS[said.own_decision]}.`);
    }
  }
}

/** The policy's prefix, as wide as the page: nobody takes a demonstration for the real thing. */
export function banner(said) {
  const text = prefix(said.message_prefix);
  return text ? el("p", { class: "banner" }, text) : "";
}

// --- the stop --------------------------------------------------------------------------------------------------------

const stopped = new Map(); // deployment → what its stop did; a stopped deployment never starts again

/** Stop a deployment, in two steps and without a reason. `done` is called after it; `where` says which one it is. */
export function stopControl(id, done = () => {}, where = "") {
  const place = el("div", { class: "stopping", role: "group", "aria-label": `Stop deployment ${short(id)}` });
  const say = (text) => place.replaceChildren(el("p", { tabindex: -1 }, text));
  const offer = () => place.replaceChildren(
    button(`Stop deployment ${short(id)} …`, ask, { class: "small" }), where && el("span", { class: "quiet" }, where));
  const ask = () => {
    // The text gets the focus, not the button: Enter that is held down or pressed twice stops nothing.
    const text = el("p", { tabindex: -1 }, "Stop this deployment: no face is searched any more, what waits is frozen, unsent notices are withheld. Anybody signed in may.");
    const problem = el("div", { class: "fault", role: "alert" });
    let sending = false;
    const stop = button(`Stop deployment ${short(id)}`, async () => {
      if (sending) return;
      sending = true;
      stop.setAttribute("aria-disabled", "true");
      problem.replaceChildren();
      try {
        const answer = await patient(() => post(`/deployments/${id}/stop`), {
          waiting: () => problem.replaceChildren(el("p", {}, "The database is waking up. The stop is sent again by itself.")),
        });
        stopped.set(id, stopSentence(answer));
        say(stopped.get(id));
        place.firstChild.focus();
        announce(stopped.get(id), true);
        done();
      } catch (fault) {
        sending = false;
        stop.removeAttribute("aria-disabled");
        problem.replaceChildren(el("p", {}, fault.unknown
          ? "It is not known whether it was stopped. Stop it again: twice does no harm." : `Not stopped. ${advice(fault)}`));
      }
    });
    const leave = () => {
      if (sending) return;
      offer();
      place.querySelector("button").focus();
    };
    const buttons = el("div", { class: "buttons" }, stop, button("Do not stop", leave));
    const asked = el("div", { class: "stop-asked" }, text, problem, buttons);
    asked.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { event.preventDefault(); leave(); }
    });
    place.replaceChildren(asked);
    text.focus();
  };
  if (stopped.has(id)) say(stopped.get(id));
  else offer();
  return place;
}

function stopSentence({ stopped: ended, permits_deleted: permits, database }) {
  if (database !== "done") return "Stopped: no face is searched any more. The database is away; the rest follows as soon as it is back.";
  if (!ended.length && !permits.length) return "It did not run any more. There was nothing to stop.";
  return "Stopped: no face is searched any more, what waited is frozen, unsent notices are withheld.";
}
