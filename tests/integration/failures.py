"""Makes LLaMA-Factory and the converter fail in many ways, for real, inside their images.

Usage: failures.py trainings|conversions

The last line of its output is a JSON object: the log of each failure, by its name. The libraries
are loaded once, and each failure is a fork: it takes a second, not ten.
"""

# ruff: noqa: PLC0415 - each image has its own libraries

import json
import os
import shutil
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path("/tmp/failures")
MODEL = FOLDER / "model"
DATA = FOLDER / "data"
FULL_DISK = "/full"
"""A file system of few bytes."""
PORT = 29555


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def make_data() -> None:
    words = "the quick brown fox jumps over the lazy dog and rests "
    good = [{"instruction": f"{i} {words}", "input": "", "output": words} for i in range(40)]
    write_json(DATA / "good.json", good)
    write_json(
        DATA / "long.json", [{"instruction": words * 12, "input": "", "output": words}] * 256
    )
    write_json(DATA / "numbers.json", [{"instruction": "How many?", "input": "", "output": 5}] * 4)
    columns = {"prompt": "instruction", "response": "answer"}
    write_json(
        DATA / "dataset_info.json",
        {
            "good": {"file_name": "good.json"},
            "long": {"file_name": "long.json"},
            "numbers": {"file_name": "numbers.json"},
            "misnamed": {"file_name": "good.json", "columns": columns},
        },
    )


def make_model(folder: Path, vocabulary: int) -> None:
    tokens = {"begin": "<s>", "end": "</s>", "pad": "<pad>", "turns": [], "writes_begin": True}
    parameters = {"seed": 1, "hidden_size": 32, "intermediate_size": 32, "layers": 1}
    parameters |= {"attention_heads": 2, "vocabulary_size": vocabulary}
    write_json(FOLDER / "parameters.json", {**parameters, "special_tokens": tokens})
    program = str(Path(__file__).with_name("tiny_model.py"))
    arguments = [str(FOLDER / "parameters.json"), str(folder), str(DATA / "good.json")]
    subprocess.run([sys.executable, program, *arguments], check=True)


def model_with(name: str, **config: object) -> str:
    folder = FOLDER / name
    shutil.copytree(MODEL, folder)
    path = folder / "config.json"
    write_json(path, {**json.loads(path.read_text()), **config})
    return str(folder)


def model_without_tokenizer(name: str, **config: object) -> str:
    folder = Path(model_with(name, **config))
    for file in folder.glob("tokenizer*"):
        file.unlink()
    return str(folder)


def model_of_another_tokenizer() -> str:
    """A byte-pair tokenizer that is nobody's original."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # type: ignore

    folder = model_without_tokenizer(
        "other", architectures=["Qwen2ForCausalLM"], model_type="qwen2"
    )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=280, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(["a quick fox"] * 9, trainer)
    tokenizer.save(f"{folder}/tokenizer.json")
    own = {"tokenizer_class": "PreTrainedTokenizerFast"}
    write_json(Path(folder) / "tokenizer_config.json", own)
    return folder


def model_of_own_code(name: str, code: str) -> str:
    names = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    folder = model_with(name, model_type="own", auto_map=names)
    (Path(folder) / "own.py").write_text(code)
    return folder


def model_of_fewer_tokens() -> str:
    """Its embedding ends before its tokenizer does."""
    folder = FOLDER / "short"
    make_model(folder, 300)
    shutil.copy(MODEL / "tokenizer.model", folder)
    return str(folder)


def adapter_of_another_size() -> str:
    import numpy  # type: ignore[import-not-found]
    from safetensors.numpy import save_file  # type: ignore[import-not-found]

    folder = FOLDER / "adapter"
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 8, "lora_alpha": 16}
    write_json(folder / "adapter_config.json", {**config, "target_modules": ["q_proj"]})
    layer = "base_model.model.model.layers.0.self_attn.q_proj"
    weights = {
        f"{layer}.lora_A.weight": numpy.zeros((8, 64), numpy.float32),
        f"{layer}.lora_B.weight": numpy.zeros((64, 8), numpy.float32),
    }
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    return str(folder)


def arguments(**changed: object) -> Mapping[str, Any]:
    return {
        "model_name_or_path": str(MODEL),
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "lora",
        "lora_target": "all",
        "dataset": "good",
        "dataset_dir": str(DATA),
        "template": "default",
        "cutoff_len": 256,
        "max_steps": 1,
        "output_dir": str(FOLDER / "out"),
        "overwrite_output_dir": True,
        "report_to": "none",
        "use_cpu": True,
        "logging_steps": 1,
        **changed,
    }


def config_file(name: str, content: Mapping[str, Any]) -> str:
    path = FOLDER / f"{name}.yaml"
    write_json(path, content)  # JSON is YAML
    return str(path)


def train(**changed: object) -> Callable[[str], None]:
    def run(name: str) -> None:
        from llamafactory.train.tuner import run_exp  # type: ignore[import-not-found]

        sys.argv = ["llamafactory-cli", config_file(name, arguments(**changed))]
        run_exp()

    return run


def convert(model: str) -> Callable[[str], None]:
    def run(_name: str) -> None:
        import convert_hf_to_gguf  # type: ignore[import-not-found]

        target = str(FOLDER / "model.gguf")
        sys.argv = ["convert_hf_to_gguf.py", model, "--outfile", target, "--outtype", "f16"]
        convert_hf_to_gguf.main()

    return run


def train_on_a_taken_port(name: str) -> None:
    with socket.create_server(("", PORT)):
        command = ["llamafactory-cli", "train", config_file(name, arguments())]
        environment = {**os.environ, "FORCE_TORCHRUN": "1", "MASTER_PORT": str(PORT)}
        subprocess.run(command, check=True, env={**environment, "NPROC_PER_NODE": "1"})


def serve_on_a_taken_port(name: str) -> None:
    from llamafactory.api.app import run_api  # type: ignore[import-not-found]

    os.environ["API_PORT"] = str(PORT)
    wanted = ("model_name_or_path", "template")
    given = {key: value for key, value in arguments().items() if key in wanted}
    sys.argv = ["llamafactory-cli", config_file(name, given)]
    with socket.create_server(("", PORT)):
        run_api()


TRAININGS: Mapping[str, Callable[[], Callable[[str], None]]] = {
    "unknown-argument": lambda: train(lora_rnak=8),
    "undefined-dataset": lambda: train(dataset="lost"),
    "no-valid-samples": lambda: train(dataset="numbers"),
    "misnamed-column": lambda: train(dataset="misnamed"),
    "unknown-template": lambda: train(template="llama33"),
    "not-cached": lambda: train(model_name_or_path="meta-llama/Llama-3.2-1B"),
    "unknown-modules": lambda: train(lora_target="query_key_value"),
    "other-size": lambda: train(adapter_name_or_path=adapter_of_another_size()),
    "no-bitsandbytes": lambda: train(quantization_bit=4),
    "no-unsloth": lambda: train(use_unsloth=True),
    "no-liger": lambda: train(enable_liger_kernel=True),
    "no-deepspeed": lambda: train(deepspeed=str(FOLDER / "parameters.json")),
    "disk-full": lambda: train(output_dir=FULL_DISK),
    "shared-memory": lambda: train(
        dataset="long",
        cutoff_len=1024,
        per_device_train_batch_size=128,
        dataloader_num_workers=1,
        dataloader_pin_memory=False,
    ),
    "no-bf16": lambda: train(bf16=True, use_cpu=False),
    "own-code": lambda: train(model_name_or_path=model_of_own_code("own", "")),
    "own-code-imports": lambda: train(
        model_name_or_path=model_of_own_code("importing", "import causal_conv1d\n"),
        trust_remote_code=True,
    ),
    "unknown-architecture": lambda: train(
        model_name_or_path=model_with("newer", model_type="llama9")
    ),
    "token-out-of-range": lambda: train(model_name_or_path=model_of_fewer_tokens()),
    "lost-checkpoint": lambda: train(resume_from_checkpoint=str(FOLDER / "checkpoint-7")),
    "taken-port": lambda: train_on_a_taken_port,
    "taken-api-port": lambda: serve_on_a_taken_port,
}


CONVERSIONS: Mapping[str, Callable[[], Callable[[str], None]]] = {
    "converter-architecture": lambda: convert(
        model_with("newer", architectures=["Llama9ForCausalLM"], model_type="llama9")
    ),
    "converter-tokenizer": lambda: convert(
        model_without_tokenizer("untold", architectures=["GemmaForCausalLM"], model_type="gemma")
    ),
    "converter-pre-tokenizer": lambda: convert(model_of_another_tokenizer()),
}


def fail(failure: Callable[[], Callable[[str], None]], name: str) -> str:
    """What a failure says, as its container's log would have it."""
    path = FOLDER / f"{name}.log"
    if child := os.fork():
        os.waitpid(child, 0)
        return path.read_text(errors="replace")
    log = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        failure()(name)
        print("it did not fail")
    except SystemExit:
        pass
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    make_data()
    make_model(MODEL, 370)
    # So that every fork has them.
    if sys.argv[1] == "trainings":
        import llamafactory.api.app  # type: ignore[import-not-found]
        import llamafactory.train.tuner  # type: ignore[import-not-found]  # noqa: F401

        failures = TRAININGS
    else:
        import convert_hf_to_gguf  # noqa: F401

        failures = CONVERSIONS
    logs = {name: fail(failure, name) for name, failure in failures.items()}
    print(json.dumps(logs))


if __name__ == "__main__":
    main()
