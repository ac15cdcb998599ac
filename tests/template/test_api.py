"""The API: routes one by one, a signed-in person at each but those that are named here."""

import json
import re
from pathlib import Path

from proviso.cli.browser import CALLBACK
from proviso.wiring.retention import CHECK_S
from tests.template.conftest import Template, references

# What anybody may call, and why.
PUBLIC = {
    ("GET", "/openapi.json"): "the API's description is public",
    ("GET", "/console"): "a page holds nothing about anybody; what it shows it asks for, signed in",
    ("GET", "/console/settings.json"): "where to sign in",
    ("GET", "/console/{file}"): "a closed list of files that the pages are made of",
    ("GET", "/records"): "the public record is public",
    ("GET", "/records/index.html"): "the public record is public",
    ("GET", "/records/schema.json"): "what a record may hold is public",
    ("GET", "/records/groups"): "tables of groups hold no small cell",
    ("GET", "/records/{deployment}"): "the public record is public",
    ("GET", "/records/{deployment}/{document}"): "the public record is public",
    ("POST", "/cameras/{camera}/grants"): "a camera is no person; the function asks for the camera's own key",
}
ROUTES = {
    "GovernFunction": {
        "POST /people",
        "GET /people",
        "POST /cameras",
        "GET /cameras",
        "DELETE /cameras/{camera}",
        "PUT /contacts/{sub}",
        "GET /contacts",
        "DELETE /contacts/{sub}",
        "POST /watchlists",
        "GET /watchlists",
        "GET /watchlists/{watchlist}",
        "DELETE /watchlists/{watchlist}",
        "POST /watchlists/{watchlist}/entries",
        "DELETE /watchlists/{watchlist}/entries/{entry}",
        "POST /watchlists/{watchlist}/entries/{entry}/approve",
        "POST /watchlists/{watchlist}/builds",
        "POST /deployments",
        "GET /deployments",
        "GET /deployments/{deployment}",
        "POST /deployments/{deployment}/authorise",
        "POST /deployments/{deployment}/members",
        "DELETE /deployments/{deployment}/members/{role}/{sub}",
        "POST /deployments/{deployment}/attestations",
        "POST /deployments/{deployment}/decisions",
        "GET /calibrations",
        "POST /calibrations",
        "GET /deployments/{deployment}/trial",
        "POST /deployments/{deployment}/start",
        "POST /deployments/{deployment}/stop",
        "POST /deployments/{deployment}/close",
        "GET /deployments/{deployment}/monitoring",
        "GET /suspensions",
        "POST /suspensions/{suspension}/review",
        "POST /candidates/{candidate}/holds",
        "GET /candidates/{candidate}/holds",
        "DELETE /candidates/{candidate}/holds/{hold}",
        "POST /stop-all",
        "GET /deployments/{deployment}/audit",
        "GET /audit",
        "GET /audit/chains",
        "GET /deployments/{deployment}/certificate",
        "GET /deployments/{deployment}/notice",
        "GET /subjects/{watchlist}/{entry}/audit",
        "POST /subject-access",
    },
    "EnrolFunction": {
        "POST /watchlists/{watchlist}/entries/{entry}/references",
        "POST /tests/pairs",
        "GET /tests/pairs",
        "DELETE /tests/pairs/{pair}",
    },
    "ReviewFunction": {
        "GET /console",
        "GET /console/settings.json",
        "GET /console/{file}",
        "GET /candidates",
        "GET /candidates/{candidate}",
        "GET /candidates/{candidate}/evidence",
        "GET /candidates/{candidate}/references/{reference}",
        "POST /candidates/{candidate}/decision",
        "POST /candidates/{candidate}/withdrawal",
        "POST /candidates/{candidate}/demographics",
        "GET /notices",
        "GET /notices/{notice}",
        "GET /notices/{notice}/evidence",
        "GET /notices/{notice}/references/{reference}",
        "POST /notices/{notice}/outcome",
        "GET /notices/{notice}/slip",
        "POST /notices/{notice}/hold",
        "GET /reviewers",
        "GET /changes",
    },
    "RetainFunction": {"GET /retention"},
    "ReportFunction": {
        "GET /openapi.json",
        "GET /records",
        "GET /records/index.html",
        "GET /records/schema.json",
        "GET /records/groups",
        "GET /records/{deployment}",
        "GET /records/{deployment}/{document}",
    },
    "GrantFunction": {"POST /cameras/{camera}/grants"},
}


def body(template: Template) -> dict:
    (api,) = template.of("AWS::ApiGatewayV2::Api").values()
    return api["Body"]


def operations(template: Template) -> dict[tuple[str, str], dict]:
    return {
        (method.upper(), path): operation
        for path, methods in body(template)["paths"].items()
        for method, operation in methods.items()
    }


def test_routes(template: Template) -> None:
    found: dict[str, set[str]] = {}
    for (method, path), operation in operations(template).items():
        (target,) = set(references(operation["x-amazon-apigateway-integration"]["uri"])) - {
            "AWS::Partition",
            "AWS::Region",
        }
        found.setdefault(target.replace("Aliaslive", ""), set()).add(f"{method} {path}")
    assert found == ROUTES


def test_functions_answer_the_routes_that_the_api_sends_them(root: Path) -> None:
    """Names of path parameters may differ (`<watchlist_id>` and `{watchlist}`), their places may not."""
    for function, routes in ROUTES.items():
        folder = root / "functions" / function.removesuffix("Function").lower()
        text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py")))
        found = re.findall(r'@\w+\.(get|post|put|patch|delete)\(\s*"([^"]+)"', text)
        if not found:
            assert "not_offered_yet" in text, f"{function} has no routes and does not say why"
            continue
        answered = {f"{method.upper()} {re.sub('<[^>]+>', '{}', path)}" for method, path in found}
        assert answered == {re.sub("{[^}]+}", "{}", route) for route in routes}, function


def test_a_route_that_aws_would_leave_out_takes_the_deployment_back_unless_somebody_says_otherwise(
    template: Template,
) -> None:
    (api,) = template.of("AWS::ApiGatewayV2::Api").values()
    assert api["FailOnWarnings"] == {"Ref": "ApiFailOnWarnings"}
    assert template.raw["Parameters"]["ApiFailOnWarnings"]["Default"] == "true"


def test_there_is_no_route_for_everything(template: Template) -> None:
    for method, path in operations(template):
        assert method not in ("ANY", "X-AMAZON-APIGATEWAY-ANY-METHOD")
        assert "$default" not in path
        assert "+" not in path


def test_everybody_signs_in_but_where_it_says_why_not(template: Template) -> None:
    for route, operation in operations(template).items():
        (security,) = operation["security"]
        assert set(security) == ({"NONE"} if route in PUBLIC else {"SignedIn"}), route


def test_tokens_are_those_of_this_stack_s_user_pool(template: Template) -> None:
    scheme = body(template)["components"]["securitySchemes"]["SignedIn"]["x-amazon-apigateway-authorizer"]
    assert scheme["type"] == "jwt"
    assert scheme["identitySource"] == "$request.header.Authorization"
    assert scheme["jwtConfiguration"] == {
        "issuer": {"Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${People}"},
        "audience": [{"Ref": "PeopleClient"}, {"Ref": "CommandLineClient"}],
    }


def test_accounts_are_given_and_have_a_second_factor(template: Template) -> None:
    (pool,) = template.of("AWS::Cognito::UserPool").values()
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    assert (pool["MfaConfiguration"], pool["EnabledMfas"]) == ("ON", ["SOFTWARE_TOKEN_MFA"])
    for client in template.of("AWS::Cognito::UserPoolClient").values():
        assert client["PreventUserExistenceErrors"] == "ENABLED"
        assert "ALLOW_USER_PASSWORD_AUTH" not in client["ExplicitAuthFlows"]


def test_the_pages_sign_in_by_code_alone_and_come_back_to_one_address(template: Template) -> None:
    client = template.of("AWS::Cognito::UserPoolClient")["PeopleClient"]
    assert client["AllowedOAuthFlows"] == ["code"], "a token never stands in an address"
    assert client["AllowedOAuthScopes"] == ["openid"]
    assert client["GenerateSecret"] is False, "a page keeps no secret; the proof is PKCE"
    assert client["CallbackURLs"] == client["LogoutURLs"] == [{"Ref": "ConsoleUrl"}]
    parameter = template.raw["Parameters"]["ConsoleUrl"]
    for address, good in {
        "https://a1b2.execute-api.eu-west-2.amazonaws.com/console": True,
        "http://localhost:8000/console": True,
        "http://elsewhere.example/console": False,
        "https://a1b2.example/console/notices": False,
        "https://a1b2.example/console?x=/console": False,
    }.items():
        assert bool(re.search(parameter["AllowedPattern"], address)) == good, address
    (domain,) = template.of("AWS::Cognito::UserPoolDomain").values()
    assert domain["UserPoolId"] == {"Ref": "People"}
    styles = template.of("AWS::Cognito::ManagedLoginBranding").values()
    assert [style["ClientId"] for style in styles] == [{"Ref": "PeopleClient"}, {"Ref": "CommandLineClient"}]
    review = template.environment("ReviewFunction")
    assert review["SIGN_IN_CLIENT_ID"] == {"Ref": "PeopleClient"}
    assert "${SignInDomain}.auth." in json.dumps(review["SIGN_IN_URL"])


def test_the_command_line_signs_in_by_code_alone_and_comes_back_to_this_machine(template: Template) -> None:
    client = template.of("AWS::Cognito::UserPoolClient")["CommandLineClient"]
    assert client["CallbackURLs"] == [CALLBACK]
    assert client["AllowedOAuthFlows"] == ["code"]
    assert client["AllowedOAuthScopes"] == ["openid"]
    assert client["GenerateSecret"] is False, "a program that everybody has keeps no secret; the proof is PKCE"
    assert client["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"], "no password is sent by a program"
    pages = template.of("AWS::Cognito::UserPoolClient")["PeopleClient"]
    for lasts in ("AccessTokenValidity", "RefreshTokenValidity", "TokenValidityUnits", "EnableTokenRevocation"):
        assert client[lasts] == pages[lasts], "a shift is as long for both"
    review = template.environment("ReviewFunction")
    assert review["SIGN_IN_COMMAND_LINE_CLIENT_ID"] == {"Ref": "CommandLineClient"}


def test_the_access_log_names_nobody(template: Template) -> None:
    (stage,) = template.of("AWS::ApiGatewayV2::Stage").values()
    entries = json.loads(stage["AccessLogSettings"]["Format"])
    assert set(entries.values()) <= {
        "$context.requestId",
        "$context.requestTimeEpoch",
        "$context.routeKey",
        "$context.status",
        "$context.responseLatency",
        "$context.integrationErrorMessage",
    }
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0


def test_requests_end_before_the_api_gives_up(template: Template) -> None:
    """retain has longer, because it is woken too; what it is asked over the API it ends in time by itself."""
    for name in set(ROUTES) - {"RetainFunction"}:
        assert template.resources[name]["Properties"]["Timeout"] <= 29
    assert 0 < CHECK_S <= 20  # and one look more may still be under way
