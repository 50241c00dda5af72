"""The Lightning application: trains networks, exports them as bundles (``python -m training``)."""
