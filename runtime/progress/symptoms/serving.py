"""The way from a trained model to an answer: conversion, Ollama, services."""

from runtime.progress.symptoms.symptom import symptom

SYMPTOMS = (
    symptom(
        r"hf-to-gguf:Model \S+ is not supported|Architecture '[^']*' not supported"
        r"|Can not map tensor",
        "llama.cpp's converter does not know this kind of model",
        "Choose a base model in models[].base_model.hub that llama.cpp supports; a newer converter "
        "can be named in images.converter.image",
    ),
    symptom(
        r"BPE pre-tokenizer was not recognized|pre-tokenizer '[^']*' is not supported",
        "llama.cpp's converter does not know this tokenizer: it is not exactly the original's",
        "Leave new tokens out (resize_vocab, add_tokens in training_runs[].arguments) and take the "
        "original tokenizer in models[].base_model; a newer converter can be named in "
        "images.converter.image",
    ),
    symptom(
        r"FileNotFoundError: File not found: \S*tokenizer\.model",
        "the model lacks the file tokenizer.model, which the converter reads for its kind",
        "Put tokenizer.model of the original beside the weights in models[].base_model.path, or "
        "take the model from the hub: .hub",
    ),
    symptom(
        r"Error: unsupported architecture|unknown model architecture",
        "this Ollama does not know this kind of model",
        "Choose a newer images.ollama.version, or a base model in models[].base_model.hub that "
        "Ollama supports",
    ),
    symptom(
        r"requires more system memory|does not have enough memory"
        r"|model request too large for system|llama runner process has terminated: signal: killed",
        "the host has too little memory for the model",
        "Choose a smaller models[].gguf_conversion.quantization, lower "
        "models[].ollama_model.parameters.num_ctx, or let models that are not in use go sooner: "
        "ollama_server.environment: {OLLAMA_KEEP_ALIVE: 1m}",
    ),
    symptom(
        r"invalid file magic|supplied file was not in GGUF format",
        "the GGUF file is damaged, or of a form that this Ollama does not read",
        "Remove the conversion's folder, so that `pulumi up` makes it again; a newer "
        "images.ollama.version reads newer forms of models[].gguf_conversion.quantization",
    ),
    symptom(
        r"address already in use|port is already allocated|Cannot find empty port in range",
        "a port is taken",
        "`ss -ltnp` shows on the host what listens there",
        api="Choose another api.port: `ss -ltnp` shows on the host what listens there. Where "
        "nothing does, docker restart ends a second process in the container",
        board="Choose another board.port: `ss -ltnp` shows on the host what listens there. Where "
        "nothing does, docker restart ends a second process in the container",
        ollama_server="Choose another ollama_server.port: `ss -ltnp` shows on the host what "
        "listens there. Where nothing does, docker restart ends a second process in the container",
        training_run="Choose another host.cluster.master_port, the same on every host",
    ),
    symptom(
        r"Could not create share link",
        "Gradio could not make a public link to the Board",
        "Set board.share: false, and reach it through board.bind_address or an ssh tunnel; the "
        "link needs a way to gradio.live",
    ),
)
