// Reviewers and their tests, for authorisers (S19): how often each was wrong, with what is known about that rate.

import { el, svg } from "/console/page.js";

const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}\u00a0%`;
const WIDTH = 220;
const HEIGHT = 28;

/** The section's content from GET /reviewers. */
export function reviewersTable({ reviewers }) {
  if (!reviewers.length) return el("p", {}, "There are no reviewers yet.");
  const top = Math.max(0.05, ...reviewers.flatMap((one) => [one.high ?? 0, one.limit ?? 0])) * 1.05;
  const heads = ["Reviewer", "Tests", "Strangers confirmed", "Same person rejected", "Cannot tell", "Left unanswered", "Errors", "May review"];
  const head = el("tr", { role: "row" }, heads.map((text) => el("th", { scope: "col", role: "columnheader" }, text)));
  const rows = reviewers.map((one) => {
    const cells = [
      String(one.tests),
      counted(one.confirmed_non_mates, one.non_mates, one.strangers_confirmed),
      counted(one.rejected_mates, one.mates, one.mates_rejected),
      String(one.cannot_tell),
      String(one.unanswered ?? 0),
      errors(one, Math.min(1, top)),
      one.denied ? el("strong", {}, "No: too many errors") : trained(one),
    ];
    return el("tr", { role: "row" },
      el("th", { scope: "row", role: "rowheader", class: "id" }, one.sub),
      cells.map((cell, index) => el("td", { role: "cell", data: { label: heads[index + 1] } }, el("div", {}, cell))));
  });
  return el("table", { role: "table", class: "reviewers" },
    el("caption", {}, "Answers to tests. The bar is the range in which the true error rate lies (95 %), the dot what was counted, the dashed line the limit."),
    el("thead", { role: "rowgroup" }, head), el("tbody", { role: "rowgroup" }, rows));
}

function counted(wrong, all, measured) {
  const range = measured && el("span", { class: "quiet" }, `${percent(measured.low)} to ${percent(measured.high)}`);
  return [el("span", {}, `${wrong} of ${all}`), range].filter(Boolean);
}

function trained(one) {
  if (!one.trained_until) return "No: no training recorded";
  const until = new Date(one.trained_until);
  const date = until.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
  return until < new Date() ? `No: training ended ${date}` : `Yes, until ${date}`;
}

function errors(one, top) {
  if (one.error_rate === null || one.error_rate === undefined) return "Not measured";
  const text = `${percent(one.error_rate)} (between ${percent(one.low)} and ${percent(one.high)}); limit ${percent(one.limit)}`;
  const x = (share) => 4 + (WIDTH - 8) * Math.min(1, share / top);
  return [
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "bar", role: "img", "aria-label": `Error rate ${text}`, focusable: "false" },
      svg("line", { x1: 4, x2: WIDTH - 4, y1: 14, y2: 14, class: "axis" }),
      svg("line", { x1: x(one.low), x2: Math.max(x(one.high), x(one.low) + 2), y1: 14, y2: 14, class: "range" }),
      svg("circle", { cx: x(one.error_rate), cy: 14, r: 5, class: "rate" }),
      svg("line", { x1: x(one.limit), x2: x(one.limit), y1: 2, y2: 26, class: "limit" })),
    el("span", {}, text),
  ];
}
