"""The hub and the way to it."""

from runtime.progress.symptoms.symptom import symptom

AGAIN = "Run `pulumi up` again: what has been downloaded stays"

SYMPTOMS = (
    symptom(
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|self[- ]signed certificate"
        r"|unable to get local issuer certificate|x509: certificate signed by unknown authority",
        "the hub's certificate is not trusted: a proxy in between signs with its own",
        "Hand over the proxy's certificate in images.certificate_authority",
    ),
    symptom(
        r"ProxyError|Cannot connect to proxy|Tunnel connection failed"
        r"|407 Proxy Authentication Required",
        "the proxy refused the connection to the hub",
        "Look at the proxy in the engine's ~/.docker/config.json (proxies), which containers get, "
        "or do without the hub: models[].base_model.path",
    ),
    symptom(
        r"429 (?:Client Error|Too Many Requests)|HTTP Error 429|status code 429",
        "the hub allows no more requests for now",
        "Wait some minutes and run `pulumi up` again: what has been downloaded stays. With a token "
        "(`pulumi config set --secret hub_token`, of ModelScope modelscope_token) the hub allows "
        "more",
    ),
    symptom(
        r"gated repo|GatedRepoError|401 Client Error|403 Client Error|invalid user token"
        r"|Invalid username or password",
        "the model hub refused access to the model",
        "Accept the terms on the page of models[].base_model.hub, then hand over a token that may "
        "read it: `pulumi config set --secret hub_token`, of ModelScope modelscope_token",
    ),
    symptom(
        r"repository not found|RepositoryNotFoundError|RevisionNotFoundError"
        r"|is not a valid git identifier|is not a local folder and is not a valid model identifier"
        r"|Incorrect path_or_model_id",
        "the model hub does not know this model or revision",
        "Look at models[].base_model.hub and .revision; for a private model: "
        "`pulumi config set --secret hub_token`, of ModelScope modelscope_token. A folder goes "
        "into .path instead",
    ),
    symptom(
        r"Consistency check failed|IncompleteRead|ChunkedEncodingError"
        r"|peer closed connection without sending complete|Error while deserializing header"
        r"|SafetensorError: [^\n]*(?:incomplete|invalid)|Connection broken",
        "a download was cut off, or has left a damaged file",
        AGAIN + ". If it fails at the same file, remove that one from volumes.hf_cache",
    ),
    symptom(
        r"ReadTimeout|Read timed out|The read operation timed out|ConnectTimeout"
        r"|Connection timed out",
        "the hub answered too slowly",
        AGAIN + ". On a slow way to it, put the weights into a volume and name their folder in "
        "models[].base_model.path",
        is_general=True,
    ),
    symptom(
        r"outgoing traffic has been disabled|offline mode is enabled|OfflineModeIsEnabled"
        r"|Cannot find an appropriate cached snapshot",
        "a file was asked of the hub by a step that has all its files, so that it may not ask",
        "Look whether the folder in models[].base_model.path holds the whole model: config.json, "
        "tokenizer and weights. One on the hub goes into .hub",
    ),
    symptom(
        r"Temporary failure in name resolution|Name or service not known|Failed to resolve"
        r"|nodename nor servname|getaddrinfo failed|NameResolutionError",
        "a host name could not be resolved in the container",
        "Look at the DNS servers of the engine (/etc/resolv.conf, or dns in "
        "/etc/docker/daemon.json); without a way to the hub: models[].base_model.path",
    ),
    symptom(
        r"LocalEntryNotFoundError|couldn't connect to|max retries exceeded|connection refused"
        r"|network is unreachable|ConnectError",
        "the hub cannot be reached from the container",
        "Look at the host's network and proxy, or put the weights into a volume and name their "
        "folder in models[].base_model.path",
        is_general=True,
    ),
)
