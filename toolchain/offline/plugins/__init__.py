"""Stand-ins for the official `docker` and `command` plugins, for hosts that cannot download them.

They serve the official type tokens against the real engine, for the resources and properties that
the stack uses, with check, diff, create, read, update and delete as the official plugins do them
(pulumi-docker 5.2.0 over kreuzwerker/docker 4.5.0, pulumi-command 1.2.1 over pulumi-go-provider
1.3.0). What they do not serve they refuse by name; nothing is ignored.
"""
