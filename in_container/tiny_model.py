"""Writes a tiny Llama: random weights, and a tokenizer made from the texts of data files.

Usage: tiny_model.py PARAMETERS_JSON OUTPUT_DIRECTORY DATA_FILE...

The same parameters and data give the same bytes. Runs inside the LLaMA-Factory image. The result
loads as any Llama does, in LLaMA-Factory and in llama.cpp's converter.
"""

# ruff: noqa: PLC0415 - numpy and sentencepiece are in the image only, and a wrong call needs neither

import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Never

BEGIN, END, PAD = "<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>"
CHAT_SYMBOLS = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>")
"""What the llama3 template writes. Each must be one token, or training would spell it out."""

SPECIAL_IDS = {"<unk>": 0, BEGIN: 1, END: 2, PAD: 3}
CONTEXT_LENGTH = 2048
INITIAL_SPREAD = 0.02
ROW_LINES = (".jsonl",)


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Size and seed of the model."""

    seed: int
    hidden_size: int
    intermediate_size: int
    layers: int
    attention_heads: int
    vocabulary_size: int


class InputError(Exception):
    """The parameters or the data cannot make a model."""


def read_parameters(path: Path) -> Parameters:
    """The parameters in a JSON file; every one is needed, and no other is known."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"parameters file {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"parameters file {path} is not JSON: {error}") from error
    known = {field.name for field in fields(Parameters)}
    if not isinstance(values, dict) or values.keys() != known:
        given = sorted(values) if isinstance(values, dict) else values
        raise InputError(f"parameters file {path} holds {given}; needed: {sorted(known)}")
    for key, value in values.items():
        if type(value) is not int or (value < 1 and key != "seed"):
            raise InputError(f"parameter {key} is {value!r}; it must be a whole number above 0")
    parameters = Parameters(**values)
    if parameters.hidden_size % (2 * parameters.attention_heads):
        raise InputError(
            f"hidden_size {parameters.hidden_size} must be an even multiple of attention_heads "
            f"{parameters.attention_heads}: rotary positions turn pairs of numbers"
        )
    return parameters


def read_texts(paths: Sequence[Path]) -> tuple[str, ...]:
    """Every text in the files, whatever the layout of their rows."""
    texts: list[str] = []
    for path in paths:
        try:
            content = path.read_text(encoding="utf-8")
            if path.suffix in ROW_LINES:
                rows: Any = [json.loads(line) for line in content.splitlines() if line.strip()]
            else:
                rows = json.loads(content)
        except OSError as error:
            raise InputError(f"data file {path}: {error.strerror}") from error
        except ValueError as error:
            raise InputError(f"data file {path} is not JSON: {error}") from error
        texts += (text for text in _strings(rows) if text.strip())
    if not texts:
        raise InputError(f"no text in {', '.join(map(str, paths))}: a tokenizer needs some")
    return tuple(texts)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def train_tokenizer(texts: Sequence[str], vocabulary_size: int) -> bytes:
    """A sentencepiece model. No path and no time goes into it, so equal texts give equal bytes."""
    import sentencepiece  # type: ignore[import-not-found]

    target = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=target,
            model_type="bpe",
            vocab_size=vocabulary_size,
            # Any text can be written, also one that no data file holds.
            byte_fallback=True,
            character_coverage=1.0,
            # Text is left as it is: Hugging Face, llama.cpp and Ollama each normalise in their own
            # way, and a space more or less in front of a word would be another token.
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            split_digits=True,
            user_defined_symbols=list(CHAT_SYMBOLS),
            unk_piece="<unk>",
            bos_piece=BEGIN,
            eos_piece=END,
            pad_piece=PAD,
            unk_id=SPECIAL_IDS["<unk>"],
            bos_id=SPECIAL_IDS[BEGIN],
            eos_id=SPECIAL_IDS[END],
            pad_id=SPECIAL_IDS[PAD],
            num_threads=1,
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        raise InputError(
            f"no tokenizer of {vocabulary_size} tokens can be made from {len(texts)} texts; lower "
            f"base_model.generate.vocabulary_size or add data: {error}"
        ) from error
    return target.getvalue()


def tokenizer_config() -> dict[str, Any]:
    """How Hugging Face's tokenizer reads the sentencepiece model."""
    special = {
        **SPECIAL_IDS,
        # sentencepiece numbers its own symbols next.
        **{symbol: len(SPECIAL_IDS) + index for index, symbol in enumerate(CHAT_SYMBOLS)},
    }
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    return {
        "tokenizer_class": "LlamaTokenizer",
        "added_tokens_decoder": {
            str(index): {"content": token, **flags, "special": True}
            for token, index in special.items()
        },
        "bos_token": BEGIN,
        "eos_token": END,
        "pad_token": PAD,
        "unk_token": "<unk>",
        "add_bos_token": True,
        "add_eos_token": False,
        "add_prefix_space": False,
        "legacy": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": CONTEXT_LENGTH,
    }


def weight_shapes(parameters: Parameters, vocabulary_size: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight, as Hugging Face's Llama names them."""
    hidden, inner = parameters.hidden_size, parameters.intermediate_size
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (vocabulary_size, hidden)}
    for layer in range(parameters.layers):
        block = f"model.layers.{layer}"
        shapes |= {f"{block}.self_attn.{role}_proj.weight": (hidden, hidden) for role in "qkvo"}
        shapes |= {
            f"{block}.mlp.gate_proj.weight": (inner, hidden),
            f"{block}.mlp.up_proj.weight": (inner, hidden),
            f"{block}.mlp.down_proj.weight": (hidden, inner),
            f"{block}.input_layernorm.weight": (hidden,),
            f"{block}.post_attention_layernorm.weight": (hidden,),
        }
    shapes["model.norm.weight"] = (hidden,)
    shapes["lm_head.weight"] = (vocabulary_size, hidden)
    return shapes


def model_config(parameters: Parameters, vocabulary_size: int) -> dict[str, Any]:
    """What Hugging Face's Llama is to be built like."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float32",
        "vocab_size": vocabulary_size,
        "hidden_size": parameters.hidden_size,
        "intermediate_size": parameters.intermediate_size,
        "num_hidden_layers": parameters.layers,
        "num_attention_heads": parameters.attention_heads,
        "num_key_value_heads": parameters.attention_heads,
        "hidden_act": "silu",
        "max_position_embeddings": CONTEXT_LENGTH,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "bos_token_id": SPECIAL_IDS[BEGIN],
        "eos_token_id": SPECIAL_IDS[END],
        "pad_token_id": SPECIAL_IDS[PAD],
    }


def write_model(parameters: Parameters, tokenizer: bytes, directory: Path) -> int:
    """Writes weights, configuration and tokenizer; returns the number of weights.

    Without torch and transformers: importing them takes ten times as long as all the rest.
    """
    import numpy  # type: ignore[import-not-found]
    import sentencepiece
    from safetensors.numpy import save_file  # type: ignore[import-not-found]

    vocabulary = sentencepiece.SentencePieceProcessor(model_proto=tokenizer)
    size = vocabulary.vocab_size()
    random = numpy.random.default_rng(parameters.seed)
    weights = {
        name: numpy.ones(shape, dtype=numpy.float32)
        if len(shape) == 1
        else INITIAL_SPREAD * random.standard_normal(shape, dtype=numpy.float32)
        for name, shape in weight_shapes(parameters, size).items()
    }
    directory.mkdir(parents=True, exist_ok=True)
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    (directory / "tokenizer.model").write_bytes(tokenizer)
    _write_json(directory / "config.json", model_config(parameters, size))
    _write_json(directory / "tokenizer_config.json", tokenizer_config())
    return sum(weight.size for weight in weights.values())


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _fail(text: str, status: int) -> Never:
    _say(f"error: {text}")
    sys.exit(status)


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    match [Path(argument) for argument in arguments]:
        case [parameters_file, directory, *data] if data:
            pass
        case _:
            _fail("usage: tiny_model.py PARAMETERS_JSON OUTPUT_DIRECTORY DATA_FILE...", 2)
    try:
        parameters = read_parameters(parameters_file)
        texts = read_texts(data)
        _say(f"tokenizer: {parameters.vocabulary_size} tokens from {len(texts)} texts")
        tokenizer = train_tokenizer(texts, parameters.vocabulary_size)
        _say(f"weights: random, from seed {parameters.seed}")
        count = write_model(parameters, tokenizer, directory)
    except InputError as error:
        _fail(str(error), 1)
    _say(f"model: {count:,} weights in {directory}")


if __name__ == "__main__":
    main(sys.argv[1:])
