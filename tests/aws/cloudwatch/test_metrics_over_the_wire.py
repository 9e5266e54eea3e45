"""Metrics as plain boto3 sees them."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

DIMENSIONS = [{"Name": "Service", "Value": "web"}]


def at(second):
    return datetime.fromtimestamp(second, UTC)


def stat(namespace, name, statistic, *, period=1, query_id="m", **extra):
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": DIMENSIONS}
    metric_stat = {"Metric": metric, "Period": period, "Stat": statistic, **extra}
    return {"Id": query_id, "MetricStat": metric_stat}


def read(cloudwatch, queries, start, end, **extra):
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=queries, StartTime=at(start), EndTime=at(end), **extra
    )
    return {
        r["Id"]: [(t.timestamp(), v) for t, v in zip(r["Timestamps"], r["Values"], strict=True)]
        for r in answer["MetricDataResults"]
    }, answer


@pytest.fixture
def start():
    """A whole minute, a little while ago."""
    return time.time() // 60 * 60 - 600


def test_values_and_engine_puts_land_in_one_store(cloudwatch, engine, namespace, start):
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": "Latency",
                "Dimensions": DIMENSIONS,
                "Timestamp": at(start + 1),
                "Values": [1.0, 2.0],
                "Counts": [3.0, 1.0],
                "Unit": "Seconds",
                "StorageResolution": 1,
            },
            {
                "MetricName": "Latency",
                "Dimensions": DIMENSIONS,
                "Timestamp": at(start + 1),
                "StatisticValues": {"SampleCount": 2, "Sum": 3.0, "Minimum": 0.5, "Maximum": 2.5},
                "Unit": "Seconds",
                "StorageResolution": 1,
            },
        ],
    )
    engine.put(namespace, "Latency", {"Service": "web"}, "Seconds", start + 3, values=[9.0])
    queries = [
        stat(namespace, "Latency", name, query_id=name.lower())
        for name in ("SampleCount", "Sum", "Average", "Minimum", "Maximum")
    ]
    results, _ = read(cloudwatch, queries, start, start + 10, ScanBy="TimestampAscending")
    assert results == {
        "samplecount": [(start + 1, 6.0), (start + 3, 1.0)],
        "sum": [(start + 1, 8.0), (start + 3, 9.0)],
        "average": [(start + 1, 8 / 6), (start + 3, 9.0)],
        "minimum": [(start + 1, 0.5), (start + 3, 9.0)],
        "maximum": [(start + 1, 2.5), (start + 3, 9.0)],
    }


def test_without_high_resolution_data_are_kept_by_the_minute(cloudwatch, namespace, start):
    datum = {"MetricName": "Errors", "Dimensions": DIMENSIONS, "Timestamp": at(start + 42)}
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{**datum, "Value": 5}])
    results, _ = read(cloudwatch, [stat(namespace, "Errors", "Sum")], start, start + 60)
    assert results == {"m": [(start, 5.0)]}


@pytest.mark.parametrize(
    "bad",
    [
        {"Value": float("nan")},
        {"Value": float("inf")},
        {"Values": [1.0, float("nan")]},
        {"Values": [1.0], "Counts": [1.0, 2.0]},
    ],
)
def test_nan_and_uneven_counts_are_refused(cloudwatch, namespace, bad):
    with pytest.raises(ClientError) as refused:
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "E", **bad}])
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValue"
    assert cloudwatch.list_metrics(Namespace=namespace)["Metrics"] == []


def test_start_is_inclusive_end_exclusive_and_gaps_absent(cloudwatch, engine, namespace, start):
    for second in (0, 10, 30, 40):
        engine.put(namespace, "Hits", {"Service": "web"}, "Count", start + second, values=[1.0])
    query = stat(namespace, "Hits", "Sum", period=10)
    results, answer = read(cloudwatch, [query], start + 3, start + 40)
    assert results == {"m": [(start + 30, 1.0), (start + 10, 1.0), (start, 1.0)]}
    assert answer["MetricDataResults"][0]["StatusCode"] == "Complete"


def test_unit_and_dimensions_must_match(cloudwatch, engine, namespace, start):
    engine.put(namespace, "Size", {"Service": "web"}, "Bytes", start, values=[7.0])
    right = stat(namespace, "Size", "Sum", query_id="right", Unit="Bytes")
    wrong = stat(namespace, "Size", "Sum", query_id="wrong", Unit="Seconds")
    bare = stat(namespace, "Size", "Sum", query_id="bare")
    bare["MetricStat"]["Metric"] = {"Namespace": namespace, "MetricName": "Size"}
    results, _ = read(cloudwatch, [right, wrong, bare], start, start + 5)
    assert results == {"right": [(start, 7.0)], "wrong": [], "bare": []}


def test_percentiles_need_single_values(cloudwatch, engine, namespace, start):
    values = [float(n) for n in range(1, 101)]
    engine.put(namespace, "T", {"Service": "web"}, "Seconds", start, values=values)
    engine.put(
        namespace, "T", {"Service": "web"}, "Seconds", start + 1, statistic_set=(5, 10, 1, 3)
    )
    engine.put(namespace, "T", {"Service": "web"}, "Seconds", start + 1, values=[2.0])
    queries = [stat(namespace, "T", p, query_id=p) for p in ("p50", "p99", "p100")]
    results, _ = read(cloudwatch, queries, start, start + 5)
    assert results["p50"] == [(start, pytest.approx(50.5))]
    assert results["p99"] == [(start, pytest.approx(99.01))]
    assert results["p100"] == [(start, 100.0)]


@pytest.mark.parametrize(
    ("statistic", "value"),
    [
        ("TC(0.2:)", 3.0),  # the lower bound does not belong to it
        ("TC(:0.2)", 2.0),  # the upper one does
        ("TC(0.1:1)", 3.0),
        ("TC(9:)", 0.0),
        ("PR(0.2:)", 60.0),
        ("PR(:0.2)", 40.0),
        ("PR(0.2:1)", 40.0),
    ],
)
@pytest.mark.parametrize("period", [1, 60])
def test_values_within_bounds_are_counted(
    cloudwatch, engine, namespace, start, statistic, value, period
):
    times = [0.1, 0.2, 0.5, 1.0, 3.0]
    engine.put(namespace, "T", {"Service": "web"}, "Seconds", start, values=times)
    query = stat(namespace, "T", statistic, period=period)
    assert read(cloudwatch, [query], start, start + 120)[0]["m"] == [(start, value)]


def test_a_statistic_set_has_no_values_to_count(cloudwatch, engine, namespace, start):
    engine.put(namespace, "T", {"Service": "web"}, "Seconds", start, statistic_set=(5, 10, 1, 3))
    query = stat(namespace, "T", "TC(2:)")
    assert read(cloudwatch, [query], start, start + 5)[0]["m"] == []


@pytest.mark.parametrize("wrong", ["TC(:)", "TC(2:1)", "TC(1)", "PR(a:)", "TC(-1:2)", "tc(1:2)"])
def test_bounds_that_bound_nothing_are_refused(cloudwatch, namespace, start, wrong):
    with pytest.raises(ClientError, match="is not supported"):
        read(cloudwatch, [stat(namespace, "T", wrong)], start, start + 5)


def test_expressions_see_hidden_queries(cloudwatch, engine, namespace, start):
    engine.put(namespace, "Requests", {"Service": "web"}, "Count", start, values=[1.0] * 10)
    engine.put(namespace, "Requests", {"Service": "web"}, "Count", start + 1, values=[1.0] * 20)
    engine.put(namespace, "Errors", {"Service": "web"}, "Count", start + 1, values=[1.0] * 5)
    queries = [
        {"Id": "rate", "Expression": "100 * FILL(errors, 0) / requests", "Label": "rate"},
        stat(namespace, "Requests", "Sum", query_id="requests") | {"ReturnData": False},
        stat(namespace, "Errors", "Sum", query_id="errors") | {"ReturnData": False},
    ]
    results, _ = read(cloudwatch, queries, start, start + 3)
    assert results == {"rate": [(start + 1, 25.0), (start, 0.0)]}


def test_pages_hold_every_point_once(cloudwatch, engine, namespace, start):
    for second in range(7):
        for name in ("A", "B"):
            engine.put(namespace, name, {"Service": "web"}, "None", start + second, values=[1.0])
    queries = [stat(namespace, n, "Sum", query_id=n.lower()) for n in ("A", "B")]
    seen, token, codes = [], None, []
    while True:
        more = {"NextToken": token} if token else {}
        results, answer = read(cloudwatch, queries, start, start + 60, MaxDatapoints=5, **more)
        page = [(i, t) for i, points in results.items() for t, _ in points]
        assert len(page) <= 5
        seen += page
        codes.append([(r["Id"], r["StatusCode"]) for r in answer["MetricDataResults"]])
        token = answer.get("NextToken")
        if not token:
            break
    assert len(seen) == len(set(seen)) == 14
    assert codes == [
        [("a", "PartialData")],
        [("a", "Complete"), ("b", "PartialData")],
        [("b", "Complete")],
    ]


def test_publish_delay_hides_fresh_points(cloudwatch, engine, namespace):
    now = time.time()
    engine.publish_delay = 120.0
    engine.put(namespace, "Hits", {"Service": "web"}, "Count", now - 600, values=[1.0])
    engine.put(namespace, "Hits", {"Service": "web"}, "Count", now, values=[1.0])
    query = stat(namespace, "Hits", "Sum")
    assert len(read(cloudwatch, [query], now - 900, now + 60)[0]["m"]) == 1
    engine.publish_delay = 0.0
    assert len(read(cloudwatch, [query], now - 900, now + 60)[0]["m"]) == 2


def test_statistics_and_listing_see_the_same_data(cloudwatch, engine, namespace, start):
    values = [1.0, 2.0, 6.0]
    engine.put(namespace, "T", {"Service": "web"}, "Seconds", start + 1, values=values)
    engine.put(namespace, "Other", {}, "None", start, values=[1.0])
    answer = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName="T",
        Dimensions=DIMENSIONS,
        StartTime=at(start),
        EndTime=at(start) + timedelta(seconds=60),
        Period=10,
        Statistics=["Sum", "Average"],
        ExtendedStatistics=["p50"],
    )
    (datapoint,) = answer["Datapoints"]
    assert datapoint.pop("Timestamp").timestamp() == start
    expected = {"Sum": 9.0, "Average": 3.0, "Unit": "Seconds", "ExtendedStatistics": {"p50": 2.0}}
    assert datapoint == expected
    everything = cloudwatch.list_metrics(Namespace=namespace)["Metrics"]
    assert sorted(m["MetricName"] for m in everything) == ["Other", "T"]
    filtered = cloudwatch.list_metrics(Namespace=namespace, Dimensions=[{"Name": "Service"}])
    assert [m["Dimensions"] for m in filtered["Metrics"]] == [DIMENSIONS]
