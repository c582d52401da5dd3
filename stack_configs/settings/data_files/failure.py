"""How the reading of a data file says that it cannot go on."""


class DataFileError(Exception):
    """A data file that cannot be used. `rule` follows the file's name in a sentence."""

    def __init__(self, rule: str, way_out: str = "correct the path or the file") -> None:
        super().__init__(rule)
        self.rule, self.way_out = rule, way_out


class DataFileMissingError(DataFileError):
    """There is no such file."""

    def __init__(self) -> None:
        super().__init__("does not exist")
