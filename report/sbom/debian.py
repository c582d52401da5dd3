"""Packages of Debian and Ubuntu, by dpkg's own status."""

from collections.abc import Iterator, Mapping
from email.parser import HeaderParser

from cyclonedx.model.component import Component
from packageurl import PackageURL

STATUS = "/var/lib/dpkg/status"
SYSTEM = "/etc/os-release"


def debian_packages(records: Mapping[str, bytes]) -> Iterator[Component]:
    """Each package that is installed; none of an image without dpkg."""
    system = system_of(records)
    status = records.get(STATUS, b"").decode("utf-8", "replace")
    for stanza in status.split("\n\n"):
        fields = HeaderParser().parsestr(stanza.lstrip("\n"))
        # The third word is what became of it; `deinstall ok config-files` is no more than a trace.
        if (fields["Status"] or "").split()[2:] != ["installed"]:
            continue
        purl = PackageURL(
            type="deb",
            namespace=system.get("ID", "debian"),
            name=fields["Package"],
            version=fields["Version"],
            qualifiers={
                "arch": fields["Architecture"] or "",
                "distro": f"{system.get('ID', 'debian')}-{system.get('VERSION_ID', '')}",
                # Advisories are of source packages.
                "upstream": (fields["Source"] or "").replace(" (", "@").removesuffix(")"),
            },
        )
        yield Component(
            name=fields["Package"],
            version=fields["Version"],
            purl=purl,
            bom_ref=purl.to_string(),
        )


def system_of(records: Mapping[str, bytes]) -> Mapping[str, str]:
    """What the image says of its distribution."""
    lines = records.get(SYSTEM, b"").decode("utf-8", "replace").splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}
