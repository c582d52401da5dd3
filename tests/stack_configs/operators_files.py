"""Settings files as operators of LLaMA-Factory write them: those that are right, and those not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TEXT = """\
datasets:
  - name: alpaca
    file: alpaca.json
  - name: chats
    file: sharegpt.json
    formatting: sharegpt

models:
  - name: guide
    template: llama3
    base_model:
      hub: meta-llama/Meta-Llama-3-8B-Instruct
    training_runs:
      - datasets: [alpaca]
        learning_rate: 1e-4
    ollama_model:
      smoke_prompts:
        - prompt: What is LoRA?
          expect: layers
"""
"""The file that each of the others differs from in one thing."""

Change = Callable[[str], str | bytes]


def swap(before: str, after: str) -> Change:
    """The file with one piece of it written otherwise."""

    def change(text: str) -> str:
        assert text.count(before) == 1, f"{before!r} is there {text.count(before)} times"
        return text.replace(before, after)

    return change


def add(more: str) -> Change:
    """The file with more at its end."""
    return lambda text: text + more


def of_run(line: str) -> Change:
    """The file with one more line in its run."""
    return swap("learning_rate: 1e-4", f"learning_rate: 1e-4\n        {line}")


def of_ollama_model(line: str) -> Change:
    return swap("    ollama_model:\n", f"    ollama_model:\n      {line}\n")


HUB = "meta-llama/Meta-Llama-3-8B-Instruct"
FILE = "file: alpaca.json"


@dataclass(frozen=True)
class Accepted:
    """A file that is right, and what one of its settings says."""

    change: Change
    path: str
    means: Any


ACCEPTED: dict[str, Accepted] = {
    "as it is": Accepted(lambda text: text, "models.0.name", "guide"),
    "template qwen": Accepted(swap("llama3", "qwen"), "models.0.template", "qwen"),
    "template in quotes": Accepted(swap("llama3", '"llama3"'), "models.0.template", "llama3"),
    "hub id with dots": Accepted(
        swap(HUB, "Qwen/Qwen2.5-0.5B-Instruct"),
        "models.0.base_model.hub",
        "Qwen/Qwen2.5-0.5B-Instruct",
    ),
    "hub id with underscores": Accepted(
        swap(HUB, "TinyLlama/TinyLlama_v1.1"), "models.0.base_model.hub", "TinyLlama/TinyLlama_v1.1"
    ),
    "revision by tag": Accepted(
        swap(HUB, f"{HUB}\n      revision: v1.0"), "models.0.base_model.revision", "v1.0"
    ),
    "revision by commit": Accepted(
        swap(HUB, f"{HUB}\n      revision: 5f0b02c75b57c5855da9ae460ce51323ea669d8a"),
        "models.0.base_model.revision",
        "5f0b02c75b57c5855da9ae460ce51323ea669d8a",
    ),
    "revision of digits, quoted": Accepted(
        swap(HUB, f"{HUB}\n      revision: '20240601'"), "models.0.base_model.revision", "20240601"
    ),
    "base model from a folder": Accepted(
        swap(f"hub: {HUB}", "path: /app/data/Llama 3"),
        "models.0.base_model.path",
        "/app/data/Llama 3",
    ),
    "exponent 2.0e-5": Accepted(
        swap("1e-4", "2.0e-5"), "models.0.training_runs.0.learning_rate", 2e-5
    ),
    "exponent 5E-5": Accepted(swap("1e-4", "5E-5"), "models.0.training_runs.0.learning_rate", 5e-5),
    "decimals": Accepted(swap("1e-4", "0.0001"), "models.0.training_runs.0.learning_rate", 1e-4),
    "number in quotes": Accepted(
        swap("1e-4", "'1e-4'"), "models.0.training_runs.0.learning_rate", 1e-4
    ),
    "epochs as 3.0": Accepted(
        of_run("num_train_epochs: 3.0"), "models.0.training_runs.0.num_train_epochs", 3.0
    ),
    "epochs as 3": Accepted(
        of_run("num_train_epochs: 3"), "models.0.training_runs.0.num_train_epochs", 3.0
    ),
    "precision bf16": Accepted(
        of_run("precision: bf16"), "models.0.training_runs.0.precision", "bf16"
    ),
    "precision fp16": Accepted(
        of_run("precision: 'fp16'"), "models.0.training_runs.0.precision", "fp16"
    ),
    "True as Python writes it": Accepted(
        of_run("gradient_checkpointing: False"),
        "models.0.training_runs.0.gradient_checkpointing",
        False,
    ),
    "yes": Accepted(add("board: {enabled: yes}\n"), "board.enabled", True),
    "off": Accepted(add("board:\n  enabled: off\n"), "board.enabled", False),
    "several runs": Accepted(
        swap(
            "      - datasets: [alpaca]",
            "      - {name: pt, stage: pt, datasets: [alpaca]}\n"
            "      - name: sft\n        datasets: [alpaca, chats]",
        ),
        "models.0.training_runs.1.name",
        "sft",
    ),
    "data sets one a line": Accepted(
        swap("[alpaca]", "\n        - alpaca\n        - chats"),
        "models.0.training_runs.0.datasets",
        ("alpaca", "chats"),
    ),
    "comments everywhere": Accepted(
        swap("  - name: guide", "  # the one\n  - name: guide   # ours"), "models.0.name", "guide"
    ),
    "block without an indent": Accepted(
        lambda text: text.replace("\n  - name: chats", "\n\n  - name: chats").replace(
            "      smoke_prompts:\n        - prompt: What is LoRA?\n          expect: layers",
            "      smoke_prompts:\n      - prompt: What is LoRA?\n        expect: layers",
        ),
        "models.0.ollama_model.smoke_prompts.0.expect",
        "layers",
    ),
    "text over several lines": Accepted(
        of_ollama_model("system: |\n        You are brief.\n        You are kind."),
        "models.0.ollama_model.system",
        "You are brief.\nYou are kind.\n",
    ),
    "folded text": Accepted(
        of_ollama_model("system: >-\n        You are brief.\n        You are kind."),
        "models.0.ollama_model.system",
        "You are brief. You are kind.",
    ),
    "anchor and alias": Accepted(
        of_run("cutoff_len: &length 4096\n        max_samples: *length"),
        "models.0.training_runs.0.max_samples",
        4096,
    ),
    "merge key from a place of its own": Accepted(
        lambda text: (
            "x-run: &run {lora_rank: 16, cutoff_len: 512}\n"
            + text.replace("learning_rate: 1e-4", "<<: *run\n        cutoff_len: 1024")
        ),
        "models.0.training_runs.0.cutoff_len",
        1024,
    ),
    "merge of what was merged": Accepted(
        lambda text: (
            "x-a: &a {lora_rank: 4, cutoff_len: 64}\nx-b:\n  deep: &b\n    <<: *a\n"
            "    lora_rank: 8\n" + text.replace("learning_rate: 1e-4", "<<: *b")
        ),
        "models.0.training_runs.0.lora_rank",
        8,
    ),
    "sharegpt with tags": Accepted(
        swap(
            "formatting: sharegpt",
            "formatting: sharegpt\n    columns: {messages: conversations}\n"
            "    tags:\n      role_tag: from\n      content_tag: value\n      user_tag: human\n"
            "      assistant_tag: gpt",
        ),
        "datasets.1.tags.user_tag",
        "human",
    ),
    "format, as the guide writes it": Accepted(
        swap("formatting: sharegpt", "format: sharegpt"), "datasets.1.formatting", "sharegpt"
    ),
    "data set's name with dash and dot": Accepted(
        lambda text: text.replace("alpaca\n", "Alpaca-en_v1.1\n", 1).replace(
            "[alpaca]", "[Alpaca-en_v1.1]"
        ),
        "datasets.0.name",
        "Alpaca-en_v1.1",
    ),
    "file in the folder above": Accepted(
        swap(FILE, "file: ../{folder}/alpaca.json"), "datasets.0.file.name", "alpaca.json"
    ),
    "file by its whole path": Accepted(
        swap(FILE, "file: {path}/alpaca.json"), "datasets.0.file.name", "alpaca.json"
    ),
    "file with ./": Accepted(
        swap(FILE, "file: ./alpaca.json"), "datasets.0.file.name", "alpaca.json"
    ),
    "file name in Chinese": Accepted(
        swap(FILE, "file: 数据 集/问题.json"), "datasets.0.file.name", "问题.json"
    ),
    "served name with owner and tag": Accepted(
        of_ollama_model("name: my-org/guide:v1.2_Q4"),
        "models.0.ollama_model.name",
        "my-org/guide:v1.2_Q4",
    ),
    "Ollama's parameters": Accepted(
        of_ollama_model('parameters: {temperature: 0, num_ctx: 8192, stop: ["<|im_end|>"]}'),
        "models.0.ollama_model.parameters.stop",
        ("<|im_end|>",),
    ),
    "two GPUs": Accepted(add("host: {gpu: {count: 2}}\n"), "host.gpu.count", 2),
    "all GPUs": Accepted(add("host:\n  gpu:\n    count: 'all'\n"), "host.gpu.count", "all"),
    "memory in decimals": Accepted(
        add("host: {gpu: {memory_gb: 23.6}, shm_size_gb: 0.5}\n"), "host.gpu.memory_gb", 23.6
    ),
    "host over ssh with a port": Accepted(
        add("host: {engine: 'ssh://ops@gpu-box.example.org:2222'}\n"),
        "host.engine",
        "ssh://ops@gpu-box.example.org:2222",
    ),
    "host path with spaces": Accepted(
        add("volumes:\n  output: {host_path: /srv/fine tuning/out}\n"),
        "volumes.output.host_path",
        "/srv/fine tuning/out",
    ),
    "Ollama's variables as numbers": Accepted(
        add("ollama_server:\n  environment:\n    OLLAMA_NUM_PARALLEL: 4\n"),
        "ollama_server.environment.OLLAMA_NUM_PARALLEL",
        "4",
    ),
    "Ollama's variables as booleans": Accepted(
        add("ollama_server: {environment: {OLLAMA_FLASH_ATTENTION: true}}\n"),
        "ollama_server.environment.OLLAMA_FLASH_ATTENTION",
        "true",
    ),
    "registry with a port": Accepted(
        add("images: {mirrors: {registry: 'mirror.example.org:5000/hub'}}\n"),
        "images.mirrors.registry",
        "mirror.example.org:5000/hub",
    ),
    "image by digest": Accepted(
        add(f"images:\n  ollama:\n    image: registry.example.org/ollama@sha256:{'a' * 64}\n"),
        "images.ollama.image",
        f"registry.example.org/ollama@sha256:{'a' * 64}",
    ),
    "address of IP version 6": Accepted(
        add("ollama_server: {bind_address: '::1'}\n"), "ollama_server.bind_address", "::1"
    ),
    "lines of Windows": Accepted(
        lambda text: text.replace("\n", "\r\n").encode(), "models.0.name", "guide"
    ),
    "byte order mark": Accepted(
        lambda text: b"\xef\xbb\xbf" + text.encode(), "models.0.name", "guide"
    ),
    "document marks": Accepted(
        lambda text: f"%YAML 1.2\n---\n{text}...\n", "models.0.name", "guide"
    ),
    "JSON": Accepted(
        lambda text: (
            '{"datasets": [{"name": "alpaca", "file": "alpaca.json"}], "models": [{"name": '
            '"guide", "template": "llama3", "base_model": {"hub": "a/b"}, "training_runs": '
            '[{"datasets": ["alpaca"], "learning_rate": 1e-4}]}]}'
        ),
        "models.0.training_runs.0.learning_rate",
        1e-4,
    ),
}
"""By what is special about it."""


@dataclass(frozen=True)
class Refused:
    """A file that is wrong: the key that is named, and words of value, rule and way out."""

    change: Change
    key: str
    value: str
    rule: str
    way_out: str
    schema_sees_it: bool = True
    """False where the rule is between settings, about a file, or about YAML itself."""


MODEL = "models[0]"
RUN = "models[0].training_runs[0]"

REFUSED: dict[str, Refused] = {
    "model's name with upper case and underscore": Refused(
        swap("name: guide", "name: My_Model"),
        f"{MODEL}.name",
        "'My_Model'",
        "lower-case letters, digits and '-'",
        "Write my-model",
    ),
    "model's name with a space": Refused(
        swap("name: guide", "name: my guide"),
        f"{MODEL}.name",
        "'my guide'",
        "lower-case letters",
        "Write my-guide",
    ),
    "model's name too long": Refused(
        swap("name: guide", f"name: {'a' * 41}"),
        f"{MODEL}.name",
        "'aaaa",
        "lower-case letters",
        "Give a value such as my-model",
    ),
    "data set's name with a slash": Refused(
        swap("name: chats", "name: my/chats"),
        "datasets[1].name",
        "'my/chats'",
        "what training runs call it",
        "Write my-chats",
    ),
    "hub's page in place of an id": Refused(
        swap(HUB, "https://huggingface.co/Qwen/Qwen2.5-7B-Instruct"),
        f"{MODEL}.base_model.hub",
        "'https://huggingface.co",
        "id on the hub",
        "Write Qwen/Qwen2.5-7B-Instruct",
    ),
    "hub id without an owner": Refused(
        swap(HUB, "gpt2"),
        f"{MODEL}.base_model.hub",
        "'gpt2'",
        "id on the hub",
        "Give a value such as Qwen/Qwen2.5-7B-Instruct",
    ),
    "hub and path": Refused(
        swap(HUB, f"{HUB}\n      path: /models/x"),
        f"{MODEL}.base_model",
        "",
        "exactly one of hub, modelscope, path and generate",
        "Keep one of them",
        False,
    ),
    "relative path of a base model": Refused(
        swap(f"hub: {HUB}", "path: models/x"),
        f"{MODEL}.base_model.path",
        "'models/x'",
        "directory inside the training container",
        "Give a value such as /root/.cache/huggingface/my-model",
    ),
    "revision as a number": Refused(
        swap(HUB, f"{HUB}\n      revision: 1.10"),
        f"{MODEL}.base_model.revision",
        "1.1",
        "must be text",
        "Put it in quotes",
    ),
    "template of nobody": Refused(
        swap("template: llama3", "template: lama3"),
        f"{MODEL}.template",
        "'lama3'",
        "",
        "Did you mean llama3",
    ),
    "no template": Refused(
        swap("    template: llama3\n", ""),
        f"{MODEL}.template",
        "",
        "required and missing",
        "Add it",
    ),
    "no data sets": Refused(
        lambda text: text[text.index("models:") :],
        "datasets",
        "",
        "required and missing",
        "Add it",
    ),
    "empty section": Refused(
        add("board:\n"),
        "board",
        "empty",
        "must be a section",
        "Write its keys on lines below it, or remove it",
    ),
    "an empty file": Refused(
        lambda text: "# nothing yet\n",
        "settings",
        "empty",
        "must be a section",
        "Write its keys on lines below it",
    ),
    "a list in place of sections": Refused(
        lambda text: "- alpaca\n",
        "settings",
        "a list",
        "must be a section",
        "Write its keys on lines below it",
    ),
    "section as a list": Refused(
        add("host:\n  - hardware: cuda\n"),
        "host",
        "a list",
        "must be a section",
        "Write its keys on lines below it",
    ),
    "list as a word": Refused(
        add("images: {llamafactory: {extras: metrics}}\n"),
        "images.llamafactory.extras",
        "'metrics'",
        "must be a list",
        "Write it as a list: [metrics]",
    ),
    "stop word without a list": Refused(
        of_ollama_model("parameters: {stop: '</s>'}"),
        f"{MODEL}.ollama_model.parameters.stop",
        "'</s>'",
        "must be a list",
        "Write it as a list",
    ),
    "memory with its unit": Refused(
        add("host: {shm_size_gb: 16g}\n"),
        "host.shm_size_gb",
        "'16g'",
        "must be a number",
        "Write 16: a number alone",
    ),
    "memory with a comma": Refused(
        add("host: {gpu: {memory_gb: '1,024 MB'}}\n"),
        "host.gpu.memory_gb",
        "'1,024 MB'",
        "must be a number",
        "Write 1024: a number alone",
    ),
    "no GPU by 0": Refused(
        add("host: {gpu: {count: 0}}\n"),
        "host.gpu.count",
        "0",
        "greater than or equal to 1",
        "Give a value",
    ),
    "GPU count in words": Refused(
        add("host: {gpu: {count: every}}\n"),
        "host.gpu.count",
        "'every'",
        "whole number or must be 'all'",
        "Give a value",
    ),
    "hardware by the maker's name": Refused(
        add("host: {hardware: nvidia}\n"),
        "host.hardware",
        "'nvidia'",
        "must be 'cpu', 'cuda'",
        "Use one of: cpu, cuda, rocm, npu",
    ),
    "engine by its socket": Refused(
        add("host: {engine: /var/run/docker.sock}\n"),
        "host.engine",
        "'/var/run/docker.sock'",
        "engine address",
        "Write unix:///var/run/docker.sock",
    ),
    "engine by its host": Refused(
        add("host: {engine: gpu-box}\n"),
        "host.engine",
        "'gpu-box'",
        "engine address",
        "Give a value such as ssh://user@gpu-box",
    ),
    "port out of range": Refused(
        add("api: {enabled: true, port: 80000}\n"),
        "api.port",
        "80000",
        "less than or equal to 65535",
        "Give a value",
    ),
    "two services on a port": Refused(
        add("api: {enabled: true, port: 11434}\n"),
        "api.port",
        "11434",
        "ollama_server.port is the same",
        "port of its own",
        False,
    ),
    "bind address by name": Refused(
        add("api: {bind_address: localhost}\n"),
        "api.bind_address",
        "",
        "'localhost' is no IP address",
        "Use 127.0.0.1",
        False,
    ),
    "registry as a URL": Refused(
        add("images: {mirrors: {registry: 'https://mirror.example.org/'}}\n"),
        "images.mirrors.registry",
        "'https://mirror.example.org/'",
        "prefix for base images",
        "Write mirror.example.org",
    ),
    "index without its scheme": Refused(
        add("images: {mirrors: {python_index: mirror.example.org/simple}}\n"),
        "images.mirrors.python_index",
        "'mirror.example.org/simple'",
        "package index",
        "Give a value such as https://mirror.example.org/pypi/simple",
    ),
    "version as a number": Refused(
        add("images: {ollama: {version: 0.17}}\n"),
        "images.ollama.version",
        "0.17",
        "must be text",
        "Put it in quotes",
    ),
    "volume by name": Refused(
        add("volumes: {data: {host_path: training-data}}\n"),
        "volumes.data.host_path",
        "'training-data'",
        "absolute directory",
        "Give a value such as /srv/finetune",
    ),
    "misspelt key": Refused(
        add("ollama_sever: {port: 1}\n"),
        "ollama_sever",
        "",
        "no such setting",
        "Did you mean ollama_server",
    ),
    "key of another tool": Refused(
        swap("    template: llama3", "    template: llama3\n    model_name_or_path: x"),
        f"{MODEL}.model_name_or_path",
        "'x'",
        "no such setting",
        "Set base_model.hub of the model",
    ),
    "token in the file": Refused(
        add("hub_token: hf_abc\n"),
        "hub_token",
        "",
        "no such setting",
        "pulumi config set --secret hub_token",
    ),
    "served name in upper case": Refused(
        of_ollama_model("name: My-Org/Guide:v1"),
        f"{MODEL}.ollama_model.name",
        "'My-Org/Guide:v1'",
        "served name",
        "Write my-org/guide:v1",
    ),
    "answer to expect as a number": Refused(
        swap("expect: layers", "expect: 42"),
        f"{MODEL}.ollama_model.smoke_prompts[0].expect",
        "42",
        "must be text",
        "Put it in quotes",
    ),
    "no file": Refused(
        swap(FILE, "file: nowhere.json"),
        "datasets[0]",
        "",
        "nowhere.json does not exist",
        "Correct the path",
        False,
    ),
    "home directory by ~": Refused(
        swap(FILE, "file: ~/alpaca.json"),
        "datasets[0]",
        "",
        "~/alpaca.json does not exist",
        "Write the whole path: ~",
        False,
    ),
    "data set of nobody": Refused(
        swap("[alpaca]", "[alpacca]"),
        f"{RUN}.datasets[0]",
        "'alpacca'",
        "no data set of that name",
        "use one of: alpaca, chats",
        False,
    ),
    "name twice": Refused(
        swap("name: chats", "name: alpaca"),
        "datasets[1].name",
        "'alpaca'",
        "datasets[0] has that",
        "name of its own",
        False,
    ),
    "tabs": Refused(
        add("host:\n\thardware: cuda\n"),
        "line 21",
        "",
        "not readable as YAML",
        "Indent with spaces",
        False,
    ),
    "key twice": Refused(
        add("models: []\n"),
        "line 20",
        "",
        "'models' is there twice",
        "Keep one of them",
        False,
    ),
    "text with a colon": Refused(
        of_ollama_model("system: Be brief: one sentence"),
        "line 17",
        "",
        "mapping values are not",
        "Put a text that holds ': ' in quotes",
        False,
    ),
    "path of Windows in double quotes": Refused(
        swap(FILE, r'file: "C:\data\alpaca.json"'),
        "line 3",
        "",
        "unknown escape",
        "single quotes",
        False,
    ),
    "value that begins with @": Refused(
        of_ollama_model("name: @guide"),
        "line 17",
        "",
        "'@'",
        "in quotes",
        False,
    ),
    "alias without its anchor": Refused(
        add("host: *gpu\n"),
        "line 20",
        "",
        "undefined alias",
        "Give it its anchor",
        False,
    ),
    "tag": Refused(
        swap("1e-4", "!!float fast"),
        "line 15",
        "",
        "the tag",
        "Leave the tag out",
        False,
    ),
    "two documents": Refused(
        add("---\nhost: {}\n"),
        "line 20",
        "",
        "another document",
        "Keep one document",
        False,
    ),
    "bracket left open": Refused(
        swap("[alpaca]", "[alpaca"),
        "line 15",
        "",
        "not readable as YAML",
        "Correct that line",
        False,
    ),
    "not UTF-8": Refused(
        lambda text: text.replace("What is", "Für").encode("latin-1"),
        "the file",
        "",
        "not UTF-8",
        "Save it as UTF-8",
        False,
    ),
    "nested without end": Refused(
        lambda text: "x: " + "[" * 5000,
        "line 1",
        "",
        "without end",
        "nothing lies deeper than 40",
        False,
    ),
    "number of thousands of digits": Refused(
        swap("1e-4", "9" * 5000),
        f"{RUN}.learning_rate",
        "inf",
        "finite number",
        "Give a value",
    ),
}
"""By what is wrong with it."""
