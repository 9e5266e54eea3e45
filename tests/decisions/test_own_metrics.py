"""Which of an application's metrics are used: only where nothing is in doubt."""

from typing import Any

import pytest

from lastgood.decisions.own_metrics import OwnMetric, chosen, names_of


def metric(name: str, unit: str = "None", highest: float | None = 0.5, **more: Any) -> OwnMetric:
    keys = {"namespace": "Shop", "dimensions": {"Service": "web", "Cluster": "shop"}, **more}
    return OwnMetric(name=name, units=(unit,), highest=highest, **keys)


@pytest.mark.parametrize(
    ("one", "kind", "unit"),
    [
        (metric("ErrorRate", "Percent"), "rate", "percent"),
        (metric("error_rate", highest=3.0), "rate", "percent"),
        (metric("ErrorRatio"), "rate", "ratio"),
        (metric("ResponseTime", "Milliseconds"), "time", "ms"),
        (metric("Latency", "Seconds"), "time", "s"),
        (metric("latency_ms"), "time", "ms"),
        (metric("RequestCount", "Count", 900.0), "requests", None),
        (metric("Http5xx", "Count", 9.0), "errors", None),
    ],
)
def test_plain_ones_are_used(one: OwnMetric, kind: Any, unit: str | None) -> None:
    used = chosen([one], namesakes=[]).used
    assert list(used) == [kind]
    assert (used[kind].unit, used[kind].name) == (unit, one.name)
    assert used[kind].statistic == ("Average" if unit else "Sum")


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (metric("ErrorRate"), "ratio or a percentage"),
        (metric("Latency"), "unit is not known"),
        (metric("Latency", "Microseconds"), "unit is not known"),
        (metric("Errors", "Count"), "its name does not say what is good"),
        (metric("QueueDepth", "Count"), "its name does not say what is good"),
        (metric("ErrorRate", "Percent", None), "no datapoint of the last two weeks"),
        (
            metric("ErrorRate", "Percent", dimensions={"Service": "web", "Path": "/"}),
            "it is split up by Path",
        ),
        (metric("ErrorRate", "Percent", dimensions={"Service": "web"}), "it may be that of b"),
    ],
)
def test_whatever_leaves_a_doubt_is_mentioned(one: OwnMetric, why: str) -> None:
    found = chosen([one], namesakes=["b"])
    assert found.used == {}
    [(same, said)] = found.others
    assert same == one
    assert why in said


def test_two_units_are_a_doubt() -> None:
    one = OwnMetric(
        namespace="Shop",
        name="Latency",
        dimensions={"Service": "web", "Cluster": "shop"},
        units=("Milliseconds", "Seconds"),
        highest=3.0,
    )
    assert chosen([one], namesakes=[]).used == {}


def test_of_two_like_it_none_is_used() -> None:
    two = [metric("ErrorRate", "Percent"), metric("ErrorRate", "Percent", namespace="Old")]
    found = chosen(two, namesakes=[])
    assert found.used == {}
    assert [why for _, why in found.others] == ["there are several like it"] * 2


def test_the_whole_is_used_beside_its_parts() -> None:
    part = {"Service": "web", "Cluster": "shop", "Path": "/cart"}
    whole = metric("ErrorRate", "Percent")
    found = chosen([metric("ErrorRate", "Percent", dimensions=part), whole], namesakes=[])
    assert found.used["rate"].dimensions == whole.dimensions


def test_unknown_namesakes_are_a_doubt_only_without_a_cluster() -> None:
    alone = metric("ErrorRate", "Percent", dimensions={"Service": "web"})
    assert chosen([alone], namesakes=[]).used
    assert not chosen([alone], namesakes=None).used
    assert chosen([metric("ErrorRate", "Percent")], namesakes=None).used


@pytest.mark.parametrize(
    ("dimensions", "named"),
    [
        ({"Service": "web"}, True),
        ({"service.name": "web", "ClusterName": "shop"}, True),
        ({"Service": "web", "ClusterName": "other"}, False),
        ({"Service": "api"}, False),
        ({"Host": "web"}, False),
    ],
)
def test_dimensions_that_name_the_service(dimensions: dict[str, str], named: bool) -> None:
    one = OwnMetric(namespace="Shop", name="X", dimensions=dimensions)
    assert names_of(one, "shop", "web") is named
