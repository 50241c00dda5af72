"""What a network sees: class models, features, dreams, and the priors that make them legible."""
