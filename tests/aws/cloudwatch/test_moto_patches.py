"""moto's insides are as `moto_patches.py` needs them: if this fails, moto has changed."""

import inspect
from importlib.metadata import version

import pytest
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.sns.models import SNSBackend

from sandbox.cloud.cloudwatch import MetricEngine, moto_patches
from sandbox.cloud.cloudwatch.alarm_api import AlarmApi
from sandbox.cloud.cloudwatch.metric_api import MetricApi

IN_MOTO = set(moto_patches.ACTIONS) - {"put_composite_alarm", "describe_alarm_history"}


def test_moto_is_the_version_that_was_read():
    assert version("moto") == "5.2.5", "read moto's CloudWatch again, then change this number"


def test_moto_parses_requests_into_params_and_answers_by_method_name():
    response = CloudWatchResponse()
    assert response.automated_parameter_parsing is True
    assert "self.params = " in inspect.getsource(BaseResponse.parse_parameters)
    called = inspect.getsource(BaseResponse.call_action)
    assert "camelcase_to_underscores(self._get_action())" in called
    assert "except ServiceException" in called


def test_errors_and_results_have_the_shapes_moto_serialises():
    error = moto_patches.CloudWatchException("SomeCode", "some message")
    assert isinstance(error, ServiceException)
    assert (error.code, error.message) == ("SomeCode", "some message")
    assert ActionResult({"a": 1}).result == {"a": 1}


@pytest.mark.parametrize("action", moto_patches.ACTIONS)
def test_every_action_is_answered_by_the_engine(action, engine):
    assert callable(getattr(MetricApi, action, None) or getattr(AlarmApi, action, None))
    assert getattr(CloudWatchResponse, action).answers_by_engine
    assert inspect.isfunction(getattr(CloudWatchResponse, action))


def test_topics_are_where_we_look():
    assert {"message", "arn", "subject"} <= set(inspect.signature(SNSBackend.publish).parameters)


def test_installing_again_replaces_the_engine_and_wraps_once():
    MetricEngine.install("123456789012", "eu-west-1")
    first = CloudWatchResponse.put_metric_data
    MetricEngine.install("123456789012", "eu-west-1")
    assert CloudWatchResponse.put_metric_data is first


def test_other_regions_stay_with_moto(engine, client, namespace):
    cloudwatch = client("cloudwatch", region="us-west-2")
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "E", "Value": 1}])
    assert len(cloudwatch.list_metrics(Namespace=namespace)["Metrics"]) == 1
    assert client("cloudwatch").list_metrics(Namespace=namespace)["Metrics"] == []
