"""Measure a pack and write its calibration: what `make calibrations` does.

Each set of pictures is evaluated by itself, since strangers of one set do not look like those of another. What is
written are numbers; the pictures stay where they are.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKS = ROOT / "layers/core/src/proviso/vision/packs"
SETS: dict[str, list[str]] = {
    # Press photographs with several pictures a person: what is shown of a pack.
    "press": ["lfw", "--pairs", "labels/lfw_pairs.csv",
              "--labels", "labels/lfw_gender_by_identity.csv", "--group", "gender"],
    # Official portraits, fewer people, more groups named: strangers alone matter here, so nothing is altered. Sets that
    # do not say who is who (one picture a person) cannot be used: two pictures of one person would count as strangers.
    "portraits": ["us_congress", "--labels", "labels/us_congress.csv", "--group", "gender", "--group", "ethnicity",
                  "--no-conditions"],
}  # fmt: skip
ALIASES = "labels/identity_aliases.csv"
SLOW = ("dlib",)
"""Packs that take a tenth to half a second a picture: single frames, and nothing altered."""


def main(pack: str, faces: Path) -> int:
    """0 when written, 2 when something is missing."""
    wanted = [word for words in SETS.values() for word in words if "/" in word or word in ("lfw", "us_congress")]
    missing = [name for name in (*wanted, ALIASES) if not (faces / name).exists()]
    if missing:
        _say(f"calibrations need pictures and labels that are not here: {', '.join(missing)} in {faces}")
        _say("say where they are: make calibrations FACES=folder; mind the terms under which they may be used")
        return 2
    made = []
    slow = pack in SLOW
    for name, words in SETS.items():
        out = ROOT / "out/calibration" / f"{pack}-{name}.json"
        out.parent.mkdir(parents=True, exist_ok=True)
        words = [str(faces / word) if (faces / word).exists() else word for word in words]
        frames = ["--no-conditions"] if slow else ["--burst-like"]
        _proviso("evaluate", *words, "--pack", pack, "--aliases", str(faces / ALIASES), *frames, "--json", str(out))
        made.append(out)
    calibration = PACKS / f"{pack}.calibration.json"
    _proviso("calibrate", *map(str, made), "--out", str(calibration))
    _keep(made[0], f"{pack}.evaluation.json")
    # And what is found of the same people at the thresholds that came out of it.
    floors = ROOT / "out/calibration" / f"{pack}-floors.json"
    words = [str(faces / word) if (faces / word).exists() else word for word in SETS["press"]]
    _proviso(
        "evaluate", *words, "--pack", pack, "--aliases", str(faces / ALIASES), "--no-conditions",
        "--thresholds", str(calibration), "--fpir", "0.01", "--json", str(floors)
    )  # fmt: skip
    _keep(floors, f"{pack}.floors.json")
    return 0


def _keep(made: Path, name: str) -> None:
    """Beside the model card, without the strangers: they are in the calibration, as far as anybody asks."""
    figures = json.loads(made.read_text("utf-8"))
    figures["strangers"] = []
    kept = ROOT / "docs/models" / name
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(figures, sort_keys=True, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _proviso(*words: str) -> None:
    _say(f"proviso {words[0]} ...")
    subprocess.run([sys.executable, "-m", "proviso.cli.main", *words], check=True, cwd=ROOT)  # noqa: S603


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], Path(sys.argv[2]).resolve()))
    except subprocess.CalledProcessError as error:  # it has said itself what was missing
        sys.exit(error.returncode)
