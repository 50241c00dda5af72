"""From a checkpoint to a bundle: ONNX in several precisions, compared with PyTorch."""
