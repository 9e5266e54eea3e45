"""The one error of this package: what CloudWatch answers instead of a result."""


class CloudWatchError(Exception):
    """A refusal with AWS's own error code, such as `InvalidParameterValue`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid_value(message: str) -> CloudWatchError:
    """A parameter has a value that CloudWatch does not take."""
    return CloudWatchError("InvalidParameterValue", message)


def invalid_combination(message: str) -> CloudWatchError:
    """Parameters that are each fine do not go together."""
    return CloudWatchError("InvalidParameterCombination", message)


def validation_error(message: str) -> CloudWatchError:
    """The request as a whole is malformed (a wrong expression, a missing part)."""
    return CloudWatchError("ValidationError", message)


def not_found(message: str) -> CloudWatchError:
    """The named alarm does not exist."""
    return CloudWatchError("ResourceNotFound", message)
