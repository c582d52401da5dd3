"""What an operator has to read when a step cannot be done."""


class StepError(Exception):
    """A step could not be done, for a reason that the operator can act on.

    The message says what, where, and the way out; it is printed without a stack trace.
    """


class EngineUnreachableError(StepError):
    """No engine answers, or it stopped answering."""

    def __init__(self, reason: str, way_out: str) -> None:
        self.reason, self.way_out = reason, way_out
        super().__init__(reason, way_out)

    def __str__(self) -> str:
        return f"{self.reason}. {self.way_out}"


class EngineError(StepError):
    """The engine refused a request."""

    def __init__(self, status: int, request: str, message: str) -> None:
        self.status, self.request, self.message = status, request, message
        super().__init__(status, request, message)

    def __str__(self) -> str:
        return f"the engine refused {self.request} ({self.status}): {self.message}"


class MissingError(EngineError):
    """The engine knows nothing of that name."""
