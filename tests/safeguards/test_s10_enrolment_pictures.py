"""S10: an enrolment image that is poor, or has no face or several, is rejected with a reason code (ISO/IEC 29794-5
terms); failures to enrol are counted.

APP. With a made-up pipeline every reason; with the default pack the pictures that people would try. The way round
is the reference that comes in past the gate.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import psycopg
import pytest

from bench.vision_scenes import astronaut_jpeg, backdrop, hopper_jpeg, model_folders, placed, to_jpeg, to_pixels
from proviso.cli.api import ApiFault
from proviso.cli.imports.journal import Journal
from proviso.cli.imports.plan import GROUNDS, read_plan
from proviso.cli.imports.report import as_page, failures_to_enrol
from proviso.cli.imports.sending import Outcome, Sender
from proviso.domain.errors import ConfigurationFault
from proviso.domain.face import Face
from proviso.domain.frame import Jpeg
from proviso.domain.reasons import SENTENCES, Reason, Refused
from proviso.edge.http import STATUS, plain
from proviso.stages.enrol import Enrolled, enrol
from proviso.store.govern import PostgresGovernStore
from proviso.vision.locate import find_files
from proviso.vision.pack import load_manifest
from proviso.vision.pipeline import load_pipeline
from tests.doubles import FakePipeline
from tests.safeguards.house import House
from tests.samples import ENTRY, face

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def listed(house: House) -> House:
    house.list_id = house.watchlist()
    house.entry = house.add(house.list_id).id
    return house


class OneFace(FakePipeline):
    """Sees one face in every picture: this one."""

    def __init__(self, seen: Face) -> None:
        super().__init__()
        self.seen = seen

    def detect(self, image):
        return [self.seen]


POOR = {
    Reason.FACE_TOO_SMALL: face(side=20),
    Reason.NOT_SHARP: face(sharpness=3.0),
    Reason.UNDER_EXPOSED: face(luminance=12.0),
    Reason.OVER_EXPOSED: face(luminance=250.0),
    Reason.POSE_YAW: face(yaw=0.9),
    Reason.POSE_ROLL: face(roll_deg=60.0),
    Reason.FACE_CUT_OFF: face(inside_share=0.5),
}


def kept_nowhere(house: House) -> None:
    assert house.one("SELECT count(*) FROM reference") == 0
    assert house.one("SELECT count(*) FROM reference_template") == 0
    assert house.enrolment.objects == {}


def refusals(house: House) -> list[str]:
    found = house.sql(
        "master",
        "SELECT convert_from(body, 'UTF8')::jsonb AS body FROM audit_event"
        " WHERE body LIKE '%%enrolment_refused%%'::bytea ORDER BY sequence",
    )
    return [row["body"]["details"]["reason"] for row in found]


@pytest.mark.parametrize("reason", POOR)
def test_each_measure_has_its_reason(listed: House, reason):
    listed.pipeline = OneFace(POOR[reason])
    refused = listed.enrol(listed.list_id, listed.entry, b"people 3")
    assert isinstance(refused, Refused)
    assert refused.reason is reason
    assert SENTENCES[reason] in refused.sentence
    kept_nowhere(listed)


def test_failures_to_enrol_are_counted(listed: House):
    for picture in (b"people", b"people 3 4", b"people ~3", b"no picture"):
        assert isinstance(listed.enrol(listed.list_id, listed.entry, picture), Refused)
    assert refusals(listed) == ["no_face", "several_faces", "not_sharp", "not_an_image"]
    kept_nowhere(listed)
    assert isinstance(listed.build(listed.list_id), Refused)  # nothing to build from


def test_the_same_picture_twice_is_one_reference_one_picture_and_one_record(listed: House):
    """Not two: a search would weigh a person twice, and a build's digest would depend on how often one clicked."""
    first = listed.enrol(listed.list_id, listed.entry, b"people 3")
    listed.pipeline.opened.clear()
    again = listed.enrol(listed.list_id, listed.entry, b"people 3")
    assert (again.reference_id, again.already) == (first.reference_id, True)
    assert listed.pipeline.opened == []
    assert len(listed.enrolment.objects) == 1
    assert listed.one("SELECT count(*) FROM reference_template") == 1
    acts = "SELECT count(*) FROM audit_event WHERE body LIKE '%%reference_enrolled%%'::bytea"
    assert listed.one(acts) == 1
    other = listed.add(listed.list_id).id
    assert not listed.enrol(listed.list_id, other, b"people 3").already  # another entry: another reference


def test_two_who_enrol_the_same_picture_at_once_make_one_reference(listed: House):
    """Both have asked and found nothing before either holds the list."""
    both = threading.Barrier(2, timeout=20)

    class Slow(FakePipeline):
        def decode(self, jpeg):
            both.wait()
            return super().decode(jpeg)

    def send() -> Enrolled:
        return enrol(
            principal=officer,
            watchlist_id=listed.list_id,
            entry_id=listed.entry,
            picture=Jpeg(b"people 3"),
            pipeline=Slow(),
            pictures=listed.enrolment,
            store=PostgresGovernStore(listed.connector("enrol")),
            subjects=listed.subjects,
            clock=listed.now,
            new_id=listed.id,
        )

    officer = listed.person("officer")
    with ThreadPoolExecutor(2) as pool:
        first, second = [sent.result(30) for sent in [pool.submit(send), pool.submit(send)]]
    assert first.reference_id == second.reference_id
    assert {first.already, second.already} == {True, False}
    assert listed.one("SELECT count(*) FROM reference") == 1
    assert len(listed.enrolment.objects) == 1


def test_a_refused_picture_that_is_sent_again_can_be_told_from_another_one(listed: House):
    for picture in (b"people 3 4", b"people 3 4", b"people 5 6"):
        assert isinstance(listed.enrol(listed.list_id, listed.entry, picture), Refused)
    found = listed.sql(
        "master",
        "SELECT convert_from(body, 'UTF8')::jsonb AS body FROM audit_event"
        " WHERE body LIKE '%%enrolment_refused%%'::bytea",
    )
    assert len(found) == 3
    assert len({row["body"]["details"]["picture"] for row in found}) == 2


@pytest.mark.parametrize("role", ["match", "govern", "review", "retain", "report"])
def test_no_other_functions_role_puts_a_reference_past_the_gate(listed: House, role):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        listed.sql(
            role,
            "INSERT INTO reference (id, entry_id, watchlist_id, pipeline, image_key, image_digest, added_by, added_at)"
            " SELECT 'r', id, watchlist_id, 'p', 'k', 'd', 'x', now() FROM entry",
        )


def test_nobody_exchanges_a_template(listed: House):
    """A good picture to pass the gate, and another template afterwards."""
    listed.enrol(listed.list_id, listed.entry, b"people 3")
    for role in ("enrol", "match", "govern", "retain", "master"):
        with pytest.raises(psycopg.Error):
            listed.sql(role, "UPDATE reference_template SET template = template")


# --- many at once -----------------------------------------------------------------------------------------------------


class Stages:
    """The API of an import, answered by the real stages on the real database, as the functions answer."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.one = threading.Lock()  # a function's process does one thing at a time

    def get(self, path):
        with self.one, self.house.govern.work() as work:
            return {
                "pipeline": self.house.pipeline.digest,
                "list": [plain(e) for e in work.entries(self.house.list_id)],
            }

    def post(self, path, body=None):
        given = {**body, "image_date": date.fromisoformat(body["image_date"])}
        with self.one:
            return self.answer(self.house.add(self.house.list_id, **given), lambda made: {"id": made.id})

    def post_picture(self, path, jpeg):
        with self.one:
            found = self.house.enrol(self.house.list_id, path.split("/")[-2], jpeg)
        return self.answer(found, lambda made: {"id": made.reference_id, "already": made.already})

    def answer(self, found, view):
        if isinstance(found, Refused):
            raise ApiFault(found.sentence, status=STATUS.get(found.reason, 422), reason=found.reason.value)
        return view(found)


def imported(house: House, folder, *, anew=False):
    plan, faults = read_plan(folder / "people", {name: str(ENTRY[name]) for name in GROUNDS}, house.now().date())
    assert faults == []
    return Sender(Stages(house), house.list_id, plan, Journal(folder / "j.jsonl"), bytes, anew=anew).run()


def test_an_import_gives_each_rejected_image_its_reason_and_the_audit_counts_the_failures_to_enrol(
    house: House, tmp_path
):
    house.list_id = house.watchlist()
    files = {
        "R-1/good": b"people 3",
        "R-1/several": b"people 3 4",
        "R-1/same as good": b"people 3",
        "R-2/nobody": b"people",
        "R-2/blurred": b"people ~5",
        "R-3/no picture": b"no picture",
        **{f"R-{number}/good": b"people %d" % number for number in range(4, 8)},  # one more than the cap lets in
    }
    for name, content in files.items():
        (tmp_path / "people" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "people" / name).write_bytes(content)
    sent = imported(house, tmp_path)
    refused = {one.picture.name: one.reason for one in sent.results if one.outcome is Outcome.REJECTED}
    judged = {
        "R-1/several": "several_faces",
        "R-2/nobody": "no_face",
        "R-2/blurred": "not_sharp",
        "R-3/no picture": "not_an_image",
    }
    assert refused == {**judged, "R-6/good": "policy_forbids", "R-7/good": "policy_forbids"}
    assert sorted(refusals(house)) == sorted(judged.values())
    rate = failures_to_enrol(sent.results)
    assert (rate.count, rate.of) == (4, 8)  # in neither number: the two whose entries the policy refused
    page = as_page(house.list_id, sent, house.now())
    for reason in set(refused.values()):
        assert f"<code>{reason}</code>" in page
    assert house.one("SELECT count(*) FROM reference") == 3
    assert len(house.enrolment.objects) == 3

    again = imported(house, tmp_path)  # the journal: nothing is judged again, and so counted again
    assert sorted(refusals(house)) == sorted(judged.values())
    assert failures_to_enrol(again.results) == rate
    imported(house, tmp_path, anew=True)  # without it: counted again, told apart by the digest; nothing is kept twice
    assert len(refusals(house)) == 8
    assert house.one("SELECT count(*) FROM reference") == 3
    assert len(house.enrolment.objects) == 3


# --- with the default pack --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real():
    folders = model_folders()
    try:
        find_files(load_manifest("mobilefacenet"), folders)
    except ConfigurationFault as absent:
        pytest.skip(str(absent))
    return load_pipeline("mobilefacenet", folders=folders)


def blurred(picture: bytes) -> bytes:
    import cv2

    return to_jpeg(cv2.GaussianBlur(to_pixels(picture), (0, 0), 12))


def turned(picture: bytes) -> bytes:
    import cv2

    pixels = to_pixels(picture)
    height, width = pixels.shape[:2]
    around = cv2.getRotationMatrix2D((width / 2, height / 2), 50, 1.0)
    return to_jpeg(cv2.warpAffine(pixels, around, (width, height)))


PICTURES = {
    "nobody": (lambda: to_jpeg(backdrop()), {Reason.NO_FACE}),
    "two people": (
        lambda: to_jpeg(placed(placed(backdrop(), hopper_jpeg(), 40, 60, 1.0), astronaut_jpeg(), 640, 60, 1.0)),
        {Reason.SEVERAL_FACES},
    ),
    "far away": (lambda: to_jpeg(placed(backdrop(), hopper_jpeg(), 600, 300, 0.2)), {Reason.FACE_TOO_SMALL}),
    "dark": (lambda: to_jpeg(to_pixels(hopper_jpeg()) // 12), {Reason.UNDER_EXPOSED, Reason.NO_FACE}),
    "out of focus": (lambda: blurred(hopper_jpeg()), {Reason.NOT_SHARP, Reason.NO_FACE}),
    "tilted": (lambda: turned(hopper_jpeg()), {Reason.POSE_ROLL, Reason.POSE_YAW, Reason.NO_FACE}),
    "cut off": (lambda: hopper_jpeg()[:4000], {Reason.TRUNCATED, Reason.NOT_AN_IMAGE}),
    "no picture": (lambda: b"%PDF-1.7", {Reason.WRONG_TYPE, Reason.NOT_AN_IMAGE}),
    "empty": (lambda: b"", {Reason.EMPTY}),
}


@pytest.mark.parametrize("what", PICTURES)
def test_real_pictures_are_rejected_with_their_reason(listed: House, real, what):
    make, reasons = PICTURES[what]
    listed.pipeline = real
    refused = listed.enrol(listed.list_id, listed.entry, make())
    assert isinstance(refused, Refused), refused
    assert refused.reason in reasons
    kept_nowhere(listed)


@pytest.mark.parametrize("picture", [hopper_jpeg, astronaut_jpeg])
def test_a_good_real_picture_is_enrolled(listed: House, real, picture):
    listed.pipeline = real
    assert isinstance(listed.enrol(listed.list_id, listed.entry, picture()), Enrolled)
    assert listed.one("SELECT count(*) FROM reference_template") == 1
