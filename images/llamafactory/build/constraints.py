"""Prints pip constraints: what no package may replace.

torch belongs to the base image: it was built for the accelerator, the one on the index was not.
"""

from importlib.metadata import distributions

for name in ("torch", "torchvision", "torchaudio", "torch_npu", "triton", "flash_attn"):
    for found in distributions(name=name):
        print(f"{found.metadata['Name']}=={found.version}")
        break
# A release that is broken, as LLaMA-Factory has declared only since 0.9.5.
print("transformers!=5.6.0")
