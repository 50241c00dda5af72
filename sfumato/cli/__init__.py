"""The command line: `sfumato stylize`, `styles`, `video` and their options."""
