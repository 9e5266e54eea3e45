"""What AWS answers when it refuses."""


class AwsError(Exception):
    """An AWS error: its code and message go to the caller in the service's own wire format."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def cluster_not_found() -> AwsError:
    """ECS does not know the cluster."""
    return AwsError("ClusterNotFoundException", "Cluster not found.")


def service_not_found() -> AwsError:
    """ECS does not know the service."""
    return AwsError("ServiceNotFoundException", "Service not found.")


def service_not_active() -> AwsError:
    """The service was deleted."""
    return AwsError("ServiceNotActiveException", "Service was not ACTIVE.")


def client_error(message: str) -> AwsError:
    """ECS's general word for a wrong request."""
    return AwsError("ClientException", message)


def invalid_parameter(message: str) -> AwsError:
    """A parameter that cannot be."""
    return AwsError("InvalidParameterException", message)
