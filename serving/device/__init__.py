"""Networks on a device: ONNX Runtime, CUDA graphs, the threads that compute, and their queue."""
