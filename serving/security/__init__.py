"""Who may call: certificates, tokens, and where the server listens."""
