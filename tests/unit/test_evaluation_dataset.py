"""Folders and CSV files: what is taken, what is merged, what is said of what cannot be used."""

import pytest

from proviso.evaluation.dataset import DataFault, read_dataset, read_groups, read_pairs


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def csv(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def press(tmp_path):
    return make(
        tmp_path / "press", "a/1.jpg", "a/2.jpg", "b/1.JPG", "c/1.jpg", "_crowd/x.jpg", "b/notes.txt", "d/x.txt"
    )


def test_one_set_is_its_identities_and_their_pictures(press):
    data = read_dataset([press])
    assert [picture.name for picture in data.pictures] == [
        "press/a/1.jpg",
        "press/a/2.jpg",
        "press/b/1.JPG",
        "press/c/1.jpg",
    ]
    assert data.people == ("press/a", "press/b", "press/c")


def test_a_folder_of_sets_and_several_folders_are_one_evaluation(tmp_path, press):
    make(tmp_path / "more" / "congress", "a/1.jpg", "z/1.jpg")
    make(tmp_path / "more" / "labels", "x.csv")
    data = read_dataset([press, tmp_path / "more"])
    assert data.people == ("press/a", "press/b", "press/c", "congress/a", "congress/z")
    assert data.name == "press + congress"


def test_two_sets_of_one_name_are_refused(tmp_path, press):
    make(tmp_path / "other" / "press", "a/1.jpg")
    with pytest.raises(DataFault, match="two sets are called press"):
        read_dataset([press, tmp_path / "other" / "press"])


@pytest.mark.parametrize("kind", ["missing", "empty", "flat"])
def test_a_folder_without_identities_is_refused_with_what_it_should_hold(tmp_path, kind):
    folder = tmp_path / kind
    if kind != "missing":
        folder.mkdir()
    if kind == "flat":
        make(folder, "1.jpg")
    with pytest.raises(DataFault, match="<identity>/<picture>"):
        read_dataset([folder])


def test_aliases_are_one_person_whichever_way_they_are_named(tmp_path, press):
    aliases = csv(tmp_path, "aliases.csv", "side,id_a,id_b\ndev,press/a,c\ndev,c,a\ndev,press/a,elsewhere/q\n")
    data = read_dataset([press], aliases)
    assert data.people == ("press/a", "press/b")
    assert [picture.person for picture in data.pictures] == [0, 0, 1, 0]
    assert (data.identities, data.aliases_applied) == (3, 1)


def test_aliases_in_a_chain_are_one_person(tmp_path, press):
    aliases = csv(tmp_path, "aliases.csv", "id_a,id_b\nc,b\nb,a\n")
    assert read_dataset([press], aliases).people == ("press/a",)


def test_a_file_that_a_person_has_twice_counts_once_and_pairs_still_find_it(tmp_path, press):
    (press / "a" / "3.jpg").write_bytes((press / "a" / "1.jpg").read_bytes())
    data = read_dataset([press])
    assert len(data.pictures) == 4
    assert data.files["press/a/3.jpg"] == data.files["a/1.jpg"]
    assert any("twice" in remark for remark in data.remarks)


def test_a_file_under_two_people_is_told(press):
    (press / "c" / "1.jpg").write_bytes((press / "a" / "1.jpg").read_bytes())
    data = read_dataset([press])
    assert len(data.pictures) == 4
    assert any("two people" in remark for remark in data.remarks)


def test_pairs_may_be_named_from_the_folder_or_from_its_parent(tmp_path, press):
    data = read_dataset([press])
    path = csv(tmp_path, "pairs.csv", "fold,same,file1,file2\n1,1,a/1.jpg,press/a/2.jpg\n2,0,press/a/1.jpg,b/1.JPG\n")
    one, two = read_pairs(path, data)
    assert (one.fold, one.same, one.one, one.two) == ("1", True, 0, 1)
    assert (two.same, two.one, two.two) == (False, 0, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fold,same,file1\n1,1,a/1.jpg\n", "no column file2; it has fold, same, file1"),
        ("", "no header at all"),
        ("fold,same,file1,file2\n1,1,a/1.jpg,a/9.jpg\n2,0,a/1.jpg,b/1.JPG\n", "1 pictures .*'a/9.jpg'"),
        ("fold,same,file1,file2\n1,yes,a/1.jpg,a/2.jpg\n", "same is 0 or 1, not 'yes'"),
        ("fold,same,file1,file2\n1,1,a/1.jpg,a/2.jpg\n", "fewer than two folds"),
    ],
)
def test_pairs_that_cannot_be_used_are_refused_by_name(tmp_path, press, text, said):
    with pytest.raises(DataFault, match=said):
        read_pairs(csv(tmp_path, "pairs.csv", text), read_dataset([press]))


def test_a_file_that_is_no_text_is_refused(tmp_path, press):
    path = tmp_path / "pairs.csv"
    path.write_bytes(b"fold,same,file1,file2\n1,1,\xff\xfe,b\n")
    with pytest.raises(DataFault, match="no CSV in UTF-8"):
        read_pairs(path, read_dataset([press]))


def test_groups_by_identity_and_by_file(tmp_path, press):
    data = read_dataset([press])
    people = csv(tmp_path, "p.csv", "identity,gender,name\na,f,A\nb,m,B\npress/c,m,C\n")
    files = csv(tmp_path, "f.csv", "file,kind,only\na/1.jpg,x,1\na/2.jpg,y,1\nb/1.JPG,x,1\nc/1.jpg,y,1\n")
    groups, _ = read_groups([people], data)
    assert [(group.column, group.values) for group in groups] == [
        ("gender", ("f", "m", "m")),
        ("name", ("A", "B", "C")),
    ]
    groups, remarks = read_groups([files], data, ["kind"])
    assert groups[0].values == ("", "x", "y")
    assert "1 people with more than one value" in remarks[0]


def test_labels_that_cannot_be_used_are_refused_by_name(tmp_path, press):
    data = read_dataset([press])
    with pytest.raises(DataFault, match="needs a column `file` or `identity`"):
        read_groups([csv(tmp_path, "a.csv", "who,gender\na,f\n")], data)
    good = csv(tmp_path, "b.csv", "identity,gender\na,f\nb,m\n")
    with pytest.raises(DataFault, match="no label file has a column 'race'; there are gender"):
        read_groups([good], data, ["race"])
    with pytest.raises(DataFault, match="says nothing about anybody"):
        read_groups([csv(tmp_path, "c.csv", "identity,gender\nq,f\n")], data, ["gender"])
