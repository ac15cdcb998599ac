"""What the local cloud says to a function in place of the template: where models and local policies lie."""

from pathlib import Path

from proviso.local.environment import environment_of
from proviso.local.places import in_checkout
from proviso.local.worker import Function

ROOT = Path("/checkout")


def environment(variables, caller=None, policies=(), sign_in=""):
    function = Function("GovernFunction", "govern", "app.handler", 3.0, 128, variables, in_vpc=False, log_format="Text")
    return environment_of(function, in_checkout(ROOT), ROOT, caller or {}, policies, {}, sign_in)


def test_local_policies_are_those_of_the_checkout():
    found = environment({"PROVISO_POLICY_FOLDER": "/opt/policies"}, {"PROVISO_POLICY_FOLDER": "/elsewhere"})
    assert found["PROVISO_POLICY_FOLDER"] == str(ROOT / "layers/core/policies")
    assert "PROVISO_POLICY_FOLDER" not in environment({})


def test_policies_are_permitted_beside_those_of_the_template():
    found = environment({"PROVISO_POLICIES": "volunteers"}, policies=("demo", "short", "volunteers"))
    assert found["PROVISO_POLICIES"] == "volunteers,demo,short"


def test_a_new_subscription_settles_at_once():
    assert environment({"SUBSCRIPTION_SETTLES_MINUTES": "15"})["SUBSCRIPTION_SETTLES_MINUTES"] == "0"
    assert "SUBSCRIPTION_SETTLES_MINUTES" not in environment({})


def test_pages_are_sent_to_the_local_sign_in_and_never_to_cognito():
    cognito = {"SIGN_IN_URL": "https://proviso.auth.eu-west-2.amazoncognito.com"}
    here = "http://127.0.0.1:1/local"
    assert environment(cognito, {"SIGN_IN_URL": "https://elsewhere"}, sign_in=here)["SIGN_IN_URL"] == here
    assert environment(cognito)["SIGN_IN_URL"] == ""
    assert "SIGN_IN_URL" not in environment({}, sign_in=here)


def test_e_mails_name_the_console_of_this_machine():
    template = {"CONSOLE_URL": "https://elsewhere/console"}
    assert environment(template, sign_in="http://127.0.0.1:1/local")["CONSOLE_URL"] == "http://127.0.0.1:1/console"
    assert environment(template)["CONSOLE_URL"] == ""
    assert "CONSOLE_URL" not in environment({}, sign_in="http://127.0.0.1:1/local")
