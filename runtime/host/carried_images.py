"""Which images of a bundle the engine has: they are used as they are, and not built again."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from plan.carried_images import FILE, CarriedImages
from plan.codec import decode
from runtime.docker.engine import Engine, in_parallel
from runtime.docker.images import inspect_image

PROJECT = Path(__file__).resolve().parents[2]


def carried_images(engine: Engine, project: Path = PROJECT) -> Mapping[str, str]:
    """References by `ImagePlan.build`; none in a project that came in no bundle.

    An image that has gone from the engine, or has another one in its place, is left out: it is
    built, as any other.
    """
    try:
        carried = decode(CarriedImages, (project / FILE).read_bytes())
    except FileNotFoundError:
        return {}
    references = carried.references
    found = in_parallel([partial(inspect_image, engine, each) for each in references.values()])
    return {
        build: reference
        for (build, reference), image in zip(references.items(), found, strict=True)
        if image is not None and image["Id"] == carried.ids.get(reference)
    }
