"""All symptoms. Where two are found in the same line, the earlier one explains it."""

from runtime.progress.symptoms import data, distributed, gpu, host, hub, packages, serving, training
from runtime.progress.symptoms.symptom import Symptom

SYMPTOMS: tuple[Symptom, ...] = (
    *gpu.SYMPTOMS,
    *host.SYMPTOMS,
    *distributed.SYMPTOMS,
    *data.SYMPTOMS,
    *training.SYMPTOMS,
    *packages.SYMPTOMS,
    *serving.SYMPTOMS,
    *hub.SYMPTOMS,
)
