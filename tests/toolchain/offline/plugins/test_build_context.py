"""The digest and the archive of a build, and the rules of an ignore file."""

from __future__ import annotations

import hashlib
import tarfile

import pytest

from toolchain.offline.plugins.docker_plugin.build_context import BuildContext
from toolchain.offline.plugins.docker_plugin.ignore_rules import IgnoreRules


def context_with(folder, **files):
    for name, text in {"Dockerfile": "FROM scratch\n", **files}.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
    return BuildContext(folder, folder / "Dockerfile")


def entries(context):
    packed, _ = context.archive()
    with packed, tarfile.open(fileobj=packed) as archive:
        return archive.getmembers()


def test_digest_is_the_official_one(tmp_path):
    # hashContext in pulumi-docker: name, mode, SHA-256 of the content and a zero byte for each.
    context = context_with(tmp_path, a="one", b__c="two")

    def entry(name, mode, content):
        return name.encode() + mode.encode() + hashlib.sha256(content).digest() + b"\0"

    expected = hashlib.sha256(
        entry("Dockerfile", "----------", b"FROM scratch\n")
        + entry("Dockerfile", "-rw-r--r--", b"FROM scratch\n")
        + entry("a", "-rw-r--r--", b"one")
        + entry("b/c", "-rw-r--r--", b"two")
    )
    assert context.digest() == expected.hexdigest()


def test_folders_and_files_are_walked_in_one_lexical_order(tmp_path):
    # Go's WalkDir: the folder `b` and what is in it comes before the file `c`.
    context = context_with(tmp_path, a="", b__z="", c="")
    names = [entry.name for entry in entries(context)]
    assert names == [".", "Dockerfile", "a", "b", "b/z", "c"]


def test_archive_keeps_the_build_files_that_are_ignored(tmp_path):
    context = context_with(tmp_path, a="")
    (tmp_path / ".dockerignore").write_text("*\n!a\n")
    names = [entry.name for entry in entries(context)]
    assert names == [".", ".dockerignore", "Dockerfile", "a"]


def test_archive_belongs_to_root_and_begins_with_a_plain_header(tmp_path):
    context = context_with(tmp_path, **{"n" * 120: ""})
    packed, dockerfile = context.archive()
    with packed:
        first = packed.read(512)
    assert dockerfile == "Dockerfile"
    assert first[:1] == b"."
    assert first[156:157] == tarfile.DIRTYPE
    assert {entry.uid for entry in entries(context)} == {0}


def test_a_rule_file_of_the_dockerfiles_own_goes_first(tmp_path):
    context = context_with(tmp_path, a="", b="")
    (tmp_path / ".dockerignore").write_text("a\n")
    (tmp_path / "Dockerfile.dockerignore").write_text("b\n")
    names = [entry.name for entry in entries(context)]
    assert "a" in names
    assert "b" not in names


def test_a_link_counts_by_where_it_points(tmp_path):
    context = context_with(tmp_path, a="one", b="two")
    (tmp_path / "link").symlink_to("a")
    before = context.digest()
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("b")
    assert context.digest() != before


@pytest.mark.parametrize(
    ("rules", "ignored", "taken"),
    [
        ("*.md", ["a.md"], ["sub/a.md", "a.txt"]),
        ("**/*.md", ["a.md", "sub/deep/a.md"], ["a.txt"]),
        ("sub", ["sub", "sub/a", "sub/deep/a"], ["subway"]),
        ("/sub/", ["sub/a"], ["other/sub/a"]),
        ("sub\n!sub/keep", ["sub/a"], ["sub/keep"]),
        ("a?c", ["abc"], ["ac", "a/c"]),
        ("[ab].txt", ["a.txt"], ["c.txt"]),
        ("# a comment\n\n.", [], ["anything"]),
        ("sub/**", ["sub/a", "sub/b/c"], ["sub"]),
        ("!a\na", ["a"], []),
    ],
)
def test_ignore_rules(rules, ignored, taken):
    compiled = IgnoreRules.parse(rules)
    assert [path for path in ignored if not compiled.ignores(path)] == []
    assert [path for path in taken if compiled.ignores(path)] == []
