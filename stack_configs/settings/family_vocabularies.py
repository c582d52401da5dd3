"""Vocabularies of model families: their files, tokens, and how words are parted before (T7).

The files come with the sources that the converter's image fetches anyway
(`images/converter/build/fetch_converter.py`).
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class VocabularyFile:
    """A vocabulary in the converter's image: GGUF without weights, or sentencepiece's own file."""

    name: str
    sha256: str
    """Of the file; what is made of it is another model when this changes."""


@dataclass(frozen=True, kw_only=True)
class AddedToken:
    """A token that is read as a whole, whatever stands around it."""

    content: str
    id: int
    special: bool = True
    normalized: bool = False
    """Whether it is looked for in the text as the tokenizer has normalised it."""


def numbered(first: int, *tokens: str, special: bool = True) -> tuple[AddedToken, ...]:
    """Tokens whose numbers follow one another."""
    return tuple(
        AddedToken(content=token, id=number, special=special)
        for number, token in enumerate(tokens, start=first)
    )


LLAMA_2 = VocabularyFile(
    name="ggml-vocab-llama-spm.gguf",
    sha256="16c3724582d59aa8bf84711894e833f916ee46a31d80e21312759c48bf8d0e69",
)
LLAMA_3 = VocabularyFile(
    name="ggml-vocab-llama-bpe.gguf",
    sha256="97272e430d53bc7688f52d5e0ad8ea8f163ede9f1bbd1694feaa504797d5d96e",
)
QWEN = VocabularyFile(
    name="ggml-vocab-qwen2.gguf",
    sha256="44c2f46b715f585c6ab513970e8a006bfa5badd6108560054921cf598d154d8c",
)
DEEPSEEK = VocabularyFile(
    name="ggml-vocab-deepseek-llm.gguf",
    sha256="867f77537b54565f0d81d508c04edc41aa1d4ffc1a92745f225b4c1b02755f76",
)
GEMMA = VocabularyFile(
    name="ggml-vocab-gemma-4.gguf",
    sha256="58b1ba0b57f3b4d7c468ba4ffd91ad85190346a3d7ad7e71d1cabaae8a14bb65",
)
MISTRAL = VocabularyFile(
    name="mistral_instruct_tokenizer_240323.model.v3",
    sha256="9addc8bdce5988448ae81b729336f43a81262160ae8da760674badab9d4c7d33",
)

ENDINGS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA_3_WORDS = (ENDINGS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|" + REST,)
QWEN_WORDS = (ENDINGS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|" + REST,)
DEEPSEEK_WORDS = (
    r"[\r\n]",
    r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+",  # noqa: RUF001
    r"\s?[!-/:-~！-／：-～‘-‟　-。]+",  # noqa: RUF001
    r"\s+$",
    "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+",
    r"\p{N}",
)
"""As the families' `tokenizer.json` have them."""

DEEPSEEK_BEGIN = "<\uff5cbegin\u2581of\u2581sentence\uff5c>"
DEEPSEEK_END = "<\uff5cend\u2581of\u2581sentence\uff5c>"
NO_LETTERS = "\u00f8\u00f6\u00fa\u00ff\u00f5\u00f7\u00fb\u00fd\u00c0\u00f9\u00c1\u00fe\u00fc"

COMMON_TOKENS = (AddedToken(content="<unk>", id=0), *numbered(1, "<s>", "</s>"))

QWEN_TOKENS = (
    *numbered(151643, "<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *numbered(151646, "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *numbered(151649, "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>"),
    *numbered(151653, "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
    *numbered(151657, "<tool_call>", "</tool_call>", special=False),
    *numbered(151659, "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", special=False),
    *numbered(151662, "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", special=False),
)
QWEN_TOKENIZER = {
    "tokenizer_class": "Qwen2Tokenizer",
    "add_bos_token": False,
    "bos_token": None,
    "eos_token": "<|im_end|>",
    "pad_token": "<|endoftext|>",
    "unk_token": None,
}
