"""Breaks a converging stack for real, runs `up` once, and judges what that left."""
