"""Contracts of the ports that send: the faces queue, SNS, and the call that wakes retain; and how clients are made."""

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from botocore.stub import ANY, Stubber

from proviso.cloud import clients
from proviso.cloud.notices import SnsPublisher
from proviso.cloud.queues import SqsFaces
from proviso.cloud.waker import LambdaWaker
from proviso.domain.errors import ConfigurationFault, StorageFault
from proviso.domain.messages import FacesMessage
from proviso.domain.notice import Kind, Notice, NoticeTexts
from proviso.domain.wording import texts
from proviso.notices import wording
from tests.contract.conftest import Cloud
from tests.contract.samples import DEPLOYMENT, faces, notice
from tests.fakes.cloud import FakeFacesQueue, FakePublisher, FakeWaker

LONDON = ZoneInfo("Europe/London")
TO = ("recipient-1", "recipient-2")


def words_of(made: Notice) -> NoticeTexts:
    return texts(made, LONDON, wording("en"))


class TestFacesQueue:
    @pytest.mark.parametrize("kind", ["fake", "sqs"])
    def test_what_is_sent_arrives_as_it_was(self, kind: str, cloud: Cloud) -> None:
        if kind == "fake":
            fake = FakeFacesQueue()
            fake.send(faces())
            assert fake.sent == [faces()]
            return
        url = cloud.queue()
        SqsFaces(cloud.client("sqs"), url).send(faces())
        (message,) = cloud.client("sqs").receive_message(QueueUrl=url)["Messages"]
        assert FacesMessage.from_json(message["Body"]) == faces()


class TestPublisher:
    @pytest.mark.parametrize("kind", ["fake", "sns"])
    @pytest.mark.parametrize("audience", ["reviewers", "recipients"])
    def test_each_audience_has_its_topic(self, kind: str, audience: str, cloud: Cloud) -> None:
        words = words_of(notice(Kind.CONFIRMED))
        if kind == "fake":
            fake = FakePublisher()
            fake.publish(audience, notice(Kind.CONFIRMED), words, TO)
            assert fake.sent == [(audience, notice(Kind.CONFIRMED), words)]
            assert fake.to == [TO]
            return
        topics = {"reviewers": cloud.topic(), "recipients": cloud.topic()}
        SnsPublisher(cloud.client("sns"), topics).publish(audience, notice(Kind.CONFIRMED), words, TO)
        from moto.core import DEFAULT_ACCOUNT_ID
        from moto.sns.models import sns_backends

        backend = sns_backends[DEFAULT_ACCOUNT_ID]["eu-west-2"]
        other = next(arn for name, arn in topics.items() if name != audience)
        assert backend.topics[other].sent_notifications == []
        ((_, message, subject, attributes, _),) = backend.topics[topics[audience]].sent_notifications
        sent = json.loads(message)
        assert sent == {"default": words.sms, "sms": words.sms, "email": words.email}
        assert subject == words.subject
        assert attributes["kind"]["Value"] == "confirmed"
        assert attributes["deployment"]["Value"] == DEPLOYMENT
        assert attributes["to"] == {"Type": "String.Array", "Value": json.dumps(list(TO))}

    def test_an_sms_subscriber_gets_the_sms_and_an_e_mail_subscriber_the_e_mail(self, cloud: Cloud) -> None:
        client, words = cloud.client("sns"), words_of(notice(Kind.CONFIRMED))
        with Stubber(client) as stub:
            stub.add_response(
                "publish",
                {"MessageId": "1"},
                {
                    "TopicArn": "arn:recipients",
                    "MessageStructure": "json",
                    "Message": ANY,
                    "Subject": words.subject,
                    "MessageAttributes": {
                        "kind": {"DataType": "String", "StringValue": "confirmed"},
                        "deployment": {"DataType": "String", "StringValue": DEPLOYMENT},
                        "to": {"DataType": "String.Array", "StringValue": '["recipient-1", "recipient-2"]'},
                        "AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Transactional"},
                    },
                },
            )
            SnsPublisher(client, {"recipients": "arn:recipients"}).publish(
                "recipients", notice(Kind.CONFIRMED), words, TO
            )
            stub.assert_no_pending_responses()

    @pytest.mark.parametrize("topics", [{}, {"reviewers": ""}])
    def test_an_audience_without_a_topic_is_a_fault_of_the_installation(self, topics: dict[str, str]) -> None:
        with pytest.raises(ConfigurationFault, match="reviewers"):
            SnsPublisher(None, topics).publish("reviewers", notice(), words_of(notice()), TO)  # type: ignore[arg-type]


class TestWaker:
    def test_the_fake_keeps_the_reasons(self) -> None:
        fake = FakeWaker()
        fake.wake("due: 1")
        assert fake.reasons == ["due: 1"]

    @pytest.mark.parametrize("status", [202, 200])
    def test_calls_asynchronously_and_wants_it_accepted(self, cloud: Cloud, status: int) -> None:
        client = cloud.client("lambda")
        with Stubber(client) as stub:
            stub.add_response(
                "invoke",
                {"StatusCode": status},
                {"FunctionName": "retain", "InvocationType": "Event", "Payload": b'{"reason": "due: 1"}'},
            )
            if status == 202:
                LambdaWaker(client, "retain").wake("due: 1")
            else:
                with pytest.raises(StorageFault, match="retain"):
                    LambdaWaker(client, "retain").wake("due: 1")


class TestClients:
    @pytest.fixture(autouse=True)
    def fresh(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(clients, "_made", {})
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")

    def test_one_a_service_with_short_time_outs_and_few_attempts(self) -> None:
        made: Any = clients.client("s3", "eu-west-2")
        assert clients.client("s3", "eu-west-2") is made
        assert clients.client("sqs", "eu-west-2") is not made
        config = made.meta.config
        assert (config.connect_timeout, config.read_timeout) == (2, 8)
        assert config.retries["mode"] == "standard"
        assert config.retries["total_max_attempts"] == 3

    def test_come_from_one_session_which_reads_regions_and_services_once(self) -> None:
        clients.client("s3", "eu-west-2")
        session = clients.session()
        clients.client("sqs", "eu-west-2")
        assert clients.session() is session

    def test_what_they_are_made_from_can_be_read_without_making_any(self) -> None:
        clients.prepare("s3", "sqs")
        assert not clients.holds_any()
        assert clients._loader().load_service_model("s3", "service-2")["metadata"]["serviceId"] == "S3"

    def test_forgotten_ones_take_their_credentials_with_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = clients.client("s3", "eu-west-2")
        assert clients.holds_any()
        clients.forget()
        assert not clients.holds_any()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
        assert clients.client("s3", "eu-west-2") is not before
        assert clients.session().get_credentials().access_key == "another"

    def test_goes_where_the_environment_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
        assert clients.client("dynamodb").meta.endpoint_url == "http://127.0.0.1:9"
