"""Writes a tiny Llama: random weights, and a tokenizer made from the texts of data files.

Usage: tiny_model.py PARAMETERS_JSON OUTPUT_DIRECTORY DATA_FILE...

The same parameters and data give the same bytes. Runs inside the LLaMA-Factory image. The result
loads as any Llama does, in LLaMA-Factory and in llama.cpp's converter.
"""

# ruff: noqa: PLC0415 - numpy, datasets and sentencepiece are in the image only, and a wrong call needs neither

import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Never

UNKNOWN = "<unk>"
CONTEXT_LENGTH = 2048
INITIAL_SPREAD = 0.02
LOADERS = {".csv": "csv", ".txt": "text", ".parquet": "parquet", ".arrow": "arrow"}


@dataclass(frozen=True, kw_only=True)
class SpecialTokens:
    """What the chat template writes beside text. Each must be one token.

    Training would spell it out otherwise, or number it beyond the embedding.
    """

    begin: str
    end: str
    pad: str
    turns: Sequence[str]
    """What opens and closes a turn."""
    writes_begin: bool
    """Whether a conversation begins with `begin`."""

    @property
    def ids(self) -> dict[str, int]:
        """Every special token and its number, as sentencepiece numbers them."""
        return {
            token: index
            for index, token in enumerate((UNKNOWN, self.begin, self.end, self.pad, *self.turns))
        }


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Size, seed and special tokens of the model."""

    seed: int
    hidden_size: int
    intermediate_size: int
    layers: int
    attention_heads: int
    vocabulary_size: int
    special_tokens: SpecialTokens


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
    _require_fields(path, values, Parameters)
    tokens = _read_special_tokens(path, values.pop("special_tokens"))
    for key, value in values.items():
        if type(value) is not int or (value < 1 and key != "seed"):
            raise InputError(f"parameter {key} is {value!r}; it must be a whole number above 0")
    parameters = Parameters(**values, special_tokens=tokens)
    if parameters.hidden_size % (2 * parameters.attention_heads):
        raise InputError(
            f"hidden_size {parameters.hidden_size} must be an even multiple of attention_heads "
            f"{parameters.attention_heads}: rotary positions turn pairs of numbers"
        )
    return parameters


def _read_special_tokens(path: Path, values: Any) -> SpecialTokens:
    _require_fields(path, values, SpecialTokens)
    tokens = SpecialTokens(**values)
    named = [tokens.begin, tokens.end, tokens.pad, *tokens.turns]
    if not all(isinstance(token, str) and token for token in named) or len(set(named)) < len(named):
        raise InputError(f"special tokens {named} must be texts that differ")
    return tokens


def _require_fields(path: Path, values: Any, kind: type[Parameters] | type[SpecialTokens]) -> None:
    known = {field.name for field in fields(kind)}
    if not isinstance(values, dict) or values.keys() != known:
        given = sorted(values) if isinstance(values, dict) else values
        raise InputError(f"parameters file {path} holds {given}; needed: {sorted(known)}")


def read_texts(paths: Sequence[Path]) -> tuple[str, ...]:
    """Every text in the files, whatever the layout of their rows."""
    texts: list[str] = []
    for path in paths:
        try:
            rows = _read_rows(path)
        except (OSError, ValueError) as error:
            raise InputError(f"data file {path} cannot be read: {error}") from error
        texts += (text for text in _strings(rows) if text.strip())
    if not texts:
        raise InputError(f"no text in {', '.join(map(str, paths))}: a tokenizer needs some")
    return tuple(texts)


def _read_rows(path: Path) -> Any:
    """The rows of a data file, as LLaMA-Factory reads them."""
    if loader := LOADERS.get(path.suffix):
        from datasets import load_dataset  # type: ignore[import-not-found]

        return list(load_dataset(loader, data_files=[str(path)], split="train", streaming=True))
    content = path.read_text(encoding="utf-8-sig")
    # Not splitlines(): JSON allows its other line separators inside a text.
    lines = [content] if content.lstrip().startswith("[") else content.split("\n")
    return [json.loads(line) for line in lines if line.strip()]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def train_tokenizer(texts: Sequence[str], parameters: Parameters) -> bytes:
    """A sentencepiece model. No path and no time goes into it, so equal texts give equal bytes."""
    import sentencepiece  # type: ignore[import-not-found]

    tokens, target = parameters.special_tokens, io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=target,
            model_type="bpe",
            vocab_size=parameters.vocabulary_size,
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
            user_defined_symbols=list(tokens.turns),
            unk_piece=UNKNOWN,
            bos_piece=tokens.begin,
            eos_piece=tokens.end,
            pad_piece=tokens.pad,
            unk_id=tokens.ids[UNKNOWN],
            bos_id=tokens.ids[tokens.begin],
            eos_id=tokens.ids[tokens.end],
            pad_id=tokens.ids[tokens.pad],
            num_threads=1,
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        raise InputError(
            f"no tokenizer of {parameters.vocabulary_size} tokens can be made from {len(texts)} "
            f"texts; lower base_model.generate.vocabulary_size or add data: {error}"
        ) from error
    return target.getvalue()


def tokenizer_config(tokens: SpecialTokens) -> dict[str, Any]:
    """How Hugging Face's tokenizer reads the sentencepiece model."""
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    return {
        "tokenizer_class": "LlamaTokenizer",
        "added_tokens_decoder": {
            str(index): {"content": token, **flags, "special": True}
            for token, index in tokens.ids.items()
        },
        "bos_token": tokens.begin,
        "eos_token": tokens.end,
        "pad_token": tokens.pad,
        "unk_token": UNKNOWN,
        "add_bos_token": tokens.writes_begin,
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
    tokens = parameters.special_tokens
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
        "bos_token_id": tokens.ids[tokens.begin],
        "eos_token_id": tokens.ids[tokens.end],
        "pad_token_id": tokens.ids[tokens.pad],
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
    _write_json(directory / "tokenizer_config.json", tokenizer_config(parameters.special_tokens))
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
        tokenizer = train_tokenizer(texts, parameters)
        _say(f"weights: random, from seed {parameters.seed}")
        count = write_model(parameters, tokenizer, directory)
    except InputError as error:
        _fail(str(error), 1)
    _say(f"model: {count:,} weights in {directory}")


if __name__ == "__main__":
    main(sys.argv[1:])
