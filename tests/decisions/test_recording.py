"""Metrics of the past as CSV: every rule of reading, and every sentence about what cannot be."""

import math

import pytest

from lastgood.decisions.recording import Recording, RecordingError, Row, moment, read, write
from tests.decisions.recorded import ALL, COUNTS, Stretch, recorded

HEAD = "time,requests,errors"
LONG = "time,requests,errors,latency_avg,le_100,le_250.5,probes,probes_failed"


def row_of(line: str, head: str = LONG) -> Row:
    (row,) = read(f"{head}\n{line}").rows
    return row


def test_all_columns():
    recording = read(f"{LONG}\n1700000000,10,1,120.5,4,9,6,2\n")
    assert recording.bounds == (100.0, 250.5)
    assert recording.columns == frozenset(ALL | {"time"})
    assert recording.rows == [Row(1.7e9, 10.0, 1.0, 120.5, (4.0, 9.0), 6.0, 2.0)]
    assert recording.end == 1.7e9 + 60


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1700000000", 1.7e9),
        ("1700000000.25", 1.7e9 + 0.25),
        ("1.7e9", 1.7e9),
        ("2023-11-14T22:13:20Z", 1.7e9),
        ("2023-11-14T22:13:20", 1.7e9),
        ("2023-11-14 22:13:20+00:00", 1.7e9),
        ("2023-11-14T23:13:20+01:00", 1.7e9),
        (" 2023-11-14T22:13:20Z ", 1.7e9),
    ],
)
def test_times(text, seconds):
    assert moment(text) == seconds
    assert row_of(f"{text},1,0", HEAD).at == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "12:00", "nan", "inf", "2023-13-01"])
def test_what_is_no_time_is_said_with_its_line(text):
    with pytest.raises(RecordingError) as refused:
        read(f"{HEAD}\n60,1,0\n{text},1,0")
    assert str(refused.value) == (
        f"line 3: {text!r} is no time: write seconds since the epoch, or ISO 8601 such as "
        "2026-11-28T14:02:00Z"
    )


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        ("", "line 1: no column time: begin the file with time,requests,errors"),
        ("requests,errors", "line 1: no column time: begin the file with time,requests,errors"),
        ("time,requests,requests", "line 1: the column requests is there twice: leave one out"),
        ("time,le_50,le_50.0", "line 1: the column le_50.0 is there twice: leave one out"),
        (
            "time,requets",
            "line 1: unknown column 'requets': write time, requests, errors, latency_avg, probes, "
            "probes_failed and le_MS, such as le_250",
        ),
        (
            "time,le_x",
            "line 1: unknown column 'le_x': write time, requests, errors, latency_avg, probes, "
            "probes_failed and le_MS, such as le_250",
        ),
        (
            "time,errors",
            "line 1: errors without requests say nothing: add the column requests",
        ),
        (
            "time,probes_failed",
            "line 1: probes_failed goes with probes: add the column probes",
        ),
    ],
)
def test_headers_that_cannot_be(head, sentence):
    with pytest.raises(RecordingError) as refused:
        read(f"{head}\n")
    assert str(refused.value) == sentence


@pytest.mark.parametrize("head", ["TIME, Requests ,ERRORS", "\ufefftime,requests,errors"])
def test_headers_as_spreadsheets_write_them(head):
    assert read(f"{head}\r\n60,5,1\r\n").rows == [Row(60.0, 5.0, 1.0)]


@pytest.mark.parametrize("name", ["le_inf", "le_+Inf"])
def test_the_last_column_of_a_prometheus_histogram_is_left_out(name):
    recording = read(f"time,requests,le_100,{name}\n60,5,4,5")
    assert recording.bounds == (100.0,)
    assert recording.rows[0].upto == (4.0,)


def test_bounds_may_stand_in_any_order():
    recording = read("time,requests,le_500,le_50\n60,5,4,1")
    assert recording.bounds == (50.0, 500.0)
    assert recording.rows[0].upto == (1.0, 4.0)
    assert recording.rows[0].problem is None


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "120,1",
            "line 3: 2 cells, and the header has 3: leave a missing one empty, between its commas",
        ),
        (
            "120,1,0,5",
            "line 3: 4 cells, and the header has 3: leave a missing one empty, between its commas",
        ),
        ("120,one,0", "line 3: 'one' is no number: write a number, or nothing"),
        ("120,1,-", "line 3: '-' is no number: write a number, or nothing"),
        ("120,1,0 %", "line 3: '0 %' is no number: write a number, or nothing"),
    ],
)
def test_lines_that_cannot_be(line, sentence):
    with pytest.raises(RecordingError) as refused:
        read(f"{HEAD}\n60,1,0\n{line}\n")
    assert str(refused.value) == sentence


def test_a_number_of_response_times_that_is_none():
    with pytest.raises(RecordingError, match=r"^line 2: 'x' is no number: write a number"):
        read("time,requests,le_50\n60,1,x")
    with pytest.raises(RecordingError) as refused:
        read(f"{HEAD}\n60,{'9' * 30}x{'9' * 30},0")
    assert len(str(refused.value)) < 100, "a long cell is cut"


def test_empty_cells_are_missing_and_never_nought():
    assert row_of("60,,,,,,,") == Row(60.0)
    assert row_of("60,10,,,4,,6,") == Row(60.0, 10.0, probes=6.0), "half a histogram is none"
    assert row_of("60, 10 , ,,4,9,,") == Row(60.0, 10.0, upto=(4.0, 9.0))


def test_empty_lines_are_no_lines():
    assert len(read(f"{HEAD}\n\n60,1,0\n   \n120,1,0\n\n").rows) == 2


def test_lines_may_be_late_and_correct_each_other():
    recording = read(f"{HEAD}\n180,3,0\n60,1,0\n120,2,0\n60,9,4\n")
    assert [(row.at, row.requests) for row in recording.rows] == [(60, 9), (120, 2), (180, 3)]


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ("nan,0,,,,,", "requests is not a finite number"),
        ("10,inf,,,,,", "errors is not a finite number"),
        ("10,0,-inf,,,,", "latency_avg is not a finite number"),
        ("-1,0,,,,,", "requests is negative (-1)"),
        ("10,-2.5,,,,,", "errors is negative (-2.5)"),
        ("10,0,-3,,,,", "latency_avg is negative (-3)"),
        ("10,0,,,,-6,0", "probes is negative (-6)"),
        ("10,0,,,,6,nan", "probes_failed is not a finite number"),
        ("10,11,,,,,", "more errors (11) than requests (10)"),
        ("10,0,,,,2,3", "more failed probes (3) than probes (2)"),
        ("10,0,,-1,9,,", "a count of response times is negative or not a finite number"),
        ("10,0,,4,nan,,", "a count of response times is negative or not a finite number"),
        ("10,0,,9,4,,", "the counts of response times are not cumulative"),
        ("10,0,,4,11,,", "more response times than requests"),
    ],
)
def test_numbers_that_cannot_be_make_their_bucket_an_error(cells, problem):
    assert row_of(f"60,{cells}").problem == problem


@pytest.mark.parametrize("cells", ["10,10,0,0,10,6,6", "0,0,,0,0,0,0", "0.5,0.25,,,,,", ",,,,,,"])
def test_numbers_at_the_edge_can_be(cells):
    assert row_of(f"60,{cells}").problem is None


@pytest.mark.parametrize(
    ("times", "period"),
    [
        ([0, 10, 20, 30], 10),
        ([0, 10, 20, 300, 310], 10),
        ([0, 60], 60),
        ([0, 60, 120, 130], 60),
        ([0, 10, 20, 80, 140], 10),  # of as many, the finer
        ([0, 0.1, 0.2, 0.3], 0.1),
        ([0], 60),
        ([], 60),
    ],
)
def test_the_period_is_the_most_frequent_step(times, period):
    lines = "\n".join(f"{at},1,0" for at in times)
    assert read(f"{HEAD}\n{lines}").period == period
    assert read(f"{HEAD}\n{lines}", period=30).period == 30


def test_between_two_moments():
    recording = read(f"{HEAD}\n0,1,0\n60,2,0\n120,3,0")
    assert [row.at for row in recording.between(60, 120)] == [60]
    assert recording.end == 180
    assert read(HEAD).end == 0


@pytest.mark.parametrize("columns", [ALL, COUNTS, frozenset({"latency_avg"}), ALL - {"errors"}])
def test_what_is_written_is_read_again(columns):
    recording = recorded(
        Stretch(60, 0.2), Stretch(60, missing=True), Stretch(60, each_second=0), columns=columns
    )
    again = read("\n".join(write(recording)))
    assert again.period == recording.period
    assert again.bounds == recording.bounds
    assert again.columns - {"time"} == recording.columns
    assert len(again.rows) == len(recording.rows)
    for left, right in zip(again.rows, recording.rows, strict=True):
        assert (left.at, left.requests, left.errors) == (right.at, right.requests, right.errors)
        assert (left.probes, left.failed) == (right.probes, right.failed)
        assert left.average == pytest.approx(right.average, abs=1e-6)
        assert left.upto == pytest.approx(right.upto, abs=1e-6)


def test_written_twice_it_is_the_same_text():
    text = f"{LONG}\n1700000000,10,1,120.5,4,9,6,2\n1700000010.5,,,,,,6,\n1700000020,0,0,,0,0,,"
    once = "\n".join(write(read(text)))
    assert once == "\n".join(write(read(once)))
    assert once.splitlines()[1:] == [
        "1700000000,10,1,120.5,6,2,4,9",
        "1700000010.5,,,,6,,,",
        "1700000020,0,0,,,,0,0",
    ]


def test_whole_numbers_keep_their_noughts():
    recording = Recording(60, [Row(1000.0, 1000.0, 0.0)], columns=COUNTS)
    assert list(write(recording)) == [HEAD, "1000,1000,0"]


def test_what_is_not_finite_is_written_and_read_as_such():
    (row,) = read(f"{HEAD}\n60,nan,0").rows
    assert row.requests is not None
    assert math.isnan(row.requests)
    assert "60,nan,0" in list(write(read(f"{HEAD}\n60,nan,0")))
