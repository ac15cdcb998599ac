// Sign-in: OAuth 2.0, authorization code with PKCE. One address is registered to come back to, /console; where
// somebody wanted to go travels in `state`. Tokens stay on this machine for one shift of 12 hours, or until Sign out.

const KEPT = "proviso.session";
const PENDING = "proviso.sign-in";
const SHIFT_MS = 12 * 60 * 60 * 1000;
const EARLY_MS = 60 * 1000;
const OWN_PAGES = /^\/console(\/notices|\/slip)?(#[A-Za-z0-9/._-]*)?$/;

let known; // what /console/settings.json said
let refreshing; // one refresh at a time
let ended = () => {};

/** Called when there is no session any more: signed out here or in another tab, or the shift is over. */
export function onEnd(listener) {
  ended = listener;
  addEventListener("storage", (event) => {
    if (event.key === KEPT && event.newValue === null) ended("You signed out in another window, or the shift is over.");
  });
}

async function place() {
  if (!known) {
    const answer = await fetch("/console/settings.json", { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error("The sign-in cannot be found. Load the page again.");
    known = await answer.json();
  }
  return known;
}

function read() {
  try {
    const held = JSON.parse(localStorage.getItem(KEPT));
    if (held && Date.now() < held.ends) return held;
  } catch { /* not ours, or damaged: as good as none */ }
  localStorage.removeItem(KEPT);
  return null;
}

function keep(answer, before) {
  const held = {
    access: answer.access_token,
    refresh: answer.refresh_token ?? before?.refresh ?? null,
    expires: Date.now() + Number(answer.expires_in || 300) * 1000,
    ends: before?.ends ?? Date.now() + SHIFT_MS,
    account: accountIn(answer.id_token) ?? before?.account ?? "",
  };
  localStorage.setItem(KEPT, JSON.stringify(held));
  return held;
}

/** The account's own name, to show who is signed in. Nothing is decided by it: the API reads roles itself. */
function accountIn(token) {
  try {
    const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (c) => c.charCodeAt(0))));
    return claims["cognito:username"] ?? claims.username ?? claims.sub ?? null;
  } catch {
    return null;
  }
}

export const signedIn = () => read() !== null;
export const account = () => read()?.account ?? "";

/** Go to the sign-in, and come back to the page that is open now. */
export async function signIn() {
  const { sign_in_url: base, client_id: client } = await place();
  const verifier = random(48);
  const to = location.pathname + location.hash;
  const state = `${random(16)}.${coded(new TextEncoder().encode(OWN_PAGES.test(to) ? to : "/console"))}`;
  sessionStorage.setItem(PENDING, JSON.stringify({ state, verifier }));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const query = new URLSearchParams({
    response_type: "code",
    client_id: client,
    redirect_uri: comeBackTo(),
    scope: "openid",
    state,
    code_challenge: coded(new Uint8Array(digest)),
    code_challenge_method: "S256",
  });
  location.assign(`${base}/oauth2/authorize?${query}`);
}

/** At page load: take the code that the sign-in sent back. True when the browser is on its way to another page. */
export async function finishSignIn() {
  const query = new URLSearchParams(location.search);
  if (!query.has("code") && !query.has("error")) return false;
  const begun = JSON.parse(sessionStorage.getItem(PENDING) || "null");
  sessionStorage.removeItem(PENDING);
  history.replaceState(null, "", location.pathname);
  if (query.has("error")) throw new Error(`The sign-in was not finished (${query.get("error")}). Sign in again.`);
  if (!begun || query.get("state") !== begun.state) {
    if (signedIn()) return false; // an old address that was opened again
    throw new Error("This sign-in was not begun in this window. Sign in again.");
  }
  const answer = await ask({
    grant_type: "authorization_code",
    code: query.get("code"),
    redirect_uri: comeBackTo(),
    code_verifier: begun.verifier,
  });
  if (!answer.ok) throw new Error("The sign-in was not accepted. Sign in again.");
  keep(await answer.json());
  const to = decoded(begun.state.split(".")[1]);
  const [path, hash = ""] = to.split("#");
  if (path !== location.pathname) {
    location.replace(to);
    return true;
  }
  history.replaceState(null, "", path + (hash && `#${hash}`));
  return false;
}

/** An access token that is still good; null when somebody has to sign in, and the page has been told. Throws where the network does. */
export async function token() {
  const held = read();
  // Said, not only noticed: a page that stays open would else look live and learn of no withdrawal any more.
  if (!held) return over("Your shift is over.");
  return Date.now() < held.expires - EARLY_MS ? held.access : refresh();
}

/** A new access token; null when the session is over. */
export function refresh() {
  refreshing ??= renewed().finally(() => { refreshing = undefined; });
  return refreshing;
}

async function renewed() {
  const held = read();
  if (!held?.refresh) return over("Your sign-in has ended.");
  const answer = await ask({ grant_type: "refresh_token", refresh_token: held.refresh });
  if (answer.ok) return keep(await answer.json(), held).access;
  if (answer.status >= 500 || answer.status === 429) throw new TypeError("the sign-in does not answer");
  return over("Your sign-in has ended.");
}

/** The session is over; what the page showed is taken away. */
export function over(why) {
  localStorage.removeItem(KEPT);
  ended(why);
  return null;
}

/** Sign out here and at the sign-in. The refresh token is revoked, so a copy of it is worth nothing. */
export async function signOut() {
  const held = read();
  localStorage.removeItem(KEPT);
  const { sign_in_url: base, client_id: client } = await place();
  if (held?.refresh) {
    navigator.sendBeacon(`${base}/oauth2/revoke`, new URLSearchParams({ token: held.refresh, client_id: client }));
  }
  location.assign(`${base}/logout?${new URLSearchParams({ client_id: client, logout_uri: comeBackTo() })}`);
}

async function ask(fields) {
  const { sign_in_url: base, client_id: client } = await place();
  return fetch(`${base}/oauth2/token`, { method: "POST", body: new URLSearchParams({ client_id: client, ...fields }) });
}

const comeBackTo = () => `${location.origin}/console`;
const random = (bytes) => coded(crypto.getRandomValues(new Uint8Array(bytes)));

function coded(bytes) {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function decoded(text) {
  return new TextDecoder().decode(
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0)),
  );
}
