"""Where datapoints live: one bucket per second and series for three hours, then one per minute.

A bucket keeps count, sum, minimum and maximum exactly, and the single values (thinned to
at most `MAX_VALUES`) for percentiles. A statistic set has no single values, so percentiles
over it exist only where its minimum equals its maximum, as on AWS.

Reads over an hour are made from roll-ups of 10 and 60 seconds, which are kept until one of
their seconds changes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

RETAINED_BUCKETS = 3 * 3600
RETAINED_MINUTES = 15 * 24 * 60
MAX_VALUES = 128
MAX_ROLLED_VALUES = 512
ROLL_UPS = (60, 10)

DimensionKey = tuple[tuple[str, str], ...]
StatisticSet = tuple[float, float, float, float]


@dataclass(slots=True)
class Bucket:
    """What was reported within one stretch of time."""

    count: float = 0.0
    total: float = 0.0
    minimum: float = float("inf")
    maximum: float = float("-inf")
    values: dict[float, float] = field(default_factory=dict)
    opaque: bool = False  # holds a statistic set whose single values are unknown

    def add_value(self, value: float, weight: float = 1.0) -> None:
        """Count one value, `weight` times."""
        self.count += weight
        self.total += value * weight
        self.minimum = min(self.minimum, value)
        self.maximum = max(self.maximum, value)
        self.values[value] = self.values.get(value, 0.0) + weight
        if len(self.values) > MAX_VALUES:
            self.thin(MAX_VALUES)

    def add_statistic_set(self, statistic_set: StatisticSet) -> None:
        """Count an aggregate of which only (count, sum, minimum, maximum) are known."""
        count, total, minimum, maximum = statistic_set
        if count <= 0:
            return
        if minimum == maximum:
            self.values[minimum] = self.values.get(minimum, 0.0) + count
        else:
            self.opaque = True
        self.count += count
        self.total += total
        self.minimum = min(self.minimum, minimum)
        self.maximum = max(self.maximum, maximum)

    def merge(self, other: "Bucket", *, with_values: bool) -> None:
        """Take in another bucket; its single values only where a percentile needs them."""
        self.count += other.count
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        if not with_values:
            return
        self.opaque = self.opaque or other.opaque
        if not self.values:
            self.values = dict(other.values)
        else:
            for value, weight in other.values.items():
                self.values[value] = self.values.get(value, 0.0) + weight

    def thin(self, most: int) -> None:
        """Let neighbouring values share their weighted mean until there are at most so many."""
        while len(self.values) > most:
            pairs = sorted(self.values.items())
            self.values = {}
            for i in range(0, len(pairs), 2):
                near = pairs[i : i + 2]
                weight = sum(each for _, each in near)
                mean = sum(value * each for value, each in near) / weight
                self.values[mean] = self.values.get(mean, 0.0) + weight


class Series:
    """All buckets of one metric, dimensions and unit, by the second they began."""

    def __init__(self) -> None:
        self._buckets: dict[int, Bucket] = {}
        self._rolled: dict[int, dict[int, Bucket]] = {width: {} for width in ROLL_UPS}
        self._most = RETAINED_BUCKETS + RETAINED_BUCKETS // 10

    def bucket_to_change(self, second: int) -> Bucket:
        """The bucket for this second, made if it is new; roll-ups with it are forgotten."""
        for width, rolled in self._rolled.items():
            rolled.pop(second // width * width, None)
        bucket = self._buckets.get(second)
        if bucket is None:
            bucket = self._buckets[second] = Bucket()
            if len(self._buckets) > self._most:
                self._age()
                bucket = self._buckets.setdefault(second, bucket)
        return bucket

    def between(self, start: float, end: float, width: int = 1) -> Iterator[tuple[int, Bucket]]:
        """The buckets from `start` to before `end`, in no order, and when each begins.

        They are `width` seconds long (1 or one of `ROLL_UPS`, which must divide `start`) but
        for those at the end that do not fill that width.
        """
        first, last = -int(-start // 1), -int(-end // 1)
        if last - first > len(self._buckets) * width:
            yield from ((s, b) for s, b in self._buckets.items() if first <= s < last)
            return
        whole = first + max(0, last - first) // width * width
        if width > 1:
            for begin in range(first, whole, width):
                rolled = self._roll_up(begin, width)
                if rolled.count:
                    yield begin, rolled
            first = whole
        yield from ((s, b) for s in range(first, last) if (b := self._buckets.get(s)) is not None)

    def _roll_up(self, begin: int, width: int) -> Bucket:
        known = self._rolled[width].get(begin)
        if known is None:
            known = self._rolled[width][begin] = Bucket()
            for _, bucket in self.between(begin, begin + width):
                known.merge(bucket, with_values=True)
            known.thin(MAX_ROLLED_VALUES)
        return known

    def _age(self) -> None:
        """Put what is older into minutes, as CloudWatch does, and forget the oldest of them."""
        for second in sorted(self._buckets)[:-RETAINED_BUCKETS]:
            minute = second // 60 * 60
            if minute != second:
                old = self._buckets.pop(second)
                into = self._buckets.setdefault(minute, Bucket())
                into.merge(old, with_values=True)
                into.thin(MAX_VALUES)
        for second in sorted(self._buckets)[: -RETAINED_BUCKETS - RETAINED_MINUTES]:
            del self._buckets[second]
        for rolled in self._rolled.values():
            rolled.clear()
        self._most = len(self._buckets) + RETAINED_BUCKETS // 10


@dataclass(frozen=True, slots=True)
class MetricKey:
    """A metric as CloudWatch identifies it: a different set of dimensions is another metric."""

    namespace: str
    name: str
    dimensions: DimensionKey

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> "MetricKey":
        """The key of a metric, whatever order its dimensions were given in."""
        return cls(namespace, name, tuple(sorted(dimensions.items())))


class MetricStore:
    """Every series of one account and region."""

    def __init__(self) -> None:
        self._series: dict[MetricKey, dict[str, Series]] = {}

    def put(
        self,
        key: MetricKey,
        unit: str,
        timestamp: float,
        *,
        values: Iterable[tuple[float, float]] = (),
        statistic_set: StatisticSet | None = None,
    ) -> None:
        """Add weighted values, or a statistic set, at a time (seconds since the epoch)."""
        series = self._series.setdefault(key, {}).setdefault(unit, Series())
        bucket = series.bucket_to_change(int(timestamp // 1))
        for value, weight in values:
            bucket.add_value(value, weight)
        if statistic_set is not None:
            bucket.add_statistic_set(statistic_set)

    def series(self, key: MetricKey, unit: str | None = None) -> Sequence[Series]:
        """The series of a metric: of one unit, or of all its units."""
        by_unit = self._series.get(key, {})
        if unit is None:
            return list(by_unit.values())
        return [by_unit[unit]] if unit in by_unit else []

    def units(self, key: MetricKey) -> Sequence[str]:
        """The units in which this metric was ever reported."""
        return list(self._series.get(key, {}))

    def metrics(self) -> Sequence[MetricKey]:
        """Every metric ever reported, oldest first."""
        return list(self._series)
