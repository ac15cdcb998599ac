// The API: calls with the token, faults as people can act on them, and the watch for changes.

import { over, refresh, token } from "/console/session.js";

const PATIENCE_MS = 90_000;
const GIVE_UP_MS = 35_000;

/** Something did not work. `status` 0: no answer came. `unknown`: nobody can say whether it was done. */
export class ApiFault extends Error {
  constructor(status, reason, message, wait = 0) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.wait = wait;
  }

  get waking() { return this.status === 503 && this.reason !== "storage_fault"; }

  get unknown() { return this.status === 0 || this.status === 500 || this.reason === "storage_fault"; }
}

export const get = (path, options) => call("GET", path, undefined, options).then((answer) => answer.json());
export const post = (path, body, options) => call("POST", path, body, options).then((answer) => answer.json());
export const picture = (path, options) => call("GET", path, undefined, options).then((answer) => answer.blob());

async function call(method, path, body, { signal } = {}) {
  let answer = await once(method, path, body, signal, () => token());
  if (answer.status === 401) answer = await once(method, path, body, signal, () => refresh());
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  if (answer.status === 401) over("Your sign-in has ended.");
  throw new ApiFault(answer.status, said.reason ?? "", said.message ?? "", Number(answer.headers.get("Retry-After") || 0));
}

async function once(method, path, body, signal, tokenOf) {
  const limit = AbortSignal.timeout(GIVE_UP_MS);
  try {
    const access = await tokenOf();
    if (!access) throw new ApiFault(401, "not_signed_in", "sign in first");
    return await fetch(path, {
      method,
      cache: "no-store",
      headers: { Authorization: `Bearer ${access}`, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
  } catch (fault) {
    if (fault instanceof ApiFault || signal?.aborted) throw fault;
    throw new ApiFault(0, "no_answer", "no answer came");
  }
}

/** Try again while the database wakes up, for a minute and a half. `waiting` is told each time. */
export async function patient(attempt, { signal, waiting = () => {}, enough = () => false } = {}) {
  const began = Date.now();
  for (;;) {
    try {
      return await attempt();
    } catch (fault) {
      const again = fault instanceof ApiFault && (fault.waking || fault.status === 429) && fault.reason !== "reviewer_cap";
      if (!again || signal?.aborted || enough() || Date.now() - began > PATIENCE_MS) throw fault;
      waiting(fault);
      await pause(Math.max(1, fault.wait || 2) * 1000, signal);
    }
  }
}

export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
}

// Only what the API's own sentence does not say already.
const DO = {
  not_signed_in: "Sign in again.",
  role_missing: "An authoriser can give you the role.",
  not_trained: "Do not review now. Ask an authoriser.",
  same_person: "Leave it to another reviewer.",
  wrong_state: "Nothing was recorded now. Go back to the list and look again.",
  not_active: "The deployment is over or was stopped. Nothing was recorded.",
  too_late: "Nothing was recorded.",
  not_found: "It may have been deleted. Go back to the list.",
  gone: "It was deleted, as it must be. Go back to the list.",
};

/** One or two sentences: what happened, and what to do. */
export function advice(fault) {
  if (!(fault instanceof ApiFault)) return `Something on this page failed (${fault?.message ?? fault}). Load it again.`;
  if (fault.status === 0) return "No answer came. Check the network, then look again.";
  if (fault.waking) return "The database is waking up. This takes up to a minute. Nothing is lost; try again in some seconds.";
  if (fault.status === 429 && fault.reason !== "reviewer_cap") return "Too many requests at once. Wait some seconds, then try again.";
  if (fault.status >= 500) return "The service had a fault. Look again before you rely on it.";
  const said = fault.message ? `${fault.message[0].toUpperCase()}${fault.message.slice(1)}.` : `Refused (${fault.status}).`;
  return [said, DO[fault.reason]].filter(Boolean).join(" ");
}

// --- the watch -------------------------------------------------------------------------------------------------------

const SEEN_MS = 500;
const HIDDEN_MS = 5000;
const BACK_OFF_S = [1, 2, 4, 8, 15];

/** Ask /changes again and again; call `changed` when its token is another. It reads no database, so it wakes none.

 `state` is told "live", "waking", "busy", "away" or "refused". A change whose `changed` failed is tried again. */
export function watch({ changed, state }) {
  const stop = new AbortController();
  let last = null;
  let failures = 0;
  let poke = () => {};
  addEventListener("online", () => poke());
  document.addEventListener("visibilitychange", () => poke());

  async function look() {
    const { token: mark } = await get("/changes", { signal: stop.signal });
    if (mark === last) return;
    await changed();
    last = mark;
  }

  function waitAfter(fault) {
    const wait = fault.status === 403 ? 15 : Math.max(fault.wait || 0, BACK_OFF_S[Math.min(failures, BACK_OFF_S.length) - 1]);
    return wait * 1000 * (0.9 + 0.2 * Math.random());
  }

  async function run() {
    while (!stop.signal.aborted) {
      let wait = document.hidden ? HIDDEN_MS : SEEN_MS;
      const began = performance.now();
      try {
        await look();
        failures = 0;
        state("live");
        wait -= performance.now() - began;
      } catch (fault) {
        if (stop.signal.aborted || fault.status === 401) return;
        failures += 1;
        wait = waitAfter(fault);
        state(fault.waking ? "waking" : fault.status === 0 ? "away" : fault.status === 403 ? "refused" : "busy", fault);
      }
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, Math.max(50, wait));
        // Back in view or back on the network: do not wait for the end of a long pause.
        poke = () => { clearTimeout(timer); resolve(); };
      });
    }
  }

  run();
  return { stop: () => { stop.abort(); poke(); }, again: () => { last = null; poke(); } };
}
