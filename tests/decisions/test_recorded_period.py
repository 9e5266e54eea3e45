"""A recording of metrics as a CSV file."""

from lastgood.decisions.recording import read


def test_gaps_do_not_make_the_period_longer() -> None:
    """Most lines are lost: the steps between those that are left are long, but for a few."""
    times = [0, 60, 240, 480, 720, 780, 1020, 1260, 1500]
    assert read("time,requests,errors\n" + "".join(f"{at},9,0\n" for at in times)).period == 60
