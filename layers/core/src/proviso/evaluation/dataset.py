"""Sets of pictures on disk: who is in them, which identities are one person, pairs and groups.

A set is `<set>/<identity>/<picture>`; folders beginning with `_` are left out. A folder may also hold several sets.
CSV files may name pictures and identities relative to the folder or to its parent.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from proviso.domain.errors import Fault

_PICTURES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".heic"})
_MOST_VALUES = 12
_MOST_CONFLICTS = 0.2


class DataFault(Fault):
    """The pictures or a CSV file cannot be used as they are. The sentence says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One file. `name` is `<set>/<identity>/<file>`; `person` the index of its person; `digest` the file's SHA-256, ""
    where it cannot be read."""

    path: Path
    name: str
    person: int
    digest: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pictures in the order of their names, and people: identities after aliases were merged."""

    name: str
    pictures: tuple[Picture, ...]
    people: tuple[str, ...]
    identities: int
    aliases_applied: int
    remarks: tuple[str, ...]
    files: Mapping[str, int]
    """From each spelling of a picture that a CSV may use to its index; -1 where two pictures share it."""
    persons: Mapping[str, int]
    """The same for identities."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures by index, whether they show one person, and the fold that they belong to."""

    fold: str
    same: bool
    one: int
    two: int


@dataclass(frozen=True, slots=True)
class Group:
    """A column of labels: the value of each person, "" where it is not known."""

    column: str
    values: tuple[str, ...]

    @property
    def kinds(self) -> list[str]:
        return sorted(set(self.values) - {""})


def read_dataset(folders: Sequence[Path], aliases: Path | None = None) -> Dataset:
    """Look through the folders. DataFault for a folder that is none or holds no `<identity>/<picture>`."""
    sets = [found for folder in folders for found in _sets(folder)]
    names = Counter(found.name for found, _ in sets)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise DataFault(f"two sets are called {twice[0]}; rename one, because CSV files name sets by their folder")
    files: dict[str, int] = {}
    persons: dict[str, int] = {}
    found: list[tuple[Path, str, int]] = []
    identities: list[str] = []
    for folder, spellings in sets:
        for identity in _folders(folder):
            inside = sorted(path for path in identity.iterdir() if path.suffix.lower() in _PICTURES)
            if not inside:
                continue
            place = len(identities)
            identities.append(f"{folder.name}/{identity.name}")
            for spelling in spellings:
                _put(persons, f"{spelling}{identity.name}", place)
            for path in inside:
                for spelling in spellings:
                    _put(files, f"{spelling}{identity.name}/{path.name}", len(found))
                found.append((path, f"{folder.name}/{identity.name}/{path.name}", place))
    merged, applied = _merged(identities, persons, aliases)
    people = sorted(set(merged))
    at = {first: number for number, first in enumerate(people)}
    pictures, kept, shared = _once(Picture(path, name, at[merged[place]], _digest(path)) for path, name, place in found)
    remarks = [f"{applied} pairs of identities merged as one person"] if applied else []
    if len(pictures) < len(found):
        remarks.append(f"{len(found) - len(pictures)} files left out that a person has twice")
    if shared:
        remarks.append(f"{shared} files stand under two people: a label is wrong, and each counts as a false match")
    return Dataset(
        name=" + ".join(folder.name for folder, _ in sets),
        pictures=tuple(pictures),
        people=tuple(identities[first] for first in people),
        identities=len(identities),
        aliases_applied=applied,
        remarks=tuple(remarks),
        files={name: kept[place] if place >= 0 else -1 for name, place in files.items()},
        persons={name: at[merged[place]] if place >= 0 else -1 for name, place in persons.items()},
    )


def _once(found: Iterable[Picture]) -> tuple[list[Picture], list[int], int]:
    """Each file of a person once (a probe that is its own reference would prove nothing), where every one given went,
    and how many files two people share."""
    pictures: list[Picture] = []
    kept, places, owners, shared = [], dict[tuple[int, str], int](), dict[str, int](), 0
    for picture in found:
        place = places.setdefault((picture.person, picture.digest or picture.name), len(pictures))
        if place == len(pictures):
            pictures.append(picture)
            shared += bool(picture.digest) and owners.setdefault(picture.digest, picture.person) != picture.person
        kept.append(place)
    return pictures, kept, shared


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def _sets(folder: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The sets in a folder, each with the beginnings that a CSV may give to what is in it."""
    folder = folder.resolve()
    if not folder.is_dir():
        raise DataFault(f"{folder} is no folder; name one that holds <identity>/<picture>")
    if any(_has_pictures(inside) for inside in _folders(folder)):
        yield folder, ("", f"{folder.name}/")
        return
    some = False
    for inside in _folders(folder):
        if any(_has_pictures(identity) for identity in _folders(inside)):
            some = True
            yield inside, (f"{inside.name}/", f"{folder.name}/{inside.name}/")
    if not some:
        raise DataFault(f"{folder} holds no pictures as <identity>/<picture>; folders beginning with _ are left out")


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(("_", ".")))


def _has_pictures(folder: Path) -> bool:
    return any(path.suffix.lower() in _PICTURES for path in folder.iterdir())


def _put(places: dict[str, int], name: str, place: int) -> None:
    places[name] = place if places.get(name, place) == place else -1


def _merged(identities: Sequence[str], persons: Mapping[str, int], aliases: Path | None) -> tuple[list[int], int]:
    """For each identity the first identity of its person. Aliases of people who are not here are left alone."""
    first = list(range(len(identities)))

    def root(place: int) -> int:
        while first[place] != place:
            place = first[place]
        return place

    applied = 0
    for row in _rows(aliases, ("id_a", "id_b")) if aliases else ():
        one, two = persons.get(row["id_a"], -1), persons.get(row["id_b"], -1)
        if one >= 0 and two >= 0 and root(one) != root(two):
            low, high = sorted((root(one), root(two)))
            first[high] = low
            applied += 1
    return [root(place) for place in range(len(identities))], applied


def read_pairs(path: Path, data: Dataset) -> list[Pair]:
    """The labelled pairs of a CSV (fold, same, file1, file2). DataFault for a picture that is not there: pairs left
    out would change what is measured."""
    pairs, missing = [], []
    for row in _rows(path, ("fold", "same", "file1", "file2")):
        places = [data.files.get(row[column], -1) for column in ("file1", "file2")]
        missing += [row[column] for column, place in zip(("file1", "file2"), places, strict=True) if place < 0]
        if row["same"] not in ("0", "1"):
            raise DataFault(f"{path}: the column same is 0 or 1, not {row['same']!r}")
        pairs.append(Pair(row["fold"], row["same"] == "1", places[0], places[1]))
    if missing:
        raise DataFault(
            f"{path} names {len(missing)} pictures that are not in {data.name}, the first of them {missing[0]!r}; "
            "paths are relative to the folder or to its parent"
        )
    if len({pair.fold for pair in pairs}) < 2:
        raise DataFault(f"{path} has fewer than two folds; a threshold is chosen on the other folds")
    return pairs


def read_groups(paths: Sequence[Path], data: Dataset, wanted: Sequence[str] = ()) -> tuple[list[Group], list[str]]:
    """Group columns of the label files, and remarks on what was left out.

    Without `wanted`, every column with 2 to 12 values is taken that says the same of all pictures of a person.
    """
    columns: dict[str, dict[int, set[str]]] = {}
    seen: dict[str, None] = {}
    for path in paths:
        rows = list(_rows(path, ()))
        if not rows:
            raise DataFault(f"{path} has no rows")
        key = next((name for name in ("file", "identity") if name in rows[0]), None)
        if key is None:
            raise DataFault(f"{path} needs a column `file` or `identity`; it has {', '.join(rows[0])}")
        names = [name for name in rows[0] if name != key]
        seen.update(dict.fromkeys(names))
        for row in rows:
            person = _person(row[key], key, data)
            for name in names if person >= 0 else ():
                value = row[name].strip()
                if value:
                    columns.setdefault(name, {}).setdefault(person, set()).add(value)
    for name in wanted:
        if name not in seen:
            raise DataFault(f"no label file has a column {name!r}; there are {', '.join(seen) or 'none'}")
        if name not in columns:
            raise DataFault(f"the column {name!r} says nothing about anybody in {data.name}")
    groups, remarks = [], []
    for name in wanted or columns:
        values = columns[name]
        kinds = {value for found in values.values() for value in found}
        conflicts = sum(len(found) > 1 for found in values.values())
        if not wanted and (not 2 <= len(kinds) <= _MOST_VALUES or conflicts > _MOST_CONFLICTS * len(values)):
            continue
        if conflicts:
            remarks.append(f"{name}: {conflicts} people with more than one value are in no group")
        single = {person: next(iter(found)) for person, found in values.items() if len(found) == 1}
        groups.append(Group(name, tuple(single.get(person, "") for person in range(len(data.people)))))
    return groups, remarks


def _person(name: str, key: str, data: Dataset) -> int:
    if key == "identity":
        return data.persons.get(name, -1)
    place = data.files.get(name, -1)
    return data.pictures[place].person if place >= 0 else -1


def _rows(path: Path, needed: Iterable[str]) -> Iterator[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, restval="")
            columns = reader.fieldnames or []
            for name in needed:
                if name not in columns:
                    raise DataFault(f"{path} has no column {name}; it has {', '.join(columns) or 'no header at all'}")
            for row in reader:
                yield {name: value for name, value in row.items() if name is not None}
    except OSError as error:
        raise DataFault(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataFault(f"{path} is no CSV in UTF-8: {error}") from error
