// The slip for the person who was stopped: what it was, who answers for it, what they can do. No picture of anybody.

import { advice, get, patient, post } from "/console/api.js";
import { announce, atLength, button, el, focusOn } from "/console/page.js";

/** Show the slip of a notice in that place of the page. */
export async function showSlip(place, id) {
  document.title = "Slip · Proviso";
  place.replaceChildren(el("p", { class: "quiet" }, "Loading the slip …"));
  try {
    const said = await patient(() => get(`/notices/${id}/slip`));
    place.replaceChildren(slip(said), tools(said, id, place));
    focusOn(place.querySelector("h2"));
  } catch (fault) {
    place.replaceChildren(el("h2", {}, "This slip cannot be shown"), el("p", { class: "fault", role: "alert" }, advice(fault)),
      el("div", { class: "buttons" }, button("Try again", () => showSlip(place, id)), back(id)));
  }
}

const back = (id) => el("a", { class: "button", href: `/console/notices#n/${id}` }, "Back to the notice");

function slip(said) {
  const fact = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
  return el("article", { class: "slip" },
    el("h2", {}, "Live facial recognition: why you were spoken to"),
    el("p", { class: "reference" }, "Reference ", el("strong", {}, said.reference)),
    el("p", {}, "A camera saw you, and a computer found that you may look like somebody on a list. A person checked it. That is not proof of who you are, and it can be wrong."),
    el("dl", {},
      fact("Where", said.place),
      fact("When", atLength(said.captured_at)),
      fact("Who is responsible", said.controller),
      fact("What for", said.use.replaceAll("_", " ")),
      fact("Legal basis", said.legal_basis),
      fact("Rules", `policy ${said.policy}, deployment ${said.deployment_id}`)),
    el("h3", {}, "What you can do"),
    el("ul", {},
      el("li", {}, "Complain or ask what is held about you: ", el("strong", {}, said.complaints), ". Say the reference above."),
      el("li", {}, kept(said)),
      el("li", {}, "You do not need to have your face searched again for any of this.")));
}

function kept(said) {
  if (said.held_until) return `The picture of you is kept until ${atLength(said.held_until)}, because this was asked for, or because you were spoken to. Then it is deleted.`;
  if (!said.evidence_until || Date.parse(said.evidence_until) <= Date.now()) return "The picture of you has been deleted.";
  return `The picture of you is deleted on ${atLength(said.evidence_until)}. If you want it kept, for a complaint, say so before then: now to the person who stopped you, or at the address above.`;
}

/** On the screen only: print it, record that the person asks for the picture to be kept, go back. */
function tools(said, id, place) {
  const problem = el("div", { class: "fault", role: "alert" });
  let sending = false;
  const hold = async () => {
    if (sending) return;
    sending = true;
    try {
      const { held_until: until } = await post(`/notices/${id}/hold`, { reason: "The person asked that the picture be kept." });
      announce("Recorded: the picture is kept.");
      place.replaceChildren(slip({ ...said, held_until: until }), tools({ ...said, held_until: until }, id, place));
      focusOn(place.querySelector("h2"));
    } catch (fault) {
      sending = false;
      problem.replaceChildren(el("p", {}, `Not recorded. ${advice(fault)}`));
    }
  };
  const can = said.evidence_until && Date.parse(said.evidence_until) > Date.now();
  return el("div", { class: "tools screen" },
    problem,
    el("div", { class: "buttons" },
      button("Print", () => window.print(), { class: "primary" }),
      can && button(said.held_until ? "Person asks: keep the picture longer" : "Person asks: keep the picture", hold),
      back(id)),
    el("p", { class: "quiet" }, "Show this page to the person, or print it. They may take a photograph of it."));
}
