// What a reviewer sees after their own decision, and never before: similarity, category, reason, others' decisions, in
// this order. Never a percentage of certainty: how often a stranger reaches this similarity, or "not measured".

import { advice, post } from "/console/api.js";
import { announce, at, button, el, key } from "/console/page.js";

const WORDS = { confirm: "Confirm", reject: "Reject", cannot_tell: "Cannot tell" };
const whole = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 2 });

/** What has become of it, in a sentence. */
export function stateSentence(said) {
  switch (said.state) {
    case "raised":
      return said.reviewers_required > 1 && said.own_decision === "confirm"
        ? "It waits for another reviewer." : "It still waits for a decision.";
    case "confirmed": return "It is confirmed. A notice goes to the recipients.";
    case "rejected": return "It is rejected. Nobody is told.";
    case "expired": return "Its time is over. Nobody was told.";
    case "frozen": return "It was frozen: the deployment ended or was stopped, or the person was taken off the list. Nobody was told.";
    case "withdrawn": return "The confirmation is withdrawn. Whoever was told is told not to act on it.";
    default: return `It is ${said.state}.`;
  }
}

/** How often a stranger reaches this similarity, in words. */
export function strangers(found) {
  if (!found || !(found.low > 0)) return "How often a stranger reaches this similarity: not measured.";
  const { about, low, high } = found;
  const list = "searches against a list like this";
  if (!high) return `A stranger reaches this similarity less often than once in ${whole.format(low)} ${list}.`;
  const range = `between ${whole.format(low)} and ${whole.format(high)}`;
  return about
    ? `A stranger reaches this similarity about once in ${whole.format(about)} ${list} (${range}).`
    : `A stranger reaches this similarity once in about ${whole.format(low)} to ${whole.format(high)} ${list}.`;
}

/** The parts that follow the heading with the own decision. `again` asks the API anew, `next` goes on. */
export function afterDecision(said, { again, next }) {
  return [
    el("p", {}, `Your reason: ${said.own_reason ?? ""}`),
    test(said),
    el("p", { class: "state" }, said.test ? "Nobody is told: it was a test." : stateSentence(said)),
    el("div", { class: "buttons" }, button(["Next ", key("n")], next, { class: "primary", "aria-keyshortcuts": "n" })),
    part("Similarity",
      el("p", {}, said.similarity === null ? "Not kept." : `${Number(said.similarity).toFixed(3)}; candidates begin at ${said.threshold}.`),
      el("p", {}, strangers(said.stranger_once_in)),
      el("p", { class: "quiet" }, said.calibrated
        ? `Policy ${said.policy}.` : `Policy ${said.policy}. Nobody has measured this system for this use.`)),
    part("On the list",
      el("p", {}, `Category: ${said.category ? said.category.replaceAll("_", " ") : "not kept"}.`),
      el("p", {}, `Reason for listing: ${said.listing_reason || "not kept"}.`)),
    part("Others' decisions", others(said)),
    said.test ? "" : demographics(said),
    withdrawal(said, again) ?? "",
  ].filter(Boolean);
}

const part = (title, ...children) => el("section", { class: "part" }, el("h4", {}, title), ...children);

function others(said) {
  if (!said.others?.length) return el("p", {}, "Nobody else has decided.");
  return el("ul", {}, said.others.map((one) => el("li", {}, `${WORDS[one.decision] ?? one.decision}, ${at(one.decided_at)}: ${one.reason}`)));
}

function test(said) {
  if (!said.test) return null;
  const truth = said.test.mated ? "Both pictures show the same person." : "The pictures show two different people.";
  const verdict = said.test.right === null ? "“Cannot tell” counts as neither right nor wrong."
    : said.test.right ? "Your decision was right." : "Your decision was wrong.";
  return el("div", { class: "test" }, el("p", {}, el("strong", {}, "This was a test. "), truth, " ", el("strong", {}, verdict)));
}

// --- demographics (S28) ----------------------------------------------------------------------------------------------

const QUESTIONS = {
  sex: ["Sex", { not_stated: "Not stated", female: "Female", male: "Male" }],
  age: ["Age", { not_stated: "Not stated", under_18: "Under 18", "18_34": "18 to 34", "35_54": "35 to 54", "55_plus": "55 or over" }],
  ethnicity: ["Ethnicity", { not_stated: "Not stated", asian: "Asian", black: "Black", mixed: "Mixed", white: "White", other: "Other" }],
};

function demographics(said) {
  const place = el("section", { class: "part" }, el("h4", {}, "About the person seen (optional)"));
  if (said.demographics_recorded) {
    place.append(el("p", {}, "Recorded by you."));
    return place;
  }
  const fields = Object.entries(QUESTIONS).map(([name, [label, options]]) => {
    const select = el("select", { id: `about-${name}`, name }, Object.entries(options).map(([value, text]) => el("option", { value }, text)));
    return el("div", { class: "field" }, el("label", { for: `about-${name}` }, label), select);
  });
  const problem = el("div", { class: "fault", role: "alert" });
  const form = el("div", { class: "about" },
    el("p", { class: "quiet" }, "Recorded by you, never worked out by a machine. It shows whether groups are treated differently. Skip it if you like."),
    el("div", { class: "fields" }, fields), problem);
  let sending = false;
  form.append(el("div", { class: "buttons" }, button("Record", async () => {
    if (sending) return;
    sending = true;
    try {
      const body = Object.fromEntries([...form.querySelectorAll("select")].map((select) => [select.name, select.value]));
      await post(`/candidates/${said.id}/demographics`, body);
      form.replaceChildren(el("p", { role: "status" }, "Recorded by you."));
    } catch (fault) {
      sending = false;
      problem.replaceChildren(el("p", {}, advice(fault)));
    }
  }), button("Skip", () => form.replaceChildren(el("p", { role: "status" }, "Skipped. Nothing was recorded.")))));
  place.append(form);
  return place;
}

// --- withdrawal ------------------------------------------------------------------------------------------------------

/** How a confirmation is taken back; null where none stands. Any reviewer of the deployment may, at any time. */
export function withdrawal(said, again) {
  if (said.state !== "confirmed" || said.test) return null;
  const place = el("section", { class: "part" }, el("h4", {}, "Take it back"));
  const offer = () => place.replaceChildren(place.firstChild,
    el("p", {}, "If the confirmation was wrong, withdraw it. Whoever was told is told at once not to act on it."),
    el("div", { class: "buttons" }, button("Withdraw …", write)));
  const write = () => {
    const reason = el("textarea", { id: "withdraw-reason", rows: 2, maxlength: 500, required: true });
    const problem = el("div", { class: "fault", role: "alert" });
    let sending = false;
    const send = button("Record: withdraw", async () => {
      if (sending) return;
      if (!reason.value.trim()) {
        problem.replaceChildren(el("p", {}, "Write a reason first."));
        reason.focus();
        return;
      }
      sending = true;
      try {
        await post(`/candidates/${said.id}/withdrawal`, { reason: reason.value.trim() });
        announce("Withdrawn. Whoever was told is told not to act on it.", true);
        await again();
      } catch (fault) {
        sending = false;
        problem.replaceChildren(el("p", {}, advice(fault)));
      }
    }, { class: "primary" });
    place.replaceChildren(place.firstChild, el("label", { for: "withdraw-reason" }, "Why is it withdrawn? (required)"), reason, problem,
      el("div", { class: "buttons" }, send, button("Do not withdraw", offer)));
    reason.focus();
  };
  offer();
  return place;
}
