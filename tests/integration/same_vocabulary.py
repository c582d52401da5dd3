"""Writes a family's tokenizer in both formats, and the one again from the other.

Usage: same_vocabulary.py PARAMETERS_JSON TEXTS_JSON; runs inside the converter's image and prints
the ids of each text, by sentencepiece's own file and by the one that is made from `tokenizer.json`.
"""

import json
import sys
from pathlib import Path
from tempfile import mkdtemp

from complete_tokenizer import complete_tokenizer  # type: ignore[import-not-found]
from family_model import (  # type: ignore[import-not-found]
    read_parameters,
    require_vocabulary,
    write_tokenizer,
)
from sentencepiece import SentencePieceProcessor  # type: ignore[import-not-found]

VOCABULARIES = Path("/opt/llama.cpp/models")

parameters, texts = read_parameters(Path(sys.argv[1])), json.loads(Path(sys.argv[2]).read_text())
folder = Path(mkdtemp())
write_tokenizer(require_vocabulary(VOCABULARIES, parameters), parameters, folder)
file = folder / "tokenizer.model"
published = SentencePieceProcessor(model_proto=file.read_bytes())
file.unlink()
complete_tokenizer(folder, vocabulary=None, begins=True)
made = SentencePieceProcessor(model_proto=file.read_bytes())
print(json.dumps([published.encode(texts), made.encode(texts)]))
