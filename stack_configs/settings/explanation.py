"""What pydantic found wrong, in an operator's words."""

import re
from collections.abc import Iterable, Iterator, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from plan.problem import Problem
from stack_configs.settings.release_arguments import RELEASE_ARGUMENTS
from stack_configs.settings.root import Settings
from stack_configs.settings.rule import RULE, SECRET_KEY
from stack_configs.settings.run_spelling import ELSEWHERE
from stack_configs.settings.training_runs import TrainingRunSettings
from stack_configs.settings.way_out import did_you_mean, find_way_out

TYPE_RULES = {
    "model_": "must be a section with keys of its own",
    "dict_": "must be a section with keys of its own",
    "tuple_": "must be a list",
    "list_": "must be a list",
    "path_": "must be a path",
    "int_": "must be a whole number",
    "float_": "must be a number",
    "bool_": "must be true or false",
    "string_type": "must be text",
    "invalid_key": "a key must be text",
}
"""What a value must be, by the beginning of pydantic's name for the error."""

LONGEST_PATTERN = 40
"""A longer one is for programs to read."""

MOST_EXPLAINED = 500
"""A file with more problems is another kind of file."""

Location = tuple[int | str, ...]


def find_problems(error: ValidationError) -> list[Problem]:
    """One problem per setting: a value that fits no member of a union is one mistake, not five."""
    grouped: dict[Location, list[ErrorDetails]] = {}
    for detail in error.errors():
        if detail["type"] == "too_short" and detail["input"]:
            continue  # pydantic counts only the valid items; what ails the others is said already
        grouped.setdefault(_location_in_settings(detail), []).append(detail)
    explained = list(grouped.items())[:MOST_EXPLAINED]
    problems = [_problem(location, details) for location, details in explained]
    if more := len(grouped) - len(explained):
        problems.append(Problem("settings", "", f"{more} more are wrong", "Correct these first"))
    return problems


def _problem(location: Location, details: Sequence[ErrorDetails]) -> Problem:
    key = _key(location) or "settings"
    detail = details[0]
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == RULE:
        return Problem(key, context["value"], context["rule"], _sentence(context["way_out"]))
    if kind == "missing":
        return Problem(key, "", "it is required and missing", "Add it")
    if kind == "extra_forbidden":
        return _unknown_key(key, location, detail["input"])
    rule = " or ".join(dict.fromkeys(_rule(each) for each in details))
    field = _field_at(location)
    if kind == "string_pattern_mismatch" and field and field.description:
        meant = f"{field.description[:1].lower()}{field.description[1:].rstrip('.')}"
        is_readable = len(context["pattern"]) <= LONGEST_PATTERN
        rule = f"{rule} ({meant})" if is_readable else f"must be written otherwise ({meant})"
    way_out = find_way_out(details, field, is_name=location[-1:] == ("name",))
    return Problem(key, _shown(detail["input"]), rule, way_out)


def _rule(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    for prefix, rule in TYPE_RULES.items():
        if kind.startswith(prefix):
            return rule
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind == "too_short":
        return f"must have at least {context['min_length']} entry"
    message = detail["msg"].removeprefix("Input ").removeprefix("String ")
    return message.replace("should", "must", 1)


def _unknown_key(key: str, location: Location, value: Any) -> Problem:
    name = str(location[-1])
    if SECRET_KEY.search(name):
        # The value is not echoed: it may be a real credential.
        way_out = f"A secret never belongs in this file: `pulumi config set --secret {name}`"
        return Problem(key, "", "no such setting", way_out)
    shown = _shown(value) if isinstance(value, str | int | float | bool) else ""
    known = _fields_at(location[:-1])
    way_out = did_you_mean(name, known, also=_known_beside(location[:-1]))
    if not way_out.startswith("Did you mean") and (place := _place_elsewhere(name)):
        way_out = place
    return Problem(key, shown, "no such setting", way_out)


def _place_elsewhere(name: str) -> str | None:
    """Where an argument of LLaMA-Factory belongs that stands outside of a run."""
    if name in ELSEWHERE:
        return ELSEWHERE[name][1]
    if name in RELEASE_ARGUMENTS or name in TrainingRunSettings.model_fields:
        return "Write it into a training run, under models[].training_runs"
    return None


def _shown(value: Any) -> str:
    """A scalar as it is. What a section holds is not repeated: there may be a secret inside."""
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list | tuple):
        return "a list"
    # What stands before an @ may be a password. A word at a time: no long text takes long.
    return re.sub(r"[^\s/'\"]+", _without_password, repr(value))


def _without_password(word: re.Match[str]) -> str:
    before, at, after = word[0].rpartition("@")
    return f"***@{after}" if before and at else word[0]


def _location_in_settings(detail: ErrorDetails) -> Location:
    """Where an error is, without the names that pydantic gives to the members of a union."""
    location: list[int | str] = []
    annotation: Any = Settings
    for part in detail["loc"]:
        members = list(_members(annotation))
        if section := next((m for m in members if _is_section(m)), None):
            location.append(str(part))
            field = _field(section, str(part))
            annotation = field.annotation if field else None
        elif isinstance(part, int) and (items := _arguments_of(members, tuple, list)):
            location.append(part)
            annotation = items[0]
        elif entries := _arguments_of(members, dict):
            location.append(str(part))
            annotation = entries[1]
        else:
            break
    return tuple(location)


def _fields_at(location: Location) -> list[str]:
    """The settings that exist where an unknown one was found."""
    section = _section_at(location)
    if section is None:
        return []
    fields = section.model_fields.items()
    return [word for name, field in fields for word in dict.fromkeys((name, *_aliases(field)))]


def _known_beside(location: Location) -> Iterable[str]:
    """What may be written in a section though it is no setting of it."""
    known: Iterable[str] = getattr(_section_at(location), "known_beside", ())
    return sorted(known)


def _section_at(location: Location) -> type[BaseModel] | None:
    section: type[BaseModel] | None = Settings
    for part in location:
        if isinstance(part, int) or section is None:
            continue
        field = _field(section, part)
        section = _section_in(field.annotation) if field else None
    return section


def _field_at(location: Location) -> FieldInfo | None:
    """The setting at a place, without the entries of lists."""
    names = [part for part in location if isinstance(part, str)]
    section: type[BaseModel] | None = Settings
    field: FieldInfo | None = None
    for name in names:
        field = _field(section, name) if section else None
        section = _section_in(field.annotation) if field else None
    return field


def _field(section: type[BaseModel], key: str) -> FieldInfo | None:
    for name, field in section.model_fields.items():
        if key == name or key in _aliases(field):
            return field
    return None


def _aliases(field: FieldInfo) -> list[str]:
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else []
    return [choice for choice in choices if isinstance(choice, str)]


def _members(annotation: Any) -> Iterator[Any]:
    """The types that a value may have: a union's members, without their constraints."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _arguments_of(members: Sequence[Any], *origins: type) -> tuple[Any, ...]:
    return next((get_args(m) for m in members if get_origin(m) in origins), ())


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_in(part))), None)


def _key(location: Location) -> str:
    key = ""
    for part in location:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else part
    return key


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
