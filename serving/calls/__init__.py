"""One call: who called, whether it comes in, how long it may take, what status it ends with."""
