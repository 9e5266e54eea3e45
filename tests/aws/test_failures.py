"""What each error of an outside call becomes, and whether it is tried again."""

import traceback
from collections.abc import Iterator
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore import exceptions as aws
from botocore.config import Config
from moto.server import DomainDispatcherApplication, create_backend_app
from temporalio.exceptions import ApplicationError, CancelledError
from werkzeug.serving import make_server

from activities.failures import aws_call, http_call, http_refusal, smtp_call

MARKER = "hush-T0KEN-42"


def refusal(code: str, message: str = "because", status: int = 400) -> aws.ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return aws.ClientError(answer, "Operation")


def mapped(error: Exception) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught, aws_call("ecs:UpdateService"):
        raise error
    assert caught.value.message.startswith("ecs:UpdateService: ")
    return caught.value


@pytest.mark.parametrize(
    "code",
    [
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "AuthorizationError",
        "NotAuthorized",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "ClientException",
        "InvalidParameterException",
        "InvalidParameterValue",
        "MissingParameter",
        "ValidationError",
        "ValidationException",
        "ClusterNotFoundException",
        "ServiceNotFoundException",
        "ServiceNotActiveException",
        "TargetGroupNotFound",
        "LoadBalancerNotFound",
        "ResourceNotFoundException",
        "ResourceNotFound",
        "NotFound",
        "UnsupportedFeatureException",
        "PlatformUnknownException",
        "MessageRejected",
        "MailFromDomainNotVerifiedException",
        "BadRequestException",
    ],
)
def test_refusals_that_stay_are_final(code: str) -> None:
    failure = mapped(refusal(code))
    assert failure.type == code
    assert failure.non_retryable
    assert failure.message == f"ecs:UpdateService: {code}: because"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("Throttling", 400),
        ("ThrottlingException", 400),
        ("ThrottledException", 400),
        ("TooManyRequestsException", 429),
        ("RequestLimitExceeded", 503),
        ("SlowDown", 503),
        ("ServerException", 500),
        ("InternalFailure", 500),
        ("InternalServiceError", 500),
        ("InternalServiceFault", 500),
        ("ServiceUnavailable", 503),
        ("ServiceUnavailableException", 503),
        ("ExpiredToken", 403),
        ("ExpiredTokenException", 403),
        ("RequestExpired", 400),
        ("RequestTimeTooSkewed", 403),
        ("UpdateInProgressException", 400),
        ("LimitExceededException", 400),
        ("SomethingNewException", 400),
    ],
)
def test_refusals_that_may_pass_are_retried(code: str, status: int) -> None:
    failure = mapped(refusal(code, status=status))
    assert failure.type == code
    assert not failure.non_retryable


def test_two_registrations_at_once_are_tried_again() -> None:
    text = "Too many concurrent attempts to create a new revision of the specified family."
    assert not mapped(refusal("ClientException", text)).non_retryable


@pytest.mark.parametrize(
    "error",
    [
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "corrupt"),
        KeyError("answer"),
        aws.ReadTimeoutError(endpoint_url="http://127.0.0.1:1"),
        aws.ConnectionClosedError(endpoint_url="http://127.0.0.1:1"),
        aws.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        aws.IncompleteReadError(actual_bytes=1, expected_bytes=2),
        TimeoutError(),
        refusal("502", "<html>Bad Gateway</html>", 502),
        refusal("503", "", 503),
    ],
    ids=repr,
)
def test_any_other_error_means_an_unknown_outcome(error: Exception) -> None:
    failure = mapped(error)
    assert failure.type == "OutcomeUnknown"
    assert not failure.non_retryable
    assert "<html>" not in failure.message


def test_what_was_never_sent() -> None:
    missing = mapped(aws.NoCredentialsError())
    assert missing.type == "NoCredentials"
    assert not missing.non_retryable
    for error in (aws.NoRegionError(), aws.ParamValidationError(report="no such parameter")):
        failure = mapped(error)
        assert failure.type == "Misconfigured"
        assert failure.non_retryable


def test_temporals_own_errors_pass() -> None:
    for error in (CancelledError(), ApplicationError("mine", type="Mine")):
        for around in (aws_call, http_call, smtp_call):
            with pytest.raises(type(error)) as caught, around("anything"):
                raise error
            assert caught.value is error


def test_no_cause_tells_more_than_the_message() -> None:
    for around in (aws_call, http_call, smtp_call):
        with pytest.raises(ApplicationError) as caught, around("anything"):
            raise ValueError(f"https://hooks.test/{MARKER}")
        assert MARKER not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


def test_messages_are_one_short_line_without_credentials() -> None:
    long = mapped(refusal("ServerException", "x\x1b[31m\r\n" * 5000, 500)).message
    assert len(long) <= 500
    assert long.isprintable()
    endpoint = f"http://user:{MARKER}@host.test/?token={MARKER}"
    assert MARKER not in mapped(aws.ConnectTimeoutError(endpoint_url=endpoint)).message


def test_refusals_of_receivers() -> None:
    assert http_refusal("slack", 404).non_retryable
    assert not http_refusal("slack", 503).non_retryable
    assert http_refusal("slack", 404, "no_team\x1b[31m").message == "slack: answered 404 (no_team)"


# --- An endpoint that cannot do it -------------------------------------------------------------


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("ecs", "list_service_deployments", {"service": "web", "cluster": "shop"}),
        ("cloudwatch", "describe_anomaly_detectors", {}),
        ("elbv2", "get_trust_store_ca_certificates_bundle", {"TrustStoreArn": "arn"}),
    ],
)
def test_what_moto_cannot_do_is_said_and_final(
    moto: str, service: str, operation: str, arguments: dict[str, str]
) -> None:
    client: Any = boto3.client(
        service,  # type: ignore[call-overload]
        region_name="eu-west-1",
        endpoint_url=moto,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(ApplicationError, match="endpoint cannot do it") as caught, aws_call("a:B"):
        getattr(client, operation)(**arguments)
    client.close()
    assert caught.value.type == "UnsupportedOperation"
    assert caught.value.non_retryable


@pytest.mark.parametrize(
    ("code", "status", "text"),
    [
        ("NotImplemented", 500, ""),
        ("UnknownOperationException", 400, ""),
        ("InvalidAction", 400, ""),
        ("InternalFailure", 501, "API action 'X' for service 'ecs' not yet implemented"),
        ("404", 404, "<html>not here"),
    ],
)
def test_other_ways_to_say_so(code: str, status: int, text: str) -> None:
    failure = mapped(refusal(code, text, status))
    assert failure.type == "UnsupportedOperation"
    assert failure.non_retryable
