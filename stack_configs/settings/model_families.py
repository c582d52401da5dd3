"""Families of models: what a generated one takes over of the models that operators train (T7).

Architecture and vocabulary are the family's own, the size is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stack_configs.settings.family_vocabularies import (
    COMMON_TOKENS,
    DEEPSEEK,
    DEEPSEEK_BEGIN,
    DEEPSEEK_END,
    DEEPSEEK_WORDS,
    GEMMA,
    LLAMA_2,
    LLAMA_3,
    LLAMA_3_WORDS,
    MISTRAL,
    NO_LETTERS,
    QWEN,
    QWEN_TOKENIZER,
    QWEN_TOKENS,
    QWEN_WORDS,
    AddedToken,
    VocabularyFile,
    numbered,
)

Family = Literal["llama-2", "llama-3", "mistral", "qwen-2.5", "qwen-3", "gemma-3", "deepseek"]


@dataclass(frozen=True, kw_only=True)
class ModelFamily:
    """What the makers of a family publish in `config.json` and beside it."""

    vocabulary: VocabularyFile
    tokens: int
    """Entries of the vocabulary, the file's own padding left out."""
    added_tokens: tuple[AddedToken, ...]
    tokenizer: Mapping[str, Any]
    """Of `tokenizer_config.json`."""
    config: Mapping[str, Any]
    """Of `config.json`, but for sizes. `vocab_size` may be larger than the vocabulary."""
    words: tuple[str, ...] = ()
    """Expressions that part a text before pairs of bytes are merged; none: sentencepiece."""
    prepends_space: bool = False
    """Whether sentencepiece puts a space before a text."""
    whole_words: bool = False
    """Whether a word that is a token is read as that one, whatever its merges say."""
    queries_per_key: int = 1
    """Heads that share a key."""
    head_dim: int | None = None
    """Width of a head, where it does not follow from the layer's."""

    def has_token(self, text: str) -> bool:
        """Whether a text is one token for sure."""
        return any(token.content == text for token in self.added_tokens)


MODEL_FAMILIES: Mapping[Family, ModelFamily] = {
    "llama-2": ModelFamily(
        vocabulary=LLAMA_2,
        tokens=32000,
        added_tokens=COMMON_TOKENS,
        prepends_space=True,
        tokenizer={
            "tokenizer_class": "LlamaTokenizer",
            "add_bos_token": True,
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "legacy": False,
        },
        config={
            "model_type": "llama",
            "vocab_size": 32000,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0,
            "tie_word_embeddings": False,
        },
    ),
    "llama-3": ModelFamily(
        vocabulary=LLAMA_3,
        tokens=128256,
        added_tokens=(
            *numbered(128000, "<|begin_of_text|>", "<|end_of_text|>"),
            *numbered(128002, *(f"<|reserved_special_token_{n}|>" for n in range(2))),
            *numbered(128004, "<|finetune_right_pad_id|>", "<|reserved_special_token_2|>"),
            *numbered(128006, "<|start_header_id|>", "<|end_header_id|>"),
            *numbered(128008, "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"),
            *numbered(128011, *(f"<|reserved_special_token_{n}|>" for n in range(3, 248))),
        ),
        words=LLAMA_3_WORDS,
        whole_words=True,
        queries_per_key=2,
        tokenizer={
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<|begin_of_text|>",
            "eos_token": "<|eot_id|>",
        },
        config={
            "model_type": "llama",
            "vocab_size": 128256,
            "bos_token_id": 128000,
            "eos_token_id": 128009,
            "rms_norm_eps": 1e-5,
            "rope_theta": 500000.0,
            "tie_word_embeddings": False,
        },
    ),
    "mistral": ModelFamily(
        vocabulary=MISTRAL,
        tokens=32768,
        added_tokens=(
            *COMMON_TOKENS,
            *numbered(3, "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]"),
            *numbered(7, "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"),
        ),
        prepends_space=True,
        queries_per_key=2,
        tokenizer={
            "tokenizer_class": "LlamaTokenizer",
            "add_bos_token": True,
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "legacy": False,
        },
        config={
            "model_type": "mistral",
            "vocab_size": 32768,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "rms_norm_eps": 1e-5,
            "rope_theta": 1000000.0,
            "sliding_window": None,
            "tie_word_embeddings": False,
        },
    ),
    "qwen-2.5": ModelFamily(
        vocabulary=QWEN,
        tokens=151665,
        added_tokens=QWEN_TOKENS,
        words=QWEN_WORDS,
        queries_per_key=2,
        tokenizer=QWEN_TOKENIZER,
        config={
            "model_type": "qwen2",
            "vocab_size": 151936,
            "bos_token_id": 151643,
            "eos_token_id": 151645,
            "rms_norm_eps": 1e-6,
            "rope_theta": 1000000.0,
            "tie_word_embeddings": True,
        },
    ),
    "qwen-3": ModelFamily(
        vocabulary=QWEN,
        tokens=151669,
        added_tokens=(
            *QWEN_TOKENS,
            *numbered(151665, "<tool_response>", "</tool_response>", special=False),
            *numbered(151667, "<think>", "</think>", special=False),
        ),
        words=QWEN_WORDS,
        queries_per_key=2,
        head_dim=32,
        tokenizer=QWEN_TOKENIZER,
        config={
            "model_type": "qwen3",
            "vocab_size": 151936,
            "bos_token_id": 151643,
            "eos_token_id": 151645,
            "rms_norm_eps": 1e-6,
            "rope_theta": 1000000.0,
            "tie_word_embeddings": True,
        },
    ),
    "gemma-3": ModelFamily(
        vocabulary=GEMMA,
        tokens=262144,
        # The vocabulary of Gemma 4 is that of Gemma 3, but for the names of some of these.
        added_tokens=(
            *numbered(0, "<pad>", "<eos>", "<bos>", "<unk>", "<mask>"),
            *numbered(105, "<start_of_turn>", "<end_of_turn>"),
        ),
        head_dim=32,
        queries_per_key=2,
        tokenizer={
            "tokenizer_class": "GemmaTokenizer",
            "add_bos_token": True,
            "bos_token": "<bos>",
            "eos_token": "<eos>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
        },
        config={
            "model_type": "gemma3_text",
            "vocab_size": 262144,
            "bos_token_id": 2,
            "eos_token_id": 1,
            "pad_token_id": 0,
            "rms_norm_eps": 1e-6,
            "query_pre_attn_scalar": 32,
            "sliding_window": 512,
            "tie_word_embeddings": True,
        },
    ),
    "deepseek": ModelFamily(
        vocabulary=DEEPSEEK,
        tokens=100015,
        added_tokens=(
            *numbered(100000, DEEPSEEK_BEGIN, DEEPSEEK_END),
            # Bytes that no text has: they make the alphabet whole.
            *(
                AddedToken(content=letter, id=number, special=False, normalized=True)
                for number, letter in enumerate(NO_LETTERS, start=100002)
            ),
        ),
        words=DEEPSEEK_WORDS,
        tokenizer={
            "tokenizer_class": "PreTrainedTokenizerFast",
            "add_bos_token": True,
            "bos_token": DEEPSEEK_BEGIN,
            "eos_token": DEEPSEEK_END,
            "pad_token": DEEPSEEK_END,
        },
        config={
            "model_type": "llama",
            "vocab_size": 102400,
            "bos_token_id": 100000,
            "eos_token_id": 100001,
            "rms_norm_eps": 1e-6,
            "rope_theta": 10000.0,
            "tie_word_embeddings": False,
        },
    ),
}
