"""Settings of the trackers that runs report to (T9)."""

from typing import Annotated, Literal

from pydantic import Field

from stack_configs.settings.strict_model import StrictModel, Url, Words

Tracker = Literal["tensorboard", "wandb", "swanlab", "mlflow"]


class TrackersSettings(StrictModel):
    """Where figures of the training go. What a run reports to changes nothing of what it makes."""

    project: Annotated[
        Words | None,
        Field(
            description="Project of W&B and SwanLab, experiment of MLflow. Unset: the model's "
            "name.",
        ),
    ] = None
    offline: Annotated[
        bool,
        Field(description="W&B and SwanLab write files into the output volume, and send nothing."),
    ] = False
    wandb_url: Annotated[
        Url | None, Field(description="A W&B server of your own, in place of api.wandb.ai.")
    ] = None
    swanlab_url: Annotated[
        Url | None, Field(description="A SwanLab server of your own, in place of swanlab.cn.")
    ] = None
    mlflow_url: Annotated[
        Url | None,
        Field(description="The MLflow tracking server.", examples=["https://mlflow.example.org"]),
    ] = None
