#!/bin/sh
# Removes from a site-packages what the service never loads.
set -eu
cd "$1"

find . -type d -name tests -prune -exec rm -r {} +

# For making and changing models.
rm -r onnxruntime/quantization onnxruntime/tools onnxruntime/transformers

# onnxruntime-gpu: of the CUDA libraries its CUDA provider needs cublas, cublasLt, curand and cudart to load
# (readelf --dynamic), and opens cuDNN and nvrtc itself; cuDNN opens its parts, nvrtc and nvJitLink. That leaves:
# cuFFT, for the operators Rfft and Irfft alone, which no model here has; and two wrappers for other programs.
rm -f nvidia/cu*/lib/libcufft.so.* nvidia/cu*/lib/libcufftw.so.* nvidia/cu*/lib/libnvblas.so.*
# Needs TensorRT, which is not installed.
rm -f onnxruntime/capi/libonnxruntime_providers_tensorrt.so
# For compilers.
rm -rf nvidia/*/include nvidia/*/lib/*.a
