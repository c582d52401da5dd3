"""Training runs."""

from components.stage import Stage


class TrainingRun(Stage):
    """One run of `llamafactory-cli train`.

    Its artefact is an adapter, or a whole model after full or freeze tuning.
    """
