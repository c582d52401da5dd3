"""Types of the components. They are part of every child's URN: never change one."""

from collections.abc import Mapping
from typing import Final

from plan.step import Noun

PIPELINE: Final = "finetune-stack:index:FineTunePipeline"
HOST_CHECK: Final = "finetune-stack:index:HostCheck"
IMAGES: Final = "finetune-stack:index:Images"
VOLUMES: Final = "finetune-stack:index:Volumes"
DATASET_REGISTRATION: Final = "finetune-stack:index:DatasetRegistration"
OLLAMA_SERVER: Final = "finetune-stack:index:OllamaServer"
BOARD: Final = "finetune-stack:index:Board"
API: Final = "finetune-stack:index:Api"
TENSORBOARD: Final = "finetune-stack:index:TensorBoard"
METRICS: Final = "finetune-stack:index:Metrics"
REVERSE_PROXY: Final = "finetune-stack:index:ReverseProxy"
OLLAMA_MODEL: Final = "finetune-stack:index:OllamaModel"
PUBLICATION: Final = "finetune-stack:index:Publication"

CONTAINER_STEPS: Final[Mapping[Noun, str]] = {
    "accelerator-check": "finetune-stack:index:AcceleratorCheck",
    "base-model": "finetune-stack:index:BaseModel",
    "training-run": "finetune-stack:index:TrainingRun",
    "merge": "finetune-stack:index:Merge",
    "chat-encoding": "finetune-stack:index:ChatEncoding",
    "gguf-conversion": "finetune-stack:index:GgufConversion",
    "calibration-text": "finetune-stack:index:CalibrationText",
    "importance-matrix": "finetune-stack:index:ImportanceMatrix",
    "quantization": "finetune-stack:index:Quantization",
}
