"""`proviso login` and `proviso people`: who acts."""

from datetime import UTC, date, datetime, time
from typing import Annotated

import typer

from proviso.cli import browser, session
from proviso.cli.api import ApiFault
from proviso.cli.output import plain_faults, say, table
from proviso.domain.people import Role

group = typer.Typer(help="Who may do what (an authoriser gives roles, never to themselves).", no_args_is_help=True)
As = Annotated[str, typer.Option("--as", help="Act as this signed-in person instead of the last one")]


def login(
    subject: Annotated[
        str, typer.Option("--as", help="Who to sign in as; elsewhere a name to call this sign-in by")
    ] = "",
    stack: Annotated[str, typer.Option(help="Sign in by browser at the API of this CloudFormation stack")] = "",
    api: Annotated[str, typer.Option(help="Sign in by browser at the API at this address (needs no AWS account)")] = "",
    client_id: Annotated[
        str,
        typer.Option(help="The stack's output CommandLineClientId; an API that names another is refused"),
    ] = "",
    region: Annotated[str, typer.Option(help="The stack's region; otherwise that of your AWS profile")] = "",
    paste: Annotated[bool, typer.Option("--paste", help="The browser is on another machine")] = False,
) -> None:
    """Sign in at the local cloud, or by browser at a deployed API; tokens are kept where only you can read them."""
    with plain_faults():
        if stack and api:
            raise ApiFault("--stack and --api are two ways to say where; name one")
        if stack:
            from proviso.cli.account.stack import Account, sign_in_of

            api, known = sign_in_of(Account.of(region), stack)
            client_id = client_id or known
        if api:
            signed = _by_browser(browser.safe(api), subject, paste, sure=bool(stack), client_id=client_id)
        elif client_id:
            raise ApiFault("--client-id is for a sign-in by browser: name --api or --stack")
        elif subject:
            signed = session.sign_in(session.here(), subject, say)
        else:
            raise ApiFault("say where: --stack STACK or --api ADDRESS; or --as SUBJECT at the local cloud")
    say(f"signed in as {signed.subject} at {signed.api_url}")


def _by_browser(api_url: str, name: str, paste: bool, *, sure: bool, client_id: str) -> session.Session:
    import webbrowser

    begun = browser.begin(browser.place_of(api_url, client_id))
    session.belongs(session.here(), begun.place, api_url, sure=sure)
    say(f"what this sign-in gives is sent to {api_url}; you sign in at {begun.place.url}")

    def shown(address: str) -> None:
        say(f"sign in in your browser; if none opens, open this address on this machine:\n{address}")
        webbrowser.open(address)

    if paste:
        say(f"open this address in a browser:\n{begun.address}")
        say("it ends at an address that cannot be shown, which is right; copy that address")
        code = browser.pasted(begun, typer.prompt("the address", hide_input=True))
    else:
        code = browser.received(begun, shown)
    tokens = browser.exchange(begun, code)
    session.belongs(session.here(), begun.place, api_url, sure=sure, note=True)
    label = name or tokens.account
    signed = session.Session(api_url, label, tokens.access, session.Renewable(begun.place, tokens))
    for left in session.keep(session.here(), signed):
        say(f"signed out of before: {left}")
    say(f"your account's sub, as roles are given to it: {tokens.subject}")
    return signed


def logout() -> None:
    """Forget everybody who is signed in here, and take their sign-ins back."""
    with plain_faults():
        names = session.sign_out(session.here())
    say(f"signed out: {', '.join(names)}" if names else "nobody was signed in here")


@group.command("register")
def register(
    subject: str,
    role: Annotated[list[Role], typer.Option("--role", help="Once for each role; they replace those from before")],
    trained_until: Annotated[str, typer.Option(help="Until when the training is valid, YYYY-MM-DD")] = "",
    rank: Annotated[str, typer.Option(help="Rank, where a policy asks an authoriser for one (superintendent)")] = "",
    acting: As = "",
) -> None:
    """Give somebody roles."""
    with plain_faults():
        until = _end_of(trained_until) if trained_until else None
        body = {"sub": subject, "roles": [str(one) for one in role], "trained_until": until, "rank": rank or None}
        session.api(acting, say).post("/people", body)
    say(f"{subject}: {', '.join(role)}")


def _end_of(day: str) -> str:
    """The end of that day, UTC."""
    try:
        return datetime.combine(date.fromisoformat(day), time.max, UTC).isoformat()
    except ValueError as error:
        raise ApiFault(f"{day!r} is not a date; write it as YYYY-MM-DD") from error


@group.command("list")
def listing(acting: As = "") -> None:
    """Everybody with a role."""
    with plain_faults():
        answer = session.api(acting, say).get("/people")
    everybody = answer.get("people", []) if isinstance(answer, dict) else answer
    rows = [(p["sub"], ", ".join(p["roles"]), p.get("trained_until"), p.get("rank")) for p in everybody]
    table("People", ("subject", "roles", "trained until", "rank"), rows)
