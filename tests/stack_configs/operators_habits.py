"""Settings files in the habits of LLaMA-Factory, Ollama, docker and Pulumi, and of keyboards."""

from tests.stack_configs.operators_files import (
    FILE,
    HUB,
    MODEL,
    RUN,
    Accepted,
    Refused,
    add,
    of_ollama_model,
    of_run,
    swap,
)

RUN_0 = "models.0.training_runs.0"

LLAMAFACTORY_RUN = """\
      - stage: sft
        do_train: true
        finetuning_type: lora
        lora_rank: 8
        lora_target: all
        dataset: alpaca
        cutoff_len: 2048
        max_samples: 1000
        preprocessing_num_workers: 16
        dataloader_num_workers: 4
        logging_steps: 10
        save_steps: 500
        plot_loss: true
        overwrite_output_dir: true
        save_only_model: false
        report_to: none
        per_device_train_batch_size: 1
        gradient_accumulation_steps: 8
        learning_rate: 1.0e-4
        num_train_epochs: 3.0
        lr_scheduler_type: cosine
        warmup_ratio: 0.1
        bf16: true
        ddp_timeout: 180000000
        resume_from_checkpoint: null
        eval_dataset: null
"""
"""The release's own example, but for its model, its template and its output."""

OWN_RUN = "      - datasets: [alpaca]\n        learning_rate: 1e-4\n"

ACCEPTED: dict[str, Accepted] = {
    "a run of LLaMA-Factory's": Accepted(
        swap(OWN_RUN, LLAMAFACTORY_RUN), f"{RUN_0}.arguments.warmup_ratio", 0.1
    ),
    "comments in Chinese": Accepted(
        lambda text: "# 数据集的配置\n" + text, "models.0.name", "guide"
    ),
    "epochs in quotes": Accepted(of_run('num_train_epochs: "3"'), f"{RUN_0}.num_train_epochs", 3.0),
    "bits in quotes": Accepted(of_run('quantization_bit: "4"'), f"{RUN_0}.quantization_bit", 4),
    "registry and tag in capitals": Accepted(
        add("images: {ollama: {image: 'Registry.example.org/ollama/ollama:V1'}}\n"),
        "images.ollama.image",
        "Registry.example.org/ollama/ollama:V1",
    ),
    "data sets with commas": Accepted(
        swap("[alpaca]", "alpaca, alpaca"), f"{RUN_0}.datasets", ("alpaca", "alpaca")
    ),
    "targets as a list": Accepted(
        of_run("lora_target: [q_proj, v_proj]"), f"{RUN_0}.lora_target", "q_proj,v_proj"
    ),
    "no rows at most": Accepted(of_run("max_samples: null"), f"{RUN_0}.max_samples", None),
    "no evaluation set": Accepted(of_run("eval_dataset: null"), f"{RUN_0}.eval_datasets", ()),
    "no system text": Accepted(of_ollama_model("system:"), "models.0.ollama_model.system", None),
    "no parameters": Accepted(
        of_ollama_model("parameters: {}"), "models.0.ollama_model.parameters.num_ctx", None
    ),
    "keep alive for ever": Accepted(
        add("ollama_server: {environment: {OLLAMA_KEEP_ALIVE: -1}}\n"),
        "ollama_server.environment.OLLAMA_KEEP_ALIVE",
        "-1",
    ),
    "quantization as Ollama has it": Accepted(
        swap(
            "    ollama_model:\n",
            "    gguf_conversion: {quantization: q4_K_M}\n    ollama_model:\n",
        ),
        "models.0.gguf_conversion.quantization",
        "q4_k_m",
    ),
    "quantization as llama.cpp has it": Accepted(
        swap(
            "    ollama_model:\n",
            "    gguf_conversion: {quantization: Q4_K_M}\n    ollama_model:\n",
        ),
        "models.0.gguf_conversion.quantization",
        "q4_k_m",
    ),
    "port in quotes": Accepted(add("board: {port: '7860'}\n"), "board.port", 7860),
    "on": Accepted(add("board: {enabled: on}\n"), "board.enabled", True),
    "truth in quotes": Accepted(add("board: {enabled: 'true'}\n"), "board.enabled", True),
    "temperature in quotes": Accepted(
        of_ollama_model("parameters: {temperature: '0.7'}"),
        "models.0.ollama_model.parameters.temperature",
        0.7,
    ),
    "every address": Accepted(
        add("board: {bind_address: 0.0.0.0}\n"),
        "board.bind_address",
        "0.0.0.0",  # noqa: S104
    ),
    "LLaMA-Factory's DeepSpeed file": Accepted(
        of_run("deepspeed: examples/deepspeed/ds_z3_config.json"), f"{RUN_0}.deepspeed", "zero3"
    ),
    "socket behind ssh": Accepted(
        add("host: {engine: 'ssh://user@gpu_box:2222/run/user/1000/docker.sock'}\n"),
        "host.engine",
        "ssh://user@gpu_box:2222/run/user/1000/docker.sock",
    ),
    "engine of IP version 6": Accepted(
        add("host: {engine: 'tcp://[::1]:2375'}\n"), "host.engine", "tcp://[::1]:2375"
    ),
    "index of a mirror in China": Accepted(
        add("images: {mirrors: {python_index: 'https://pypi.tuna.tsinghua.edu.cn/simple/'}}\n"),
        "images.mirrors.python_index",
        "https://pypi.tuna.tsinghua.edu.cn/simple/",
    ),
    "index of a Nexus": Accepted(
        add("images: {mirrors: {python_index: 'http://10.0.0.1:8081/repository/pypi/simple'}}\n"),
        "images.mirrors.python_index",
        "http://10.0.0.1:8081/repository/pypi/simple",
    ),
    "hosts without a proxy": Accepted(
        add(
            "images: {mirrors: {no_proxy: [127.0.0.1, 10.0.0.0/8, .corp, '::1', '*.a', host_a]}}\n"
        ),
        "images.mirrors.no_proxy",
        ("127.0.0.1", "10.0.0.0/8", ".corp", "::1", "*.a", "host_a"),
    ),
    "registry on a port": Accepted(
        add("images: {ollama: {image: 'localhost:5000/ollama:0.17.4'}}\n"),
        "images.ollama.image",
        "localhost:5000/ollama:0.17.4",
    ),
    "host path with an end": Accepted(
        add("volumes: {hf_cache: {host_path: /srv/cache/}}\n"),
        "volumes.hf_cache.host_path",
        "/srv/cache/",
    ),
    "steps without an end": Accepted(of_run("max_steps: -1"), f"{RUN_0}.max_steps", None),
    "pull request's revision": Accepted(
        swap(HUB, f"{HUB}\n      revision: refs/pr/1"), "models.0.base_model.revision", "refs/pr/1"
    ),
    "system text in Chinese over lines": Accepted(
        of_ollama_model("system: |\n        你是一个助手。\n        Be brief."),
        "models.0.ollama_model.system",
        "你是一个助手。\nBe brief.\n",
    ),
}

REFUSED: dict[str, Refused] = {
    "LLaMA-Factory's model at the root": Refused(
        add(f"model_name_or_path: {HUB}\n"),
        "model_name_or_path",
        f"'{HUB}'",
        "no such setting",
        "Set base_model.hub of the model",
    ),
    "LLaMA-Factory's argument at the root": Refused(
        add("per_device_train_batch_size: 2\n"),
        "per_device_train_batch_size",
        "2",
        "no such setting",
        "Write it into a training run",
    ),
    "LLaMA-Factory's argument of a model": Refused(
        swap("    template: llama3", "    template: llama3\n    neftune_noise_alpha: 5"),
        f"{MODEL}.neftune_noise_alpha",
        "5",
        "no such setting",
        "Write it into a training run",
    ),
    "colon of a Chinese keyboard": Refused(
        swap("template: llama3", "template\uff1allama3"),
        "line 11",
        "",
        "could not find expected ':'",
        "Type ':' for '\uff1a'",
        False,
    ),
    "comma of a Chinese keyboard": Refused(
        swap("[alpaca]", "[alpaca\uff0cchats]"),
        f"{RUN}.datasets[0]",
        "'alpaca\uff0cchats'",
        "no data set of that name",
        "alpaca, chats",
        False,
    ),
    "space of a web page": Refused(
        swap("learning_rate: 1e-4", "learning_rate:\u00a01e-4"),
        "line 16",
        "",
        "could not find",
        "Type a plain space",
        False,
    ),
    "number in words": Refused(
        of_run("num_train_epochs: three"),
        f"{RUN}.num_train_epochs",
        "'three'",
        "must be a number",
        "Give a value",
    ),
    "thousands by a letter": Refused(
        of_run("cutoff_len: 4k"),
        f"{RUN}.cutoff_len",
        "'4k'",
        "whole number",
        "in full, such as 4096",
    ),
    "key in capitals": Refused(
        swap("learning_rate", "LEARNING_RATE"),
        f"{RUN}.LEARNING_RATE",
        "0.0001",
        "no such setting",
        "Did you mean learning_rate",
    ),
    "key with dashes": Refused(
        swap("learning_rate", "learning-rate"),
        f"{RUN}.learning-rate",
        "0.0001",
        "no such setting",
        "Did you mean learning_rate",
    ),
    "key in camel case": Refused(
        swap("learning_rate", "learningRate"),
        f"{RUN}.learningRate",
        "0.0001",
        "no such setting",
        "Did you mean learning_rate",
    ),
    "precision in capitals": Refused(
        of_run("precision: BF16"), f"{RUN}.precision", "'BF16'", "must be", "Did you mean bf16"
    ),
    "stage in capitals": Refused(
        of_run("stage: SFT"), f"{RUN}.stage", "'SFT'", "must be", "Did you mean sft"
    ),
    "image in capitals": Refused(
        add("images: {ollama: {image: 'Ollama/Ollama:V1'}}\n"),
        "images.ollama.image",
        "'Ollama/Ollama:V1'",
        "has no capitals",
        "Write ollama/ollama:V1",
    ),
    "image of a registry in capitals": Refused(
        add("images: {converter: {image: 'localhost:5000/Acme/Converter'}}\n"),
        "images.converter.image",
        "'localhost:5000/Acme/Converter'",
        "has no capitals",
        "Write localhost:5000/acme/converter",
    ),
    "hardware in capitals": Refused(
        add("host: {hardware: CUDA}\n"), "host.hardware", "'CUDA'", "must be", "Did you mean cuda"
    ),
    "template of a release to come": Refused(
        swap("template: llama3", "template: deepseek-r1"),
        f"{MODEL}.template",
        "'deepseek-r1'",
        "no chat template",
        "Did you mean deepseekr1",
    ),
    "page of a branch": Refused(
        swap(HUB, "https://huggingface.co/Qwen/Qwen2.5-7B-Instruct/tree/main"),
        f"{MODEL}.base_model.hub",
        "'https://huggingface.co",
        "id on the hub",
        "Write Qwen/Qwen2.5-7B-Instruct",
    ),
    "page of ModelScope": Refused(
        swap(HUB, "https://modelscope.cn/models/Qwen/Qwen2.5-7B-Instruct"),
        f"{MODEL}.base_model.hub",
        "'https://modelscope.cn",
        "id on the hub",
        "Write Qwen/Qwen2.5-7B-Instruct",
    ),
    "hub id with its scheme": Refused(
        swap(HUB, "hf://Qwen/Qwen2.5-7B-Instruct"),
        f"{MODEL}.base_model.hub",
        "'hf://",
        "id on the hub",
        "Write Qwen/Qwen2.5-7B-Instruct",
    ),
    "hub id with a space": Refused(
        swap(HUB, "'Qwen/Qwen2.5-7B-Instruct '"),
        f"{MODEL}.base_model.hub",
        "'Qwen/Qwen2.5-7B-Instruct '",
        "id on the hub",
        "Write Qwen/Qwen2.5-7B-Instruct",
    ),
    "base model as a word": Refused(
        swap(f"base_model:\n      hub: {HUB}", f"base_model: {HUB}"),
        f"{MODEL}.base_model",
        f"'{HUB}'",
        "must be a section",
        "Write its keys on lines below it",
    ),
    "home of a model": Refused(
        swap(f"hub: {HUB}", "path: ~/models/llama"),
        f"{MODEL}.base_model.path",
        "'~/models/llama'",
        "directory inside the training container",
        "Give a value such as /root/.cache",
    ),
    "variable in a path": Refused(
        swap(FILE, "file: ${DATA}/alpaca.json"),
        "datasets[0]",
        "",
        "does not exist",
        "~ and variables are taken as they are",
        False,
    ),
    "path of Windows": Refused(
        swap(FILE, r"file: data\alpaca.json"),
        "datasets[0]",
        "",
        "does not exist",
        "Write the path with /",
        False,
    ),
    "file in capitals": Refused(
        swap(FILE, "file: Alpaca.json"),
        "datasets[0]",
        "",
        "does not exist",
        "Did you mean alpaca.json",
        False,
    ),
    "file without its suffix": Refused(
        swap(FILE, "file: alpaca"),
        "datasets[0]",
        "",
        "does not exist",
        "Did you mean alpaca.json",
        False,
    ),
    "variables as docker takes them": Refused(
        add("ollama_server:\n  environment:\n    - OLLAMA_KEEP_ALIVE=5m\n"),
        "ollama_server.environment",
        "a list",
        "must be a section",
        "Write its keys on lines below it",
    ),
    "ports as docker takes them": Refused(
        add("board: {port: '7860:7860'}\n"),
        "board.port",
        "'7860:7860'",
        "whole number",
        "Give a value",
    ),
    "devices as CUDA takes them": Refused(
        add("host: {gpu: {count: '0,1'}}\n"),
        "host.gpu.count",
        "'0,1'",
        "whole number or must be 'all'",
        "Give a value",
    ),
    "host path from home": Refused(
        add("volumes: {hf_cache: {host_path: ~/.cache/huggingface}}\n"),
        "volumes.hf_cache.host_path",
        "'~/.cache/huggingface'",
        "absolute directory",
        "Give a value such as /srv/finetune",
    ),
    "release with a v": Refused(
        add("images: {llamafactory: {version: v0.9.5}}\n"),
        "images.llamafactory.version",
        "'v0.9.5'",
        "release of LLaMA-Factory",
        "Give a value",
    ),
    "proxies in one text": Refused(
        add("images: {mirrors: {no_proxy: 'localhost,.corp'}}\n"),
        "images.mirrors.no_proxy",
        "'localhost,.corp'",
        "must be a list",
        "Write it as a list",
    ),
    "models by name": Refused(
        swap("models:\n  - name: guide\n", "models:\n  guide:\n"),
        "models",
        "a section",
        "must be a list",
        "Give a value",
    ),
    "quantization by bits": Refused(
        swap(
            "    ollama_model:\n", "    gguf_conversion: {quantization: q4km}\n    ollama_model:\n"
        ),
        f"{MODEL}.gguf_conversion.quantization",
        "'q4km'",
        "no such type",
        "Did you mean q4_k_m",
    ),
    "space of French": Refused(
        of_ollama_model('system: "Bonjour\u00a0!"'),
        f"{MODEL}.ollama_model.system",
        "",
        "U+00A0 (no-break space)",
        "Write a plain space",
        False,
    ),
    "joined emoji": Refused(
        of_ollama_model("system: Hi \U0001f469\u200d\U0001f4bb"),
        f"{MODEL}.ollama_model.system",
        "",
        "U+200D (zero width joiner)",
        "leave it out",
        False,
    ),
}
"""By what is wrong with it."""
