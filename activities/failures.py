"""The one place that turns the errors of AWS, HTTP and SMTP into Temporal's.

An activity wraps its call::

    with aws_call("ecs:UpdateService"):
        answer = client.update_service(...)

and raises nothing but ``ApplicationError``. Its ``type`` is AWS's own error code where AWS
answered; else a code of ``lastgood.errors`` or of this module. Refusals that will not change by
asking again (access denied, not found, invalid, unsupported) are not retried. Whatever else a
call raises means that its outcome is unknown, and is retried: who changes something reads first.

No message holds a URL, a header or a body that we sent, and no cause is attached: a cause would
be written into the history with its own text, which may hold a webhook's address.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
from botocore import exceptions as aws
from temporalio.exceptions import ApplicationError, FailureError

from lastgood.decisions.plain import one_line
from lastgood.errors import OUTCOME_UNKNOWN

UNSUPPORTED = "UnsupportedOperation"
"""The endpoint has no such operation: an emulator, say, that cannot do it."""

MISCONFIGURED = "Misconfigured"
"""boto3's own configuration, or the call's parameters, cannot be used; nothing was sent."""

NO_CREDENTIALS = "NoCredentials"
"""boto3 found no credentials, or could not refresh them; nothing was sent."""

RECEIVER_REFUSED = "ReceiverRefused"
"""A webhook or mail server refused for good: wrong address, revoked, not allowed."""

RECEIVER_BUSY = "ReceiverBusy"
"""A webhook or mail server could not take it now."""

_TRY_AGAIN = re.compile(
    r"Throttl|TooManyRequests|RequestLimitExceeded|SlowDown|BandwidthLimit|Expired"
    r"|Server(Exception|Error)|Internal|Unavailable|TimeTooSkewed|RequestTimeout|InProgress"
)
_FINAL = re.compile(
    r"AccessDenied|Unauthorized|NotAuthorized|AuthorizationError|AuthFailure|Forbidden|OptIn"
    r"|UnrecognizedClient|InvalidClientTokenId|SignatureDoesNotMatch|NotFound|NoSuch|NotActive"
    r"|^Invalid|^Missing|^Malformed|Validation|Unsupported|NotSupported|^ClientException$"
    r"|^BadRequest|^ParameterValue|^MessageRejected$|NotVerified|Suspended|SendingPaused"
    r"|EndpointDisabled|^Blocked|^Platform"
)
_UNKNOWN_OPERATION = re.compile(r"NotImplemented|UnknownOperation|InvalidAction|^501$")
_NOT_IMPLEMENTED = re.compile(r"not (yet )?(been )?implemented|not yet supported", re.IGNORECASE)
_EMULATOR_CRASHED = "The server encountered an internal error and was unable to complete"
"""Werkzeug's page: what moto's server says instead of "not implemented"."""

_NOTHING_SENT = (
    aws.ParamValidationError,
    aws.NoRegionError,
    aws.ProfileNotFound,
    aws.ConfigParseError,
    aws.ConfigNotFound,
    aws.UnknownServiceError,
    aws.InvalidRegionError,
    aws.InvalidEndpointConfigurationError,
    aws.UnknownRegionError,
)
_CREDENTIALS = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.SSOError,
    aws.LoginError,
)


@contextmanager
def aws_call(action: str) -> Iterator[None]:
    """Around one call of boto3; ``action`` in AWS's words: ``ecs:UpdateService``.

    Raises:
        ApplicationError: for whatever the call raised, except Temporal's own errors.
    """
    try:
        yield
    except FailureError:
        raise
    except Exception as error:  # noqa: BLE001 - corrupt answers surface as anything
        raise aws_failure(action, error) from None


def aws_failure(action: str, error: Exception) -> ApplicationError:
    """The failure that says what ``error`` means for the call ``action``."""
    if isinstance(error, aws.ClientError):
        return _answered(action, error)
    if isinstance(error, _CREDENTIALS):
        return _failure(action, NO_CREDENTIALS, _safe(error))
    if isinstance(error, _NOTHING_SENT):
        return _failure(action, MISCONFIGURED, _safe(error), final=True)
    if _EMULATOR_CRASHED in str(error):
        return _unsupported(action)
    told = isinstance(error, aws.HTTPClientError | aws.ConnectionError)
    text = _safe(error) if told else type(error).__name__
    return _failure(action, OUTCOME_UNKNOWN, f"no usable answer ({text})")


def _answered(action: str, error: aws.ClientError) -> ApplicationError:
    answer = error.response
    code = str(answer.get("Error", {}).get("Code") or "Unknown")
    text = str(answer.get("Error", {}).get("Message") or "")
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    missing = _UNKNOWN_OPERATION.search(code) or status == 501 or _EMULATOR_CRASHED in text
    if missing or (str(status).startswith("5") and _NOT_IMPLEMENTED.search(text)):
        return _unsupported(action)
    if code == "404":
        return _unsupported(action)
    if code.isdecimal() or text.lstrip().startswith("<"):
        text = f"HTTP {status} instead of an answer of AWS's"
        return _failure(action, OUTCOME_UNKNOWN, text, final=status in (401, 403))
    again = _TRY_AGAIN.search(code) or "Too many concurrent attempts" in text
    final = bool(_FINAL.search(code)) and not again
    return _failure(action, code, f"{code}: {text}" if text else code, final=final)


def _unsupported(action: str) -> ApplicationError:
    text = "this endpoint cannot do it (not implemented); nothing is known of what it did"
    return _failure(action, UNSUPPORTED, text, final=True)


@contextmanager
def http_call(action: str) -> Iterator[None]:
    """Around one HTTP request to a receiver of ours; ``action`` must not be its URL.

    Raises:
        ApplicationError: for whatever the request raised, without the request's address.
    """
    try:
        yield
    except FailureError:
        raise
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
        text = "the address is no http or https URL"
        raise _failure(action, MISCONFIGURED, text, final=True) from None
    except (TimeoutError, httpx.TimeoutException):
        raise _failure(action, OUTCOME_UNKNOWN, "no answer in time") from None
    except Exception as error:  # noqa: BLE001 - all of them mean: perhaps it arrived
        text = f"no usable answer ({type(error).__name__})"
        raise _failure(action, OUTCOME_UNKNOWN, text) from None


def http_refusal(
    action: str, status: int, why: str = "", retry_after: timedelta | None = None
) -> ApplicationError:
    """The failure for an HTTP answer other than 2xx.

    408, 425, 429 and 5xx are tried again, after ``retry_after`` if given; all others are final.
    """
    text = f"answered {status}" + (f" ({one_line(why, 80)})" if why else "")
    if status in (408, 425, 429) or status >= 500:
        return _failure(action, RECEIVER_BUSY, text, retry_after=retry_after)
    return _failure(action, RECEIVER_REFUSED, text, final=True)


def http_refusal_in_words(action: str, why: str, *, final: bool) -> ApplicationError:
    """The failure for a receiver that answers 200 and says in the body that it refuses."""
    text = f"refused: {one_line(why, 80)}"
    return _failure(action, RECEIVER_REFUSED if final else RECEIVER_BUSY, text, final=final)


@contextmanager
def smtp_call(action: str) -> Iterator[None]:
    """Around a conversation with a mail server.

    Raises:
        ApplicationError: for whatever it raised; replies of 5xx and a missing STARTTLS are final.
    """
    try:
        yield
    except FailureError:
        raise
    except Exception as error:  # noqa: BLE001 - all of them mean: perhaps it was sent
        raise _smtp_failure(action, error) from None


def _smtp_failure(action: str, error: Exception) -> ApplicationError:
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return _failure(action, UNSUPPORTED, "the server does not offer what is needed", final=True)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        text = f"the server refused user name and password ({error.smtp_code})"
        return _failure(action, RECEIVER_REFUSED, text, final=error.smtp_code >= 500)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = sorted({code for code, _ in error.recipients.values()})
        text = f"the server refused all recipients ({', '.join(map(str, codes))})"
        return _refused_or_busy(action, min(codes, default=0), text)
    if isinstance(error, smtplib.SMTPResponseException):
        text = f"the server answered {error.smtp_code}"
        return _refused_or_busy(action, error.smtp_code, text)
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"the server's certificate cannot be trusted: {one_line(error.verify_message, 120)}"
        return _failure(action, RECEIVER_BUSY, text)
    return _failure(action, OUTCOME_UNKNOWN, f"no usable answer ({type(error).__name__})")


def _refused_or_busy(action: str, code: int, text: str) -> ApplicationError:
    final = code >= 500
    return _failure(action, RECEIVER_REFUSED if final else RECEIVER_BUSY, text, final=final)


def _safe(error: Exception) -> str:
    """The error's text without what a URL may hide: user info and query."""
    text = re.sub(r"//[^/@\s]*@", "//", str(error))
    return one_line(re.sub(r"\?[^\s\"']*", "", text), 300)


def _failure(
    action: str,
    kind: str,
    text: str,
    *,
    final: bool = False,
    retry_after: timedelta | None = None,
) -> ApplicationError:
    return ApplicationError(
        one_line(f"{action}: {text}"),
        type=kind,
        non_retryable=final,
        next_retry_delay=retry_after,
    )
