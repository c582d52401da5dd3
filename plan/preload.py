"""A library loaded before all others, where the static TLS block is exhausted (F5)."""

ALWAYS = "/"

SCRIPT = (
    'if [ -e "$1" ]; then for library in $2; do '
    '[ -e "$library" ] && export LD_PRELOAD="$library" && break; done; fi; shift 2; exec "$@"'
)


def preloading(command: tuple[str, ...], pattern: str, *, where: str = ALWAYS) -> tuple[str, ...]:
    """The same command with the library preloaded; the globs are resolved inside the container.

    `where`: a path of the container that must be there for it.
    """
    return ("sh", "-c", SCRIPT, "preload", where, pattern, *command)
