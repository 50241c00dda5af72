"""Everything that sees messages: the servicers of both protocols, what they read and write."""
