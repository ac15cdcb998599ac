// Asks every two seconds whether something came, and puts only what is new into the page: what is there stays, so that
// nobody loses their place. Everything is rendered by the server; without this script, reload.
(() => {
  const news = document.getElementById("news");

  function replace(old, fresh) {
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    old.replaceWith(fresh);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  // Where all children have ids, they are merged one by one. Nothing that stays is moved.
  function merge(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    const children = [...fresh.children];
    const keyed = old.tagName === fresh.tagName && children.length && children.every((child) => child.id);
    if (!keyed) return replace(old, fresh);
    for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
    let at = old.firstElementChild;
    for (const child of children) {
      while (at && !children.some((one) => one.id === at.id)) {
        const gone = at;
        at = at.nextElementSibling;
        gone.remove();
      }
      if (at && at.id === child.id) {
        const same = at;
        at = at.nextElementSibling;
        merge(same, child);
      } else {
        old.insertBefore(child, at);
      }
    }
    while (at) {
      const gone = at;
      at = at.nextElementSibling;
      gone.remove();
    }
  }

  const lists = () => [...document.querySelectorAll(".bubbles")];
  const toTheEnd = (list) => { list.scrollTop = list.scrollHeight; };

  async function renew() {
    const address = new URL(location.href);
    address.hash = "";
    const open = document.getElementById("reading")?.dataset.mail;
    if (open) address.searchParams.set("mail", open);
    const answer = await fetch(address, { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const atEnd = lists().filter((list) => list.scrollTop + list.clientHeight >= list.scrollHeight - 4);
    const before = parseInt(document.body.dataset.state, 10);
    merge(document.querySelector("main"), fresh.querySelector("main"));
    document.body.dataset.state = fresh.body.dataset.state;
    lists().filter((list) => atEnd.includes(list)).forEach(toTheEnd);
    const all = parseInt(fresh.body.dataset.state, 10);
    if (all > before) news.textContent = `${all - before} new, ${all} messages in all.`;
  }

  async function look() {
    if (!document.hidden) {
      try {
        const answer = await fetch("/local/inbox.json", { cache: "no-store" });
        if (!answer.ok) throw new Error(String(answer.status));
        if (news.dataset.away) { news.textContent = ""; delete news.dataset.away; }
        if (answer.headers.get("ETag") !== `"${document.body.dataset.state}"`) await renew();
      } catch {
        news.textContent = "The local cloud does not answer. What is shown may be old.";
        news.dataset.away = "1";
      }
    }
    setTimeout(look, 2000);
  }

  lists().forEach(toTheEnd);
  look();
})();
