"""What an operator can put right."""


class ToolchainError(Exception):
    """Something about the host or the command line; the message says what to do about it."""


class CommandError(ToolchainError):
    """A program that the toolchain started has failed."""

    def __init__(self, title: str, returncode: int, tail: list[str]) -> None:
        """Keep the end of what the program said: that is where the reason is."""
        self.title, self.returncode, self.tail = title, returncode, tail
        super().__init__(title)

    def __str__(self) -> str:
        """Name the step, then quote the program."""
        lines = [f"{self.title}: failed with exit status {self.returncode}"]
        return "\n".join(lines + [f"    {line}" for line in self.tail])
