"""The page of the local sign-in: choose an account, or type the name of one. No password, and it says so."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

from proviso.local.markup import page

STYLES = ("common.css", "sign_in.css")
_HERE = (
    '<div class="sheet warn"><p><strong>This sign-in exists on this machine only.</strong> It takes no password:'
    " whoever can open this page can act here as anybody.</p><p>In AWS, this is the sign-in of Amazon Cognito, with a"
    " password and a second factor.</p></div>"
)


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody to sign in as. `roles` is empty where the system knows of none."""

    name: str
    roles: tuple[str, ...] = ()


def accounts_of(known: Sequence[str], people: Sequence[Account]) -> list[Account]:
    """Who signed in before, the last one first, then all others whom the system knows, by name."""
    by_name = {one.name: one for one in people}
    first = [by_name.get(name, Account(name)) for name in known]
    rest = sorted((one for one in people if one.name not in set(known)), key=lambda one: one.name)
    return first + rest


def choose(action: str, accounts: Sequence[Account], typed: str = "", fault: str = "") -> str:
    """The page. `action` is where its forms go; `fault` says what was wrong with the name that was typed."""
    target = html.escape(action)
    listed = "".join(_account(one) for one in accounts)
    chosen = (
        '<section class="sheet" aria-labelledby="known"><h2 id="known">Choose an account</h2>'
        f'<form method="post" action="{target}"><ul class="accounts">{listed}</ul></form></section>'
        if listed
        else ""
    )
    invalid = ' aria-invalid="true" autofocus' if fault else ""
    described = "fault hint" if fault else "hint"
    said = f'<p class="fault" id="fault">{html.escape(fault)}</p>' if fault else ""
    heading = "Or type the name of an account" if listed else "Type the name of an account"
    body = (
        f"<main><h1>Sign in to Proviso</h1>{_HERE}{chosen}"
        f'<section class="sheet" aria-labelledby="other"><h2 id="other">{heading}</h2>'
        f'<form method="post" action="{target}" novalidate><label for="account">Account</label>'
        '<p class="hint" id="hint">Any name will do. What an account may do, its roles decide, and whoever has none may'
        f' do nothing.</p>{said}<div class="row"><input type="text" id="account" name="account"'
        f' value="{html.escape(typed)}" autocomplete="username" autocapitalize="none" spellcheck="false"'
        f' aria-describedby="{described}"{invalid}>'
        '<button type="submit">Sign in</button></div></form></section></main>'
    )
    return page(("Fault: " if fault else "") + "Sign in · Proviso on this machine", body, styles=STYLES)


def _account(one: Account) -> str:
    name = html.escape(one.name)
    roles = ", ".join(role.replace("_", " ") for role in one.roles) or "no role known yet"
    return (
        f'<li><button type="submit" name="account" value="{name}"><span class="name">{name}</span> '
        f'<span class="roles">{html.escape(roles)}</span></button></li>'
    )


def refused(description: str, console: str) -> str:
    """What a person is shown where the request cannot be trusted enough to send them back."""
    address = html.escape(console)
    body = (
        f'<main><h1>This sign-in was asked for wrongly</h1>{_HERE}<div class="sheet"><p>{html.escape(description)}</p>'
        f'<p>Open <a href="{address}">{address}</a> and sign in from there.</p></div></main>'
    )
    return page("Refused · Proviso on this machine", body, styles=STYLES)
