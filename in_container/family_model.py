"""Writes a tiny model of a real family: its architecture, its whole vocabulary, random weights.

Usage: family_model.py PARAMETERS_JSON VOCABULARIES_DIRECTORY OUTPUT_DIRECTORY

The parameters name the vocabulary's file and its checksum, and hold what the family's own
`config.json` and `tokenizer_config.json` do. The same parameters give the same model. Runs inside
the converter's image, which carries the vocabularies.
"""

# ruff: noqa: PLC0415 - torch, transformers and gguf are in the image only, and a wrong call needs none

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Never

GGUF = ".gguf"
SPACE = "\u2581"
"""How sentencepiece writes a space."""
UNKNOWN = 2
"""Type of a token, in a GGUF file and in sentencepiece's own."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What the model is made of."""

    seed: int
    vocabulary: str
    """Name of the file: GGUF without weights, or a sentencepiece model."""
    sha256: str
    tokens: int
    """Numbers below this one are the vocabulary's own; the file may be padded, or end before."""
    added_tokens: Sequence[Mapping[str, Any]]
    """Tokens that are read as a whole: `content`, `id` and flags as Hugging Face's."""
    pre_tokenizer: Sequence[str]
    """Expressions that part a text before pairs of bytes are merged; none: sentencepiece."""
    whole_words: bool
    """Whether a word that is a token is read as that one, whatever its merges say."""
    prepends_space: bool
    """Whether sentencepiece puts a space before a text."""
    tokenizer_config: Mapping[str, Any]
    config: Mapping[str, Any]


class InputError(Exception):
    """The parameters or the vocabulary cannot make a model."""


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
    return Parameters(**values)


def require_vocabulary(folder: Path, parameters: Parameters) -> Path:
    """The vocabulary's file, if it is the one that the parameters mean."""
    path = folder / parameters.vocabulary
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(
            f"the image has no vocabulary {path}: {error.strerror}. Leave images.converter.image "
            "unset, which builds an image that has it"
        ) from error
    if found != parameters.sha256:
        raise InputError(f"{path} has sha256 {found}, expected {parameters.sha256}")
    return path


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """What a GGUF file says of a vocabulary."""

    tokens: Sequence[str]
    scores: Sequence[float]
    types: Sequence[int]
    merges: Sequence[tuple[str, str]]


def read_vocabulary(path: Path) -> Vocabulary:
    """The vocabulary in a GGUF file."""
    from gguf import GGUFReader  # type: ignore[import-not-found]

    found = {
        name.removeprefix("tokenizer.ggml."): field.contents()
        for name, field in GGUFReader(path).fields.items()
        if name.startswith("tokenizer.ggml.")
    }
    return Vocabulary(
        tokens=found["tokens"],
        scores=found.get("scores", ()),
        types=found["token_type"],
        # A space parts the two: in a token of its own it is written as another sign.
        merges=[_pair(merge) for merge in found.get("merges", ())],
    )


def _pair(merge: str) -> tuple[str, str]:
    first, _, second = merge.partition(" ")
    return first, second


def byte_pair_tokenizer(vocabulary: Vocabulary, parameters: Parameters) -> Any:
    """A tokenizer of pairs of bytes, as a family's `tokenizer.json` has it."""
    from tokenizers import (  # type: ignore[import-not-found]
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
    )

    merges, whole = list(vocabulary.merges), parameters.whole_words
    known = _own_tokens(vocabulary, parameters)
    tokenizer = Tokenizer(models.BPE(vocab=known, merges=merges, ignore_merges=whole))
    if parameters.tokenizer_config["tokenizer_class"] == "Qwen2Tokenizer":
        tokenizer.normalizer = normalizers.NFC()
    splits = [
        pre_tokenizers.Split(Regex(pattern), behavior="isolated")
        for pattern in parameters.pre_tokenizer
    ]
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*splits, bytewise])
    tokenizer.decoder = decoders.ByteLevel()
    return _with_added_tokens(tokenizer, parameters)


def sentencepiece_tokenizer(vocabulary: Vocabulary, parameters: Parameters) -> Any:
    """The same for a vocabulary of sentencepiece: the file that the loader prefers."""
    from sentencepiece_file import merges_of_scores  # type: ignore[import-not-found]
    from tokenizers import Tokenizer, decoders, models, normalizers

    merges = vocabulary.merges or merges_of_scores(vocabulary.tokens, vocabulary.scores)
    known = _own_tokens(vocabulary, parameters) | {
        token["content"]: token["id"]
        for token in parameters.added_tokens
        if token["id"] < parameters.tokens
    }
    tokenizer = Tokenizer(
        models.BPE(
            vocab=known,
            merges=list(merges),
            unk_token=parameters.tokenizer_config["unk_token"],
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    spaces = normalizers.Replace(" ", SPACE)
    parts = [normalizers.Prepend(SPACE), spaces] if parameters.prepends_space else [spaces]
    tokenizer.normalizer = normalizers.Sequence(parts)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return _with_added_tokens(tokenizer, parameters)


def _own_tokens(vocabulary: Vocabulary, parameters: Parameters) -> dict[str, int]:
    added = {token["id"] for token in parameters.added_tokens}
    return {
        token: number
        for number, token in enumerate(vocabulary.tokens[: parameters.tokens])
        if number not in added
    }


def _with_added_tokens(tokenizer: Any, parameters: Parameters) -> Any:
    from tokenizers import AddedToken, processors

    for token in sorted(parameters.added_tokens, key=lambda token: int(token["id"])):
        flags = {key: token[key] for key in ("special", "normalized")}
        # One by one: each takes the next number that is free.
        tokenizer.add_tokens([AddedToken(token["content"], **flags)])
        if tokenizer.token_to_id(token["content"]) != token["id"]:
            raise InputError(f"{parameters.vocabulary} does not end where {token} begins")
    begin = parameters.tokenizer_config["bos_token"]
    if begin is not None and parameters.tokenizer_config.get("add_bos_token", True):
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A",
            pair=f"{begin} $A {begin} $B",
            special_tokens=[(begin, tokenizer.token_to_id(begin))],
        )
    return tokenizer


def write_tokenizer(path: Path, parameters: Parameters, directory: Path) -> None:
    """The tokenizer's files, as the family's makers publish them."""
    if parameters.pre_tokenizer:
        tokenizer = byte_pair_tokenizer(read_vocabulary(path), parameters)
    else:
        vocabulary = _sentencepiece(path, parameters, directory / "tokenizer.model")
        tokenizer = sentencepiece_tokenizer(vocabulary, parameters)
    tokenizer.save(str(directory / "tokenizer.json"))
    added = {
        str(token["id"]): {
            **{key: token[key] for key in ("content", "special", "normalized")},
            **{"lstrip": False, "rstrip": False, "single_word": False},
        }
        for token in parameters.added_tokens
    }
    config = {**parameters.tokenizer_config, "added_tokens_decoder": added}
    _write_json(directory / "tokenizer_config.json", config)


def _sentencepiece(path: Path, parameters: Parameters, target: Path) -> Vocabulary:
    """Writes sentencepiece's own file; the vocabulary in it."""
    from sentencepiece import SentencePieceProcessor  # type: ignore[import-not-found]
    from sentencepiece_file import Piece, scores_of_merges, sentencepiece_model

    if path.suffix != GGUF:
        target.write_bytes(path.read_bytes())
    else:
        found = read_vocabulary(path)
        scores = scores_of_merges(found.tokens, found.merges) if found.merges else found.scores
        renamed = {token["id"]: token["content"] for token in parameters.added_tokens}
        unknown = parameters.tokenizer_config["unk_token"]
        pieces = [
            Piece(
                text=(text := renamed.get(number, token)),
                score=scores[number],
                type=UNKNOWN if text == unknown else found.types[number],
            )
            for number, token in enumerate(found.tokens[: parameters.tokens])
        ]
        prepends = parameters.prepends_space
        target.write_bytes(sentencepiece_model(pieces, prepends_space=prepends))
        if found.merges:
            return replace(found, tokens=[piece.text for piece in pieces])
    read = SentencePieceProcessor(model_file=str(target))
    numbers = range(read.vocab_size())
    return Vocabulary(
        tokens=[read.id_to_piece(number) for number in numbers],
        scores=[read.get_score(number) for number in numbers],
        types=(),
        merges=(),
    )


def write_weights(parameters: Parameters, directory: Path) -> int:
    """Random weights of the family's architecture, and its configuration; how many they are."""
    import torch  # type: ignore[import-not-found]
    from transformers import AutoConfig, AutoModelForCausalLM  # type: ignore[import-not-found]

    torch.manual_seed(parameters.seed)
    config = AutoConfig.for_model(**parameters.config)
    model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(directory)
    return int(model.num_parameters())


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _fail(text: str, status: int) -> Never:
    _say(f"error: {text}")
    sys.exit(status)


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    match [Path(argument) for argument in arguments]:
        case [parameters_file, vocabularies, directory]:
            pass
        case _:
            _fail(
                "usage: family_model.py PARAMETERS_JSON VOCABULARIES_DIRECTORY OUTPUT_DIRECTORY", 2
            )
    try:
        parameters = read_parameters(parameters_file)
        vocabulary = require_vocabulary(vocabularies, parameters)
        directory.mkdir(parents=True, exist_ok=True)
        _say(f"tokenizer: {parameters.vocabulary}")
        write_tokenizer(vocabulary, parameters, directory)
        _say(f"weights: random, from seed {parameters.seed}")
        count = write_weights(parameters, directory)
    except InputError as error:
        _fail(str(error), 1)
    _say(f"model: {count:,} weights in {directory}")


if __name__ == "__main__":
    main(sys.argv[1:])
