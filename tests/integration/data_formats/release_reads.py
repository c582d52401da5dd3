"""Runs inside LLaMA-Factory's image: what its own loader makes of registered data sets.

Usage: release_reads.py QUESTIONS ANSWERS

QUESTIONS is a JSON object: name -> stage, media_dir, and whether the model `sees` images (its
processor is not asked). ANSWERS will be one: name -> examples, texts and the first converted row,
or the error.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HOME": tempfile.mkdtemp()}

from llamafactory.data import get_dataset, get_template_and_fix_tokenizer  # type: ignore[import-not-found]
from llamafactory.data.loader import _get_merged_dataset  # type: ignore[import-not-found]
from llamafactory.data.mm_plugin import get_mm_plugin  # type: ignore[import-not-found]
from llamafactory.hparams import DataArguments, ModelArguments, TrainingArguments  # type: ignore[import-not-found]
from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # type: ignore[import-not-found]
from transformers import PreTrainedTokenizerFast  # type: ignore[import-not-found]

PLACE = "/app/data"
MODEL = ModelArguments(model_name_or_path="none", cache_dir=tempfile.mkdtemp())
TRAINING = TrainingArguments(output_dir=tempfile.mkdtemp(), use_cpu=True, report_to="none")


def make_tokenizer() -> Any:
    """One token per byte: what is encoded can be read again."""
    alphabet = {letter: at for at, letter in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    tokenizer = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|eot_id|>", pad_token="<pad>"
    )


def read(name: str, stage: str, media_dir: str, *, sees: bool) -> dict[str, Any]:
    """Examples and texts that a training run of this stage would see."""
    data = DataArguments(
        template="llama3",
        dataset=name,
        dataset_dir=PLACE,
        media_dir=media_dir,
        cutoff_len=100_000,
        overwrite_cache=True,
        packing=False,
    )
    stage = {"dpo": "rm"}.get(stage, stage)
    converted = _get_merged_dataset([name], MODEL, data, TRAINING, stage)
    found = {"rows": len(converted), "first": converted[0]}
    if sees:
        plugin = get_mm_plugin("qwen2_vl", image_token="<|image_pad|>")
        for row in converted:
            plugin._validate_messages(
                row["_prompt"] + row["_response"], row["_images"] or [], [], []
            )
        return found
    tokenizer = make_tokenizer()
    template = get_template_and_fix_tokenizer(tokenizer, data)
    examples = get_dataset(template, MODEL, data, TRAINING, stage, tokenizer)["train_dataset"]
    keys = ("input_ids", "chosen_input_ids", "rejected_input_ids")
    texts = [
        [tokenizer.decode(example[key]) for key in keys if key in example] for example in examples
    ]
    return found | {"examples": len(examples), "texts": texts}


def main(questions: str, answers: str) -> None:
    """Every question answered; an error is an answer too."""
    found = {}
    for name, question in json.loads(Path(questions).read_text()).items():
        try:
            found[name] = read(name, **question)
        except Exception as error:
            cause = error.__cause__ or error
            found[name] = {"error": f"{type(cause).__name__}: {cause}"}
    Path(answers).write_text(json.dumps(found, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
