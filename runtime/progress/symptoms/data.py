"""Data sets, chat templates and tokenizers."""

from runtime.progress.symptoms.symptom import symptom

SYMPTOMS = (
    symptom(
        r"Undefined dataset \S+ in dataset_info\.json",
        "a data set is not registered under this name",
        "Declare it in datasets[].name, under the name that training_runs[].datasets uses",
        board="Declare it in datasets[].name, and choose it in the Board again",
    ),
    symptom(
        r"llamafactory/data/converter\.py\"(?:[^\n]*\n){1,16}?KeyError: '[^']*'",
        "the rows of a data set lack the column, or the key, of this name",
        "Name the columns as the file does in datasets[].columns, and for conversations the keys "
        "of a turn in datasets[].tags; datasets[].formatting must fit them",
    ),
    symptom(
        r"Cannot find (?:valid|sufficient) samples",
        "no row of the data sets can be trained on: none has a question and an answer as the run's "
        "stage reads them",
        "Look at datasets[].columns, .formatting and .tags: `Dropped invalid example` in the log "
        "shows what was read. The answer must fit into training_runs[].cutoff_len",
    ),
    symptom(
        r"not applicable in the current training stage",
        "a ranked data set was given to a run that wants none, or the other way round",
        "Set datasets[].ranking: true for rows with chosen and rejected answers, which "
        "training_runs[].stage rm and dpo want, and false for all others",
    ),
    symptom(
        r"JSONDecodeError|DatasetGenerationError|ArrowInvalid|Couldn't cast array of type"
        r"|Failed to (?:load|read) (?:JSON|file)",
        "a data file cannot be read: its rows are no JSON, or differ in their columns' types",
        "Look at the file of datasets[].file: every row has the same keys, and each key the same "
        "kind of value",
    ),
    symptom(
        r"Template \S+ does not exist",
        "this LLaMA-Factory has no chat template of this name",
        "Choose another models[].template, or a release that has it: images.llamafactory.version",
    ),
    symptom(
        r"does not support (?:image|video|audio) input|number of (?:images|videos|audios) does not "
        r"match",
        "the rows hold images, videos or audio that the chat template has no place for",
        "Choose the models[].template of the model that sees or hears them, and name each of them "
        "by its placeholder in the text",
    ),
    symptom(
        r"Can't load tokenizer for|Couldn't instantiate the backend tokenizer"
        r"|Failed to load tokenizer|make sure [^\n]*all relevant files for a \S+ tokenizer",
        "the base model has no tokenizer that can be loaded",
        "Put tokenizer.json or tokenizer.model, and tokenizer_config.json, beside the weights in "
        "models[].base_model.path; on the hub, look at .hub and .revision",
        is_general=True,
    ),
)
