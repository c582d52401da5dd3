"""Five Docker resources and nothing else: what Pulumi itself costs."""

import pulumi
import pulumi_docker as docker

name = f"five-resources-{pulumi.get_stack()}"
image = docker.RemoteImage("image", name="debian:trixie-slim", keep_locally=True)
network = docker.Network("network", name=name)
volumes = [docker.Volume(role, name=f"{name}-{role}") for role in ("data", "output")]
docker.Container(
    "container",
    name=name,
    image=image.name,
    command=["sleep", "infinity"],
    destroy_grace_seconds=0,
    networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network.name)],
    mounts=[
        docker.ContainerMountArgs(type="volume", source=volume.name, target=f"/{index}")
        for index, volume in enumerate(volumes)
    ],
)
