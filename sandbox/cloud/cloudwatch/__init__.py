"""CloudWatch for the sandbox: a fast metric store, metric math and alarms, inside moto."""

from sandbox.cloud.cloudwatch.engine import MetricEngine

__all__ = ["MetricEngine"]
