"""Settings files that once ended in a stack trace, took seconds or gigabytes, or were taken."""

from tests.stack_configs.operators_files import (
    FILE,
    HUB,
    MODEL,
    RUN,
    Change,
    add,
    of_ollama_model,
    of_run,
    swap,
)

LONG = "x" * 200_000


def layers(inner: str, each: str, *, deep: int = 8) -> str:
    """Lines that name nine of the line before, each time."""
    lines = [f"x-0: &a0 {inner}"]
    for index in range(deep):
        names = ", ".join([f"*a{index}"] * 9)
        lines.append(f"x-{index + 1}: &a{index + 1} {each.replace('NAMES', names)}")
    return "\n".join(lines) + "\n"


def another_model(served: str) -> Change:
    model = (
        f"  - {{name: other, template: llama3, base_model: {{hub: a/b}}, "
        f"training_runs: [{{datasets: [alpaca]}}], ollama_model: {{name: {served!r}}}}}\n"
    )
    return add(model)


PROMPT = f"{MODEL}.ollama_model.smoke_prompts[0]"
SYSTEM = f"{MODEL}.ollama_model.system"

REFUSED: dict[str, tuple[Change, str, str]] = {
    # What ended in a stack trace.
    "sections a thousand deep": (add(f"x: {'[' * 1000}{']' * 1000}\n"), "line 20", "without end"),
    "deep in a place for anchors": (
        add(f"x-y: {'{a: ' * 1000}1{'}' * 1000}\n"),
        "line 20",
        "without end",
    ),
    "number of 5,000 digits": (swap("1e-4", "9" * 5000), f"{RUN}.learning_rate", "finite"),
    "number of 400 digits": (swap("1e-4", "9" * 400), f"{RUN}.learning_rate", "64 bits"),
    "number beyond all": (of_run("max_grad_norm: 1e999"), f"{RUN}.max_grad_norm", "finite"),
    "tag of a number": (swap("1e-4", "!!int abc"), "line 15", "the tag"),
    "tag of a truth": (add("board: {enabled: !!bool maybe}\n"), "line 20", "the tag"),
    "tag of a time": (of_ollama_model("system: !!timestamp x"), "line 17", "the tag"),
    "tag of a set": (add("board: !!set {enabled}\n"), "line 20", "the tag"),
    "tag of pairs": (add("board: !!pairs {a: 1}\n"), "line 20", "the tag"),
    "escape of nothing": (of_ollama_model('system: "\\U00110000"'), "line 17", "no character"),
    "half a character": (of_ollama_model('system: "\\uD800"'), SYSTEM, "U+D800"),
    "alias in itself": (add("board: &a {x: *a}\n"), "line 20", "inside its anchor"),
    "alias in an argument": (
        of_run("arguments: &a {optim: *a}"),
        "line 16",
        "inside its anchor",
    ),
    "NUL in a path": (swap(FILE, 'file: "a\\0b.json"'), "datasets[0].file", "U+0000"),
    # What took seconds or gigabytes.
    "merge keys eight deep": (add(layers("{k: 1}", "{<<: [NAMES]}")), "line 25", "values"),
    "aliases eight deep": (
        add(layers("[1]", "[NAMES]") + "board: *a8\n"),
        "line 25",
        "values",
    ),
    "unknown key with a long text": (add(f"bord: {LONG}\n"), "bord", "200000 characters"),
    "long unknown key": (add(f"? {LONG}\n: 1\n"), LONG, "200000 characters"),
    "long text for a number": (swap("1e-4", LONG), f"{RUN}.learning_rate", "200000 characters"),
    "text of 40,000 for a number": (
        swap("1e-4", "'" + "1,111" * 8000 + "'"),
        f"{RUN}.learning_rate",
        "must be a number",
    ),
    "text of 40,000 with an @": (add(f"bord: {'x' * 40_000}@x\n"), "bord", "no such setting"),
    "a billion GPUs": (
        add("host: {gpu: {count: 1000000000}}\n"),
        "host.gpu.count",
        "less than or equal to 1024",
    ),
    "a hundred thousand keys": (
        lambda text: text + "".join(f"k{index}: 1\n" for index in range(100_000)),
        "the file",
        "more than 512 KiB",
    ),
    # What overflowed.
    "shared memory of 1e308": (
        add("host: {shm_size_gb: 1e308}\n"),
        "host.shm_size_gb",
        "less than or equal to 1000000",
    ),
    "deadline of 1e308": (of_run("deadline_hours: 1e308"), f"{RUN}.deadline_hours", "less than"),
    # What was taken, and is wrong.
    "truth for a port": (add("board: {port: true}\n"), "board.port", "whole number"),
    "truth for steps": (of_run("max_steps: true"), f"{RUN}.max_steps", "whole number"),
    "truth for a size": (add("host: {shm_size_gb: true}\n"), "host.shm_size_gb", "a number"),
    "truth for a count": (add("host: {gpu: {count: true}}\n"), "host.gpu.count", "whole number"),
    "terabytes of terabytes": (
        add("host: {gpu: {memory_gb: 1e12}}\n"),
        "host.gpu.memory_gb",
        "less than or equal to 1000000",
    ),
    "less than a byte": (
        add("host: {shm_size_gb: 1e-300}\n"),
        "host.shm_size_gb",
        "greater than or equal to 0.001",
    ),
    "seed below zero": (of_run("seed: -5"), f"{RUN}.seed", "greater than or equal to 0"),
    "NUL in a prompt": (
        swap("prompt: What is LoRA?", 'prompt: "a\\0b"'),
        f"{PROMPT}.prompt",
        "U+0000",
    ),
    "long prompt": (
        swap("prompt: What is LoRA?", f"prompt: {LONG}"),
        f"{PROMPT}.prompt",
        "200000 characters",
    ),
    "blank prompt": (
        swap("prompt: What is LoRA?", 'prompt: " "'),
        f"{PROMPT}.prompt",
        "nothing in it",
    ),
    "blank expectation": (swap("expect: layers", 'expect: "\\t"'), f"{PROMPT}.expect", "nothing"),
    "variable with =": (
        add("ollama_server: {environment: {'A=B': c}}\n"),
        "ollama_server.environment",
        "'A=B' is no name",
    ),
    "variable without a name": (
        add("ollama_server: {environment: {'': c}}\n"),
        "ollama_server.environment",
        "'' is no name",
    ),
    "the candidates' namespace": (
        of_ollama_model("name: finetune-stack/demo:0123456789abcdef"),
        f"{MODEL}.ollama_model.name",
        "not proved themselves",
    ),
    "served name of 100 characters": (
        of_ollama_model(f"name: {'a' * 100}"),
        f"{MODEL}.ollama_model.name",
        "80 letters",
    ),
    "tag of 100 characters": (
        of_ollama_model(f"name: a:{'a' * 100}"),
        f"{MODEL}.ollama_model.name",
        "80 letters",
    ),
    "owner with a dot": (
        of_ollama_model("name: my.team/guide"),
        f"{MODEL}.ollama_model.name",
        "must be written otherwise",
    ),
    "served names that differ in case": (
        another_model("guide:Latest"),
        "models[1].ollama_model.name",
        "served under that name already",
    ),
    "served name of the library": (
        another_model("library/guide"),
        "models[1].ollama_model.name",
        "served under that name already",
    ),
    "data sets that differ in case": (
        swap("name: chats", "name: Alpaca"),
        "datasets[1].name",
        "but for upper and lower case",
    ),
    "data set's name of 300 characters": (
        swap("name: chats", f"name: {'c' * 300}"),
        "datasets[1].name",
        "must",
    ),
    # What would be more than the value that it is, where it goes.
    "hub id that leads upwards": (swap(HUB, "../.."), f"{MODEL}.base_model.hub", "id on the hub"),
    "hub id as an option": (swap(HUB, "'-a/-b'"), f"{MODEL}.base_model.hub", "id on the hub"),
    "revision as an option": (
        swap(HUB, f"{HUB}\n      revision: --token"),
        f"{MODEL}.base_model.revision",
        "branch, tag or commit",
    ),
    "revision that leads upwards": (
        swap(HUB, f"{HUB}\n      revision: ../../x"),
        f"{MODEL}.base_model.revision",
        "branch, tag or commit",
    ),
    "path that leads upwards": (
        swap(f"hub: {HUB}", "path: /root/../etc"),
        f"{MODEL}.base_model.path",
        "leads upwards",
    ),
    "path of two lines": (
        swap(f"hub: {HUB}", 'path: "/a\\nb"'),
        f"{MODEL}.base_model.path",
        "must match",
    ),
    "host path that leads upwards": (
        add("volumes: {data: {host_path: /srv/../etc}}\n"),
        "volumes.data.host_path",
        "leads upwards",
    ),
    "engine as an option of ssh": (
        add("host: {engine: 'ssh://-oProxyCommand=x'}\n"),
        "host.engine",
        "engine address",
    ),
    "engine with a password": (
        add("host: {engine: 'ssh://u:p@h'}\n"),
        "host.engine",
        "holds a password",
    ),
    "archive that ends sed's expression": (
        add("images: {mirrors: {apt: 'http://a#;w /etc/x'}}\n"),
        "images.mirrors.apt",
        "archive of the base image",
    ),
    "mirror with a line of its own": (
        add('images: {mirrors: {python_index: "https://a\\nb"}}\n'),
        "images.mirrors.python_index",
        "package index",
    ),
    "host of two lines without a proxy": (
        add('images: {mirrors: {no_proxy: ["a\\nb"]}}\n'),
        "images.mirrors.no_proxy[0]",
        "reached without the proxy",
    ),
    "leader as an option": (
        add("host: {cluster: {nodes: 2, rank: 0, master_address: '--x'}}\n"),
        "host.cluster.master_address",
        "must match",
    ),
    "system text that Ollama would change": (
        of_ollama_model("system: 你好\u3000世界"),
        SYSTEM,
        "U+3000 (ideographic space)",
    ),
    "stop word that Ollama would change": (
        of_ollama_model('parameters: {stop: ["\u200b"]}'),
        f"{MODEL}.ollama_model.parameters.stop[0]",
        "U+200B",
    ),
}
"""By what is wrong: the change, the key that is named, and words of the rule."""
