"""What govern answers about calibrations and site trials."""

from pydantic import Field

from proviso.edge.answers import Answer, Moment


class Point(Answer):
    """For lists of up to so many entries and probes of so many frames."""

    list_size: int
    frames_per_probe: int
    threshold_floor: str = Field(description="the lowest threshold, a cosine similarity as a decimal")
    face_fpir_low: float
    face_fpir_high: float
    passage_fpir_low: float | None = Field(description="null: only a site trial measures passages")
    passage_fpir_high: float | None
    worst_list: str = Field(description="the list that set the threshold")
    worst_people: int | None = Field(description="how many people it had, where they were too few to be measured")
    measured_floor: str | None = Field(
        description="the lowest threshold if measured lists alone counted, where too few people set it; never used"
    )


class Group(Answer):
    """How a group's strangers fare on a list of that group alone, at the lowest threshold."""

    list_size: int
    frames_per_probe: int
    group: str
    people: int
    fpir_low: float | None = Field(description="null: not measured, too few people")
    fpir_high: float | None = Field(description="what is not ruled out; null where nobody was searched")
    lower_limit: str | None
    remark: str


class Calibration(Answer):
    """What was measured of one pipeline."""

    id: str
    pipeline: str
    kind: str = Field(description="`laboratory` or `site_trial`")
    site: str
    made_at: Moment
    pack: str
    data: str = Field(description="what it was measured on")
    remark: str
    fpir_wanted: float | None
    recorded_by: str = Field(description="`pack` where it comes with a model pack")
    points: list[Point]
    groups: list[Group]
    trial: dict[str, int | float | str] | None = Field(description="what a site trial counted")


class Calibrations(Answer):
    """All calibrations, newest first."""

    calibrations: list[Calibration]


class Sighting(Answer):
    """When which reference number was seen."""

    camera: str
    captured_at: Moment
    reference_no: str


class Frame(Answer):
    """A frame in which faces were searched."""

    camera: str
    captured_at: Moment
    faces: int


class Readings(Answer):
    """What a trial's deployment recorded, of one camera."""

    listed: list[str] = Field(description="the reference numbers of its list")
    sightings: list[Sighting]
    frames: list[Frame]


class MeasuredAt(Answer):
    """What a deployment's figures come from."""

    id: str
    kind: str
    site: str
    made_at: Moment
    data: str
    remark: str
    fpir_wanted: float | None
