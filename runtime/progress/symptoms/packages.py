"""Packages that the image lacks."""

from runtime.progress.symptoms.symptom import symptom

MISSING = r"(?:No module named '?|The '|requires |metadata was found for |No package ){}"

SYMPTOMS = (
    symptom(
        MISSING.format(r"(?:bitsandbytes|deepspeed|unsloth|liger[-_]kernel|jieba|nltk|rouge)")
        + r"|Using `?bitsandbytes`?[^\n]* requires|pip install -U bitsandbytes",
        "the image lacks an optional part of LLaMA-Factory",
        "Add it to images.llamafactory.extras (metrics for jieba, nltk and rouge); a ready "
        "images.llamafactory.image must bring it itself",
    ),
    symptom(
        r"FlashAttention-?2 (?:has been toggled on|is not installed|only supports Ampere)"
        r"|FlashAttention only supports Ampere|flash_attn\S* seems to be not installed"
        r"|No module named '?flash_attn",
        "flash attention 2 is not in the image, or not for this GPU",
        "Set training_runs[].flash_attn: sdpa, which needs no package, or name a base image that "
        "has flash-attn in images.llamafactory.base_image",
    ),
    symptom(
        r"requires the following packages that were not found|ModuleNotFoundError: No module named"
        r"|PackageNotFoundError|ImportError: Please install|cannot import name '[^']+' from"
        r"|is required for a normal functioning of this module",
        "a package is missing in the image, or is not of the version that is needed",
        "Name a base image that has it in images.llamafactory.base_image, or another "
        "images.llamafactory.version that fits",
    ),
)
