"""The Open Inference Protocol, version 2, over HTTP, as KServe and Triton speak it: /v2.

https://github.com/kserve/open-inference-protocol, with Triton's extensions for binary tensors, classification, the
index of the repository and the configuration of models.
"""
