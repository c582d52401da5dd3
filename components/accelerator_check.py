"""The proof that containers reach the host's accelerators."""

from components.stage import Stage


class AcceleratorCheck(Stage):
    """One look from inside a container, as training will see the devices.

    Its results name them: `accelerators`, each with `name` and `memory_gb`.
    """
