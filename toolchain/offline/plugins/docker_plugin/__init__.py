"""The stand-in for pulumi-docker 5.2.0: volumes, networks, images and containers."""
