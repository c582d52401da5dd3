"""What is in each image of a stack: a bill of materials in CycloneDX's format."""
