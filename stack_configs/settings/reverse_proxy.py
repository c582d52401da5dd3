"""Settings of the reverse proxy: TLS and a password in front of what keeps running (R4)."""

import os
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from stack_configs.settings.rule import rule_error
from stack_configs.settings.strict_model import (
    BindAddress,
    Port,
    StrictModel,
    found_from_the_settings,
)

CERTIFICATE = "-----BEGIN CERTIFICATE-----"
PRIVATE_KEY = "PRIVATE KEY-----"


class ReverseProxyPorts(StrictModel):
    """Ports on the host, by the section of the service behind: of those that run."""

    ollama_server: Annotated[Port, Field(description="Port of Ollama.")] = 11443
    board: Annotated[Port, Field(description="Port of LLaMA Board.")] = 7443
    api: Annotated[Port, Field(description="Port of the API.")] = 8443
    tensorboard: Annotated[Port, Field(description="Port of TensorBoard.")] = 6443
    metrics: Annotated[Port, Field(description="Port of the metrics.")] = 9443


class ReverseProxySettings(StrictModel):
    """HTTPS in front of every service that runs, for those who have the password.

    Browsers ask for name and password; programs send the password as `Authorization: Bearer`.
    """

    enabled: Annotated[bool, Field(description="Whether the reverse proxy runs.")] = False
    bind_address: BindAddress = "127.0.0.1"
    ports: ReverseProxyPorts = ReverseProxyPorts()
    username: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]*$",
            max_length=80,
            description="Who comes in. The password: `pulumi config set --secret "
            "reverse_proxy_password`.",
        ),
    ] = "operator"
    certificate: Annotated[
        str | None,
        Field(
            description="PEM file of its certificate and those that vouch for it. The private key: "
            "`pulumi config set --secret reverse_proxy_tls_key < key.pem`.",
            examples=["certificates/models.example.org.pem"],
        ),
    ] = None

    @field_validator("certificate")
    @classmethod
    def _found_from_the_settings(cls, value: str | None, info: ValidationInfo) -> str | None:
        path = found_from_the_settings(value, info)
        if path is None:
            return value
        if not os.path.isfile(path):  # noqa: PTH113 - of any length
            raise rule_error(f"file {value} does not exist", "correct the path")
        text = path.read_text(encoding="utf-8", errors="replace")
        if PRIVATE_KEY in text:
            raise rule_error(
                f"{value} holds a private key, which would end up in plain state",
                "keep the certificates in a file of their own, and give the key with `pulumi "
                "config set --secret reverse_proxy_tls_key`",
            )
        if CERTIFICATE not in text:
            raise rule_error(
                f"{value} holds no certificate in PEM ({CERTIFICATE})", "name a file that does"
            )
        return str(path)

    @model_validator(mode="after")
    def _has_a_certificate(self) -> Self:
        if self.enabled and self.certificate is None:
            raise rule_error(
                "it speaks HTTPS, and has no certificate",
                "set reverse_proxy.certificate; docs/reverse_proxy.md says how to get one",
            )
        return self
