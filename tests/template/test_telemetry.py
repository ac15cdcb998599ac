"""The saved query is what `proviso logs` asks the local files; what the list of metrics says of alarms holds."""

from proviso.cli.logs import NO_CAMERA, QUERY
from scripts.telemetry import used_by
from tests.template.conftest import Template

ON_THE_WAY = ("grant", "detect", "match", "alert", "review", "retain", "sweep")


def test_one_query_over_the_logs_of_every_function_that_a_frame_meets(
    template: Template, observability: Template
) -> None:
    query = observability.of("AWS::Logs::QueryDefinition")["FrameWay"]
    assert query["QueryString"] == QUERY
    assert {one["Name"]: one.get("DefaultValue") for one in query["Parameters"]} == {
        "frame": None,
        "camera": NO_CAMERA,
    }
    groups = {group["LogGroupName"]["Fn::Sub"] for group in template.of("AWS::Logs::LogGroup").values()}
    asked = [one["Fn::Sub"] for one in query["LogGroupNames"]]
    assert set(asked) <= groups
    assert asked == [f"/proviso/${{Stage}}/{stage}" for stage in ON_THE_WAY]


def test_an_alarm_or_graph_on_a_metric_of_ours_is_found(observability: Template) -> None:
    used = used_by(observability.raw)
    assert used["ContactsUnreachable"] == ["alarm ContactsUnreachable"]
    assert used["Frame.orphaned"] == ["alarm Orphaned"]
