// The slip for the person who was stopped: what it was, who answers for it, what they can do. No picture of anybody.

import { advice, get, patient, post } from "/console/api.js";
import { announce, atLength, button, el, focusOn, serverNow } from "/console/page.js";

/** The slip of one notice. The page's watch tells of a withdrawal: `brief` gives the notice as it was listed last. */
export class SlipView {
  #place;
  #brief;
  #stop = new AbortController();
  #said = null;
  #withdrawn = el("p", { class: "taken-back", hidden: true }, "The confirmation has been taken back: it was a mistake or may have been.");
  #kept = el("li");
  #tools = el("div", { class: "tools screen" });
  #problem = el("div", { class: "fault", role: "alert" });
  #sending = false;

  constructor(place, id, brief) {
    this.#place = place;
    this.id = id;
    this.#brief = brief;
  }

  async open() {
    document.title = "Slip · Proviso";
    this.#place.replaceChildren(el("p", { class: "quiet" }, "Loading the slip …"));
    const signal = this.#stop.signal;
    try {
      this.#said = await patient(() => get(`/notices/${this.id}/slip`, { signal }), { signal });
      const slip = this.#slip();
      this.changed();
      this.#place.replaceChildren(slip, this.#tools);
      focusOn(slip.querySelector("h2"));
    } catch (fault) {
      if (signal.aborted) return;
      this.#place.replaceChildren(el("h2", {}, "This slip cannot be shown"), el("p", { class: "fault", role: "alert" }, advice(fault)),
        el("div", { class: "buttons" }, button("Try again", () => this.open()), this.#back()));
    }
  }

  close() {
    this.#stop.abort();
    this.#place.replaceChildren();
  }

  /** What may change while it is shown: whether it was taken back, and what has become of the picture. */
  changed() {
    if (!this.#said) return;
    this.#withdrawn.hidden = this.#brief()?.state !== "withdrawn";
    this.#kept.textContent = kept(this.#said);
    this.#showTools();
  }

  #slip() {
    const said = this.#said;
    const fact = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
    return el("article", { class: "slip" },
      el("h2", {}, "Live facial recognition: why you were spoken to"),
      el("p", { class: "reference" }, "Reference ", el("strong", {}, said.reference)),
      el("p", {}, "A camera saw you, and a computer found that you may look like somebody on a list. A person checked it. That is not proof of who you are, and it can be wrong."),
      this.#withdrawn,
      el("dl", {},
        fact("Where", said.place),
        fact("When", atLength(said.captured_at)),
        fact("Who is responsible", said.controller),
        fact("What for", said.use.replaceAll("_", " ")),
        fact("Legal basis", said.legal_basis),
        fact("Rules", `policy ${said.policy}, deployment ${said.deployment_id}`)),
      el("h3", {}, "What you can do"),
      el("ul", {},
        el("li", {}, "Complain or ask what is held about you: ", el("strong", {}, said.complaints), ". Give the reference above."),
        this.#kept,
        el("li", {}, "You do not need to have your face searched again for any of this.")));
  }

  /** On the screen only: print it, record that the person asks for the picture to be kept, go back. */
  #showTools() {
    const focused = [...this.#tools.querySelectorAll("button, a")].indexOf(document.activeElement);
    this.#tools.replaceChildren(
      this.#problem,
      el("div", { class: "buttons" },
        button("Print", () => window.print(), { class: "primary" }),
        there(this.#said) && button(this.#said.held_until ? "Person asks: keep the picture longer" : "Person asks: keep the picture", () => this.#hold()),
        this.#back()),
      el("p", { class: "quiet" }, "Show this page to the person, or print it. They may take a photograph of it."));
    this.#tools.querySelectorAll("button, a")[focused]?.focus();
  }

  #back() {
    return el("a", { class: "button", href: `/console/notices#n/${this.id}` }, "Back to the notice");
  }

  async #hold() {
    if (this.#sending) return;
    this.#sending = true;
    this.#problem.replaceChildren();
    try {
      const { held_until: until } = await post(`/notices/${this.id}/hold`, { reason: "The person asked that the picture be kept." });
      this.#said = { ...this.#said, held_until: until };
      this.changed();
      announce("Recorded: the picture is kept.");
      focusOn(this.#place.querySelector("h2"));
    } catch (fault) {
      this.#problem.replaceChildren(el("p", {}, `Not recorded. ${advice(fault)}`));
    } finally {
      this.#sending = false;
    }
  }
}

const there = (said) => Boolean(said.evidence_until) && Date.parse(said.evidence_until) > serverNow();

function kept(said) {
  if (said.held_until) return `The picture of you is kept until ${atLength(said.held_until)}, because you were spoken to or because you asked. Then it is deleted.`;
  if (!there(said)) return "The picture of you has been deleted.";
  return `The picture of you is deleted by ${atLength(said.evidence_until)} at the latest, perhaps sooner. If you want it kept, say so now: to the person who spoke to you, or at the address above.`;
}
