"""docs/rights.md is what would be written now, every `*` has a reason, and so has every skip of a check."""

import re
import tomllib
from pathlib import Path

import pytest

from proviso.domain.errors import ConfigurationFault
from proviso.local.iam import statements_of
from proviso.local.rights import System
from scripts import rights


def test_the_page_is_current_and_nothing_is_unexplained(capsys: pytest.CaptureFixture[str]) -> None:
    assert rights.main(["--check"]) == 0, capsys.readouterr().out


def test_a_wildcard_without_a_reason_is_found_and_so_is_a_reason_without_a_wildcard(system: System, root: Path) -> None:
    explained = tomllib.loads((root / "docs/rights.toml").read_text(encoding="utf-8"))["wildcards"]
    assert rights.unexplained(system, explained) == ([], [])
    without = {key: why for key, why in explained.items() if key != "frames bucket/*"}
    assert rights.unexplained(system, {**without, "nowhere/*": "because"}) == (["frames bucket/*"], ["nowhere/*"])
    assert all(len(why) > 15 for why in explained.values())


def test_a_skip_of_a_check_says_why(root: Path) -> None:
    """checkov takes them from the resource they are in; cfn-lint has none; no file skips in bulk."""
    found = 0
    for path in (root / "template.yaml", *sorted((root / "infra").glob("*.yaml"))):
        text = path.read_text(encoding="utf-8")
        for line in text.splitlines():
            if "checkov:skip" in line:
                assert re.fullmatch(r" +# checkov:skip=CKV_AWS_\d+: .{16,}", line), line
                found += 1
        assert "cfn-lint" not in text, path.name
    assert found > 50
    assert not [one for name in (".checkov.y*", ".cfnlintrc*") for one in root.glob(name)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"NotAction": "s3:*"}, "NotAction is not understood"),
        ({"NotResource": "*"}, "NotResource is not understood"),
        ({"NotPrincipal": "*"}, "NotPrincipal is not understood"),
        ({"Condition": {"StringLike": {"aws:PrincipalArn": "x"}}}, "condition StringLike is not understood"),
        ({"Condition": {"StringEqualsIfExists": {"aws:PrincipalArn": "x"}}}, "StringEqualsIfExists is not understood"),
        ({"Condition": {"StringEquals": {"aws:SourceVpce": "x"}}}, "condition key aws:SourceVpce is not understood"),
        ({"Condition": {"Null": {"s3:if-none-match": "maybe"}}}, "Null must be true or false"),
        ({"Principal": {"Federated": "x"}}, "a principal must be"),
        ({"Effect": "allow"}, "Effect must be Allow or Deny"),
        ({"Resource": [{"Ref": "X"}]}, "is not text"),
    ],
)
def test_what_the_evaluator_does_not_understand_is_a_fault_and_never_a_right(change: dict, said: str) -> None:
    plain = {"Sid": "One", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    statements_of({"Version": "2012-10-17", "Statement": [plain]})
    with pytest.raises(ConfigurationFault, match=said):
        statements_of({"Version": "2012-10-17", "Statement": [{**plain, **change}]})
