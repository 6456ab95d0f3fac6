"""Text becomes numbers where it can be read in one way only; else the message says what to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from presparse.data.table import read_table
from presparse.errors import DataError


def read(tmp_path: Path, content: str | bytes) -> list[list[float]]:
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path).tolist()


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
        '"1.5","-2","0"\n"3","4e1","2"\n',
        " +1.5 , -2., 0\n3\t, .4E+2 ,2.0\n",
    ],
)
def test_what_can_be_read(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == [[1.5, -2, 0], [3, 40, 2]]


def test_more_columns_than_any_network_takes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.csv: line 2 has 200,001 columns, and at most 131,072 are read$"):
        read(tmp_path, "1,2\n" + "1," * 200_000 + "1\n")


def test_a_first_sample_is_never_dropped(tmp_path: Path) -> None:
    assert read(tmp_path, "1,2,3\n4,5,6\n") == [[1, 2, 3], [4, 5, 6]]
    assert read(tmp_path, "0,0\n1,0\n") == [[0, 0], [1, 0]]
    assert read(tmp_path, "0.0,1.0\n2,3\n") == [[0, 1], [2, 3]]  # not how pandas counts


COUNTS = "line 1 counts from 0 to {}, as pandas numbers columns that have no names: it may be a header or a sample; "
INDEX = "leave pandas' index out: to_csv(path, index=False)"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0,1,2\n5,6,1\n", COUNTS.format(2) + "write a line of names before the first sample"),
        ("0\n5\n", COUNTS.format(0) + "write"),
        (",0,1,2\n0,5,6,1\n", f"line 1 has no name for column 1; {INDEX}"),
        (",a,b,class\n0,5,6,1\n", f"line 1 has no name for column 1; {INDEX}"),
        ("Unnamed: 0,a,class\n0,5,6\n", f"column 1 is called Unnamed: 0; {INDEX}"),
        ("class,a,b\n0,5,6\n", "the class is the last number of a line, and column 1 of 3 is called class; move it"),
        ("a,b\n0,5,6\n", "line 1 names 2 columns, and line 2 has 3 numbers; give every column a name"),
        (",2.5,0\n3,4,1\n", "line 1, column 1 is empty; impute it, or leave the sample out"),
        ("nan,2,0\n3,4,1\n", "line 1, column 1 holds 'nan', which is no number; impute it, or leave the sample out"),
        ("NA,NA,NA\n3,4,1\n", "line 1, column 1 holds 'NA', which is no number; impute it"),
        ("1_0,2_0\n3,4\n", "line 1, column 1 holds '1_0', which is no number; write numbers as 12, -0.5 or 1e-3"),
        ("3,0\n1_0,1\n", "line 2, column 1 holds '1_0', which is no number; "),
        ("3,0\n0x1,1\n", "line 2, column 1 holds '0x1', which is no number; "),
        ("3,0\n\u0661,1\n", "line 2, column 1 holds '\u0661', which is no number; "),
        ("3,0\n1,1e400\n", "line 2, column 2 holds '1e400', which is no number; "),
        ("3,0\n1,-inf\n", "line 2, column 2 holds '-inf', which is no number; impute it, or leave the sample out"),
        ("3,0,\n4,1,\n", "line 1, column 3 is empty; leave out the comma at the end of the line, or impute"),
        ("3,,1\n", "line 1, column 2 is empty; impute it, or leave the sample out"),
        ("3,0\n,,\n", "line 2, column 1 is empty; impute it, or leave the sample out"),
        ("5.1,3.5,setosa\n5,3,virginica\n", "line 1, column 3 holds 'setosa', which is no number; number"),
        ("w,h,kind\n5.1,3.5,setosa\n", "line 2, column 3 holds 'setosa', which is no number; number"),
        ("1.5,abc,0\n3,4,1\n", "line 1, column 2 holds 'abc', which is no number; write numbers as 12, -0.5 or 1e-3; "
         "only a first line may hold names, and then no numbers"),
        ("1.5;2;0\n3;4;1\n", "line 1, column 1 holds '1.5;2;0', which is no number; separate numbers by commas, not by "
         "semicolons, and write decimals with a point"),
        ("a;b;class\n1,5;2;0\n", "line 1 names 1 columns, and line 2 has 2 numbers; give every column a name"),
        ("a;b;class\n1;2;0\n", "line 2, column 1 holds '1;2;0', which is no number; separate numbers by commas"),
        ("1,5;2;0\n", "line 1, column 2 holds '5;2;0', which is no number; separate numbers by commas, not by se"),
        ("1\t2\t0\n", "line 1, column 1 holds '1\\t2\\t0', which is no number; separate numbers by commas, not by ta"),
        ("1 2 0\n", "line 1, column 1 holds '1 2 0', which is no number; separate numbers by commas, not by spaces"),
        ('"1,5","2,5",0\n', "line 1, column 1 holds '1,5', which is no number; write decimals with a point"),
        ("1,2\n3\n", "every line needs equally many numbers, and line 2 has 1 after lines of 2"),
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
