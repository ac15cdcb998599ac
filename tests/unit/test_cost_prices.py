"""The price file is whole: each price has a unit, a date and a source; and what is given by hand is read strictly."""

import tomllib
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from proviso.cli.cost.model import Scenario, bill
from proviso.cli.cost.prices import PricesFault, read_prices
from tests.unit.test_cost_model import CLOCK, PLANT

SHIPPED: dict[str, Any] = tomllib.loads((files("proviso.cli.cost") / "prices.toml").read_text("utf-8"))
LARGE = ("lambda_request", "lambda_gb_second_arm", "s3_put", "s3_get", "sqs_request", "dynamodb_write", "dynamodb_read",
         "aurora_acu_hour", "logs_ingested", "custom_metric", "alarm_metric", "dashboard", "http_request")  # fmt: skip


@pytest.mark.parametrize("key", sorted(SHIPPED["prices"]))
def test_each_price_says_where_it_is_from(key: str) -> None:
    one = SHIPPED["prices"][key]
    assert one["title"]
    assert one["unit"]
    assert one["sources"]
    assert set(one["sources"]) <= set(SHIPPED["sources"])
    assert ({"eu-west-2", "us-east-1"} & set(one)) or one["assumed"]
    if key in LARGE:
        assert len(one["sources"]) >= 2, "a large line is checked against a second source"
        assert {"eu-west-2", "us-east-1"} <= set(one)


def test_each_source_is_an_address_with_what_it_says() -> None:
    assert isinstance(SHIPPED["read"], date)
    for name, one in SHIPPED["sources"].items():
        assert one["address"].startswith("https://"), name
        assert one["says"], name
        assert one.get("dated", date(2026, 1, 1)) <= SHIPPED["read"], name
    used = {source for one in SHIPPED["prices"].values() for source in one["sources"]}
    used |= set(SHIPPED["rekognition"]["sources"])
    assert used == set(SHIPPED["sources"])


def test_every_line_of_the_model_has_a_price() -> None:
    found = bill(Scenario(), PLANT, read_prices("us-east-1"), CLOCK)
    assert {line.key for line in found.lines} <= set(SHIPPED["prices"])


def test_what_london_does_not_have_is_said() -> None:
    doubtful = " ".join(read_prices("eu-west-2").doubtful())
    assert "snapstart_cache (SnapStart, kept snapshots): not found for eu-west-2, us-east-1's taken" in doubtful
    assert "sns_sms (SNS SMS to the United Kingdom): not found, $0.04 a SMS assumed" in doubtful
    assert "Rekognition beyond its first tier" in doubtful
    assert "snapstart" not in " ".join(read_prices("us-east-1").doubtful())
    used = " ".join(read_prices("eu-west-2").doubtful({"snapstart_cache"}))
    assert "snapstart_cache" in used
    assert "sns_sms" not in used


def test_a_price_by_hand() -> None:
    found = read_prices("eu-west-2").changed(["sns_sms=0.031", "dashboard=0"])
    assert found.of("sns_sms").amount == 0.031
    assert "sns_sms" not in " ".join(found.doubtful())
    assert found.of("dashboard").amount == 0


@pytest.mark.parametrize("given", ["sns_sms", "nothing=1", "sns_sms=-1", "sns_sms=nan", "sns_sms=much"])
def test_a_price_by_hand_that_is_none(given: str) -> None:
    with pytest.raises(PricesFault, match=given.partition("=")[0]):
        read_prices("eu-west-2").changed([given])


def test_another_file(tmp_path: Path) -> None:
    text = (files("proviso.cli.cost") / "prices.toml").read_text("utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('"eu-west-2" = 0.14', '"eu-west-2" = 0.10'), "utf-8")
    assert read_prices("eu-west-2", path).of("aurora_acu_hour").amount == 0.10


@pytest.mark.parametrize(
    "text",
    ["", "version = 1", "not toml at all [", 'version = 2\nread = 2026-01-01\ncurrency = "USD"\n[sources]\n[prices]'],
)
def test_another_file_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(PricesFault, match=r"mine\.toml"):
        read_prices("eu-west-2", path)


def test_a_region_without_prices() -> None:
    with pytest.raises(PricesFault, match="eu-west-9"):
        read_prices("eu-west-9")
