"""The reverse proxy: TLS and a password in front of what keeps running (R4)."""

from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path

from plan.container import Container, Port
from plan.problem import Problem
from plan.secret import API_KEY, REVERSE_PROXY_PASSWORD, REVERSE_PROXY_TLS_KEY
from plan.service import Healthcheck, ServicePlan
from planning.step import Surroundings
from stack_configs.settings.reverse_proxy import ReverseProxyPorts
from stack_configs.settings.root import Settings

PASSWORD, TLS_KEY = "reverse_proxy_password", "reverse_proxy_tls_key"
CERTIFICATE = "REVERSE_PROXY_CERTIFICATE"

INTERNAL_PORTS: Mapping[str, int] = ReverseProxyPorts().model_dump()
"""Where it listens in its container, by the section of the service behind."""

OPTIONS = """\
{
	admin off
	auto_https off
	servers {
		protocols h1 h2
	}
}
"""

SITE = """\
https://:{port} {{
	tls /tmp/certificate.pem /tmp/key.pem
	@stranger expression `{{http.request.header.Authorization}} != "Bearer " + {{env.{password}}}`
	basicauth @stranger {{
		{username} {{env.REVERSE_PROXY_HASH}}
	}}
	reverse_proxy {upstream} {{
		header_up {authorization}
		flush_interval -1
	}}
}}
"""
"""One service, in Caddy's own words. The password is compared where it is used: no text that is
written anywhere holds it."""

FORGETS_THE_PROXYS_OWN = "-Authorization"
"""What came with the request is the proxy's own, and nothing for the service behind."""
KNOWS_THE_KEY = f'Authorization "Bearer {{env.{API_KEY}}}"'


def plan_reverse_proxy(
    settings: Settings, around: Surroundings, services: Sequence[ServicePlan]
) -> ServicePlan | None:
    """The reverse proxy in front of these services, or None where the settings leave it out."""
    proxy, image = settings.reverse_proxy, around.images.reverse_proxy
    if not proxy.enabled or image is None or proxy.certificate is None:
        return None
    published = proxy.ports.model_dump()
    return ServicePlan(
        name=around.names.reverse_proxy,
        title="start the reverse proxy",
        settings="reverse_proxy",
        fronts={service.settings: service.path for service in services},
        container=Container(
            image=image.reference,
            command=(caddyfile(services, username=proxy.username),),
            environment={CERTIFICATE: Path(proxy.certificate).read_text(encoding="utf-8")},
            network=around.names.network,
            ports=tuple(
                Port(
                    internal=INTERNAL_PORTS[service.settings],
                    external=published[service.settings],
                    bind_address=proxy.bind_address,
                )
                for service in services
            ),
            limits=around.limits,
            # Everywhere: the key is written to a /tmp that is no disk.
            read_only_root=True,
        ),
        healthcheck=Healthcheck(
            tests=("CMD", "bash", "-c", f": </dev/tcp/127.0.0.1/{INTERNAL_PORTS['ollama_server']}"),
            interval=10,
            start_period=30,
            wait=120,
        ),
        secret_environment=(REVERSE_PROXY_PASSWORD, REVERSE_PROXY_TLS_KEY, API_KEY),
    )


def caddyfile(services: Sequence[ServicePlan], *, username: str) -> str:
    """Caddy's configuration for these services."""
    sites = (
        SITE.format(
            port=INTERNAL_PORTS[service.settings],
            username=username,
            password=REVERSE_PROXY_PASSWORD,
            upstream=f"{service.name}:{service.port.internal}",
            authorization=KNOWS_THE_KEY if service.settings == "api" else FORGETS_THE_PROXYS_OWN,
        )
        for service in services
    )
    return "".join((OPTIONS, *sites))


def reverse_proxy_problems(settings: Settings, configured: Set[str]) -> Iterator[Problem]:
    """What it cannot start without. `configured` are the stack's secrets that are set."""
    if not settings.reverse_proxy.enabled:
        return
    for name, what, way in (
        (PASSWORD, "password to ask for", PASSWORD),
        (TLS_KEY, "private key of its certificate", f"{TLS_KEY} < key.pem"),
    ):
        if name not in configured:
            yield Problem(
                "reverse_proxy.enabled",
                "true",
                f"the stack has no {what}",
                f"Run `pulumi config set --secret {way}`",
            )
