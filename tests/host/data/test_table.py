"""csv files: what they hold comes out whole, and what could be read wrong is refused with its place and the mend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from presparse.data.table import Table, read_table
from presparse.errors import ArgumentError, DataError


def read(folder: Path, content: str | bytes, **given: Any) -> Table:
    path = folder / "a.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path, **given)


def contents(table: Table) -> tuple[list[list[float]], list[Any] | None, tuple[str, ...], str]:
    return table.X.tolist(), None if table.y is None else table.y.tolist(), table.names, table.target


@pytest.mark.parametrize(
    "content",
    [
        "1.5,-2,0\n3,4e1,2\n",
        "1.5,-2,0\r\n3,4e1,2\r\n",
        "1.5,-2,0\r3,4e1,2",
        "\n1.5,-2,0\n\n3,4e1,2\n \n",
        "\ufeff1.5,-2,0\n3,4e1,2\n",
        "a,b,class\n1.5,-2,0\n3,4e1,2\n",
        "\ufeffa,b,class\n1.5,-2,0\n3,4e1,2\n",
        '"a, b",\'b\',"class ""k"""\n1.5,-2,0\n3,4e1,2\n',
        "1x1,1x2,label\n1.5,-2,0\n3,4e1,2\n",
        "0,1,class\n1.5,-2,0\n3,4e1,2\n",  # pandas numbered those that had no name
        "0,1,2,kind\n1.5,-2,9,0\n3,4e1,9,2\n",
        "2019,2020,Target\n1.5,-2,0\n3,4e1,2\n",
        "Na,K,kind\n1.5,-2,0\n3,4e1,2\n",  # Na may stand for what is missing, but not among names
        '"1.5","-2","0"\n"3","4e1","2"\n',
        " +1.5 , -2., 0\n3\t, .4E+2 ,2.0\n",
        "1.5;-2;0\n3;40;2\n",
        "1,5;-2,0;0\n3;4e1;2,0\n",
        '"a; b";b;class\n1,5;-2;0\n3;40;2\n',
        "x,1;x,2;class\n1.5;-2;0\n3;40;2\n",
        "1.5\t-2\t0\n3\t40\t2\n",
        "a b\tb, c\tclass\n1.5\t-2\t0\n3\t40\t2\n",
        ",a,b,class\n0,1.5,-2,0\n7,3,40,2\n",  # pandas' index
        "Unnamed: 0,a,b,class\n0,1.5,-2,0\n1,3,40,2\n",
        ",0,1,2\n0,1.5,-2,0\n1,3,40,2\n",
    ],
)
def test_what_can_be_read(tmp_path: Path, content: str) -> None:
    X, y, _, _ = contents(read(tmp_path, content))
    assert ([row[:2] for row in X], y) == ([[1.5, -2], [3, 40]], [0, 2])


@pytest.mark.parametrize(
    ("content", "target", "names", "found"),
    [
        ("a,b,kind\n1,2,x\n3,4,y\n", None, ("a", "b"), "kind"),
        ("class,a,b\nx,1,2\ny,3,4\n", None, ("a", "b"), "class"),
        ("a,LABEL,b\n1,x,2\n3,y,4\n", None, ("a", "b"), "LABEL"),
        ("y,a,b\nx,1,2\ny,3,4\n", None, ("a", "b"), "y"),
        ("x,y,kind\n1,2,x\n3,4,y\n", None, ("x", "y"), "kind"),  # coordinates
        ("a,kind,b\n1,x,2\n3,y,4\n", "kind", ("a", "b"), "kind"),
        ("a,kind,b\n1,x,2\n3,y,4\n", "2", ("a", "b"), "kind"),
        ("class,2,b\n1,x,2\n3,y,4\n", "2", ("class", "b"), "2"),  # a name before a number
        ("1,x,2\n3,y,4\n1,x,2\n3,y,4\n", 2, (), ""),
    ],
)  # fmt: skip
def test_which_column_is_the_class(
    tmp_path: Path, content: str, target: str | int | None, names: tuple[str, ...], found: str
) -> None:
    X, y, *named = contents(read(tmp_path, content, target=target))
    assert (X[:2], y[:2] if y else None) == ([[1, 2], [3, 4]], ["x", "y"])
    assert named == [names, found]


def test_labels_are_whole_numbers_or_names(tmp_path: Path) -> None:
    for column, labels in (
        (["3", "-1", "3"], [3, -1, 3]),
        (["3.0", "-1e0", "+70000"], [3, -1, 70_000]),
        (["None", "01", "None"], ["None", "01", "None"]),
        (["Ä b", "c", "c"], ["Ä b", "c", "c"]),
    ):
        table = read(tmp_path, "\n".join(["a,kind", *(f"1,{label}" for label in column)]))
        assert table.y is not None
        assert table.y.tolist() == labels


def test_a_first_sample_is_never_dropped(tmp_path: Path) -> None:
    assert contents(read(tmp_path, "1,2,3\n4,5,6\n"))[:2] == ([[1, 2], [4, 5]], [3, 6])
    assert contents(read(tmp_path, "0,0\n1,0\n"))[:2] == ([[0], [1]], [0, 0])
    assert contents(read(tmp_path, "0.0,1.0\n2,3\n"))[:2] == ([[0], [2]], [1, 3])  # not how pandas counts
    assert contents(read(tmp_path, "5,a\n6,b\n7,a\n"))[:2] == ([[5], [6], [7]], ["a", "b", "a"])
    assert contents(read(tmp_path, "5,a\n6,b\n", classes=["a", "b"]))[:2] == ([[5], [6]], ["a", "b"])
    assert contents(read(tmp_path, "0,1,a\n5,6,a\n"))[:2] == ([[0, 1], [5, 6]], ["a", "a"])


def test_truths_are_numbers(tmp_path: Path) -> None:
    """A first line of them is no header; as classes they are names."""
    assert contents(read(tmp_path, "True,false,True\nFALSE,1,True\n"))[:2] == ([[1, 0], [0, 1]], ["True", "True"])


def test_for_a_model_columns_are_found_by_name(tmp_path: Path) -> None:
    table = read(tmp_path, "id,b,a,kind\nq,1,2,x\nr,3,4,y\n", features=2, names=("a", "b"))
    assert contents(table) == ([[2, 1], [4, 3]], None, ("a", "b"), "")
    assert table.left_out == ("id", "kind")
    table = read(tmp_path, "id,b,a,kind\nq,1,2,x\nr,3,4,y\n", names=("a", "b"))
    assert contents(table) == ([[2, 1], [4, 3]], ["x", "y"], ("a", "b"), "kind")
    for content, message in (
        ("b,c\n1,2\n", "has no column 'a', which the model takes; it has b, c; give every column the name"),
        ("b,a\n1,2\n", "has no column beside the features of the model; give one with the class"),
    ):
        with pytest.raises(DataError, match=message):
            read(tmp_path, content, names=("a", "b"))
    with pytest.raises(DataError, match="column 'b' is a feature of the model; name the column of the class"):
        read(tmp_path, "b,a,kind\n1,2,x\n", names=("a", "b"), target="b")


def test_for_a_model_without_names_columns_are_counted(tmp_path: Path) -> None:
    for content, labels in (("1,2\n3,4\n", None), ("p,q\n1,2\n3,4\n", None), ("1,2,0\n3,4,1\n", [0, 1])):
        assert contents(read(tmp_path, content, features=2))[:2] == ([[1, 2], [3, 4]], labels)
    assert contents(read(tmp_path, "5\n6\n", features=1))[:2] == ([[5], [6]], None)
    with pytest.raises(DataError, match="every line needs 2 features, or 3 cells with the class, and has 4; give data"):
        read(tmp_path, "1,2,3,4\n", features=2)


def test_medians_stand_for_what_is_missing(tmp_path: Path) -> None:
    content = "a,b,kind\n1,,x\n3,?,y\n8,6,None\nNA,7,y\n"
    table = read(tmp_path, content, missing="median")
    assert contents(table)[:2] == ([[1, 6.5], [3, 6.5], [8, 6], [3, 7]], ["x", "y", "None", "y"])
    assert table.medians.tolist() == [3, 6.5]
    again = read(tmp_path, "b,a,kind\n,,x\n", missing=table.medians, names=("a", "b"))
    assert again.X.tolist() == [[3, 6.5]]
    with pytest.raises(DataError, match=r"column 2 \(b\) holds no number at all; leave it out"):
        read(tmp_path, "a,b,kind\n1,,x\n", missing="median")
    with pytest.raises(
        DataError, match=r"line 2, column 1 \(a\) holds 'inf', which is no number; leave the sample out"
    ):
        read(tmp_path, "a,b,kind\ninf,1,x\n", missing="median")
    with pytest.raises(ArgumentError, match="missing must be 'refuse' or 'median', and is 'mean'"):
        read(tmp_path, content, missing="mean")


def test_medians_of_another_network(tmp_path: Path) -> None:
    """The number of features tells it later."""
    assert np.isnan(read(tmp_path, "1,2,,0\n", missing=np.zeros(2)).X[0, 2])


def test_more_columns_than_any_network_takes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.csv: line 2 has 200,001 columns, and at most 131,072 are read$"):
        read(tmp_path, "1,2\n" + "1," * 200_000 + "1\n")


COUNTS = "line 1 counts from 0 to {}, as pandas numbers columns that have no names: it may be a header or a sample; "
MEDIAN = "leave the sample out, or let the column's median stand for it: --missing median (missing= in Python)"
TEXT = "if that is the class, name its column with --target (target= in Python), else leave the column out, or make"
HEADER = "line 1 may be a header or a sample: no other line has its class {} (column {}); write a line of names"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0,1,2\n5,6,1\n", COUNTS.format(2) + "write a line of names before the first sample"),
        ("0\n5\n", COUNTS.format(0) + "write"),
        ("0,1,2,a\n7,8,9,a\n7,8,9,b\n", "line 1 may be a header or a sample: other lines have its 'a' as their class;"),
        ("0,1,a\n7,8,b\n7,8,b\n", HEADER.format("'a'", 3)),
        ("5,6,a\n7,8,b\n7,8,b\n", HEADER.format("'a'", 3)),
        ("2019,2020,kind\n7,8,b\n", HEADER.format("'kind'", 3)),
        ("a,b\n0,5,6\n", "line 1 names 2 columns, and line 2 has 3 cells; give every column a name"),
        ("a,,class\n0,5,6\n", "line 1 has no name for column 2; give every column a name"),
        ("a;class;\n0;5;\n", "line 1 has no name for column 3; name it, or leave out the sign at the end of lines"),
        ("a,a,class\n0,5,6\n", "2 columns are called 'a'; give each its own name"),
        ("class,label,a\n0,1,2\n", "columns class, label may all be the class; name the column of the class with"),
        (",2.5,0\n3,4,1\n", f"line 1, column 1 is empty; {MEDIAN}"),
        ("nan,2,0\n3,4,1\n", f"line 1, column 1 holds 'nan', which is no number; {MEDIAN}"),
        ("NA,NA,NA\n3,4,1\n", f"line 1, column 1 holds 'NA', which is no number; {MEDIAN}"),
        ("1_0,2_0\n3,4\n", "line 1, column 1 holds '1_0', which is no number; write numbers as 12, -0.5 or 1e-3"),
        ("3,0\n1_0,1\n", "line 2, column 1 holds '1_0', which is no number; "),
        ("3,0\n0x1,1\n", "line 2, column 1 holds '0x1', which is no number; "),
        ("3,0\n\u0661,1\n", "line 2, column 1 holds '\u0661', which is no number; "),
        ("3,0\n1e400,1\n", "line 2, column 1 holds '1e400', which is no number; "),
        ("3,0\n1,1e400\n", "line 2, column 2 holds 1e400, and classes are whole numbers or names; name the column"),
        ("3,0\n1,0.5\n", "line 2, column 2 holds 0.5, and classes are whole numbers or names; name the column"),
        ("3,0\n1,-inf\n", "line 2, column 2 holds '-inf', and should hold a class; leave the sample out"),
        ("a,kind\n1,NA\n", "line 2, column 2 (kind) holds 'NA', and should hold a class; leave the sample out"),
        ('1,"a\nb"\n', "line 2, column 2 holds 'a\\nb', and should hold a class; leave the sample out"),
        ("3,0,\n4,1,\n", "line 1, column 3 is empty, and should hold a class; leave out the sign at the end of the"),
        ("3,,1\n", f"line 1, column 2 is empty; {MEDIAN}"),
        ("3,0\n,,\n", "every line needs equally many cells, and line 2 has 3 after lines of 2; leave no cell out"),
        ("w,h,kind\n5.1,tall,setosa\n", f"line 2, column 2 (h) holds 'tall', which is no number; {TEXT}"),
        ("1.5,abc,0\n3,4,1\n", f"line 1, column 2 holds 'abc', which is no number; {TEXT}"),
        ("1.5;2,5;0\n", "line 1 has numbers with a comma, and line 1 with a point; write all decimals alike"),
        ("1.500;2;0\n3;4;0\n1,5;2;0\n", "line 3 has numbers with a comma, and line 1 with a point; write"),
        ("1 2 0\n", "every line needs at least one feature and the class, and has one cell; put a comma, a semicolon"),
        ("1 2,0\n", "line 1, column 1 holds '1 2', which is no number; separate numbers by commas, not by spaces"),
        ('"1,5","2,5",0\n', "line 1, column 1 holds '1,5', which is no number; write decimals with a point"),
        ("1,2\n3\n", "every line needs equally many cells, and line 2 has 1 after lines of 2; leave no cell out"),
        ('1,"2\n', "line 1 cannot be read (unexpected end of data); leave quotes out"),
        ('"1"2,3\n', "line 1 cannot be read (',' expected after '\"'); leave quotes out"),
        ("a,b\n", "holds no samples; write one per line, as numbers with commas between them"),
        ("", "holds no samples; write one per line, as numbers with commas between them"),
        ("1,2\n".encode("utf-16"), "is text in UTF-16; save it in UTF-8 (Excel calls that CSV UTF-8)"),
        ("größe,class\n1,2\n".encode("latin-1"), "not text in UTF-8 ("),
        (b"1,2\n\0,3\n", "line 2, column 1 holds '\\x00', which is no number; "),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path, content)
    assert str(error.value).startswith(f"{tmp_path / 'a.csv'}: {message}")


def test_a_last_column_that_holds_no_classes(tmp_path: Path) -> None:
    """UCI's wine has the class first, and whole numbers last. Whoever names the column is believed."""
    lines = "\n".join(f"{number % 3},{number}" for number in range(30))
    with pytest.raises(DataError) as error:
        read(tmp_path, lines)
    assert str(error.value).endswith(
        "a.csv: column 2 is taken for the class, and has 30 different values in 30 lines; name the column of the class "
        "with --target (target= in Python)"
    )
    y = list(range(30))
    assert contents(read(tmp_path, lines, target=2))[1] == y
    assert contents(read(tmp_path, lines, classes=range(30)))[1] == y
    assert contents(read(tmp_path, f"a,class\n{lines}"))[1] == y
    assert contents(read(tmp_path, "\n".join([lines] * 3)))[1] == y * 3


@pytest.mark.parametrize("target", ["q", 4, 0, -1, "", 10**30])
def test_a_target_that_is_not_there(tmp_path: Path, target: str | int) -> None:
    with pytest.raises(DataError, match=r"there is no column .*; its columns are a, b, kind, and numbers 1 to 3$"):
        read(tmp_path, "a,b,kind\n1,2,x\n", target=target)


def test_a_table_of_many_lines_is_read_at_once(tmp_path: Path) -> None:
    """Against numpy's own numbers, to the last bit."""
    X = np.random.default_rng(0).normal(size=(200, 7))
    lines = "\n".join(";".join(f"{x!r}".replace(".", ",") for x in row.tolist()) + ";a" for row in X)
    assert (read(tmp_path, lines).X == X).all()
