"""The clients: one description of each call, a blocking and an asynchronous face, and streams."""
