"""Generated from protos/sfumato/inference; do not edit."""
