import signal

# In the background of a shell, SIGINT is ignored, and every program started from there inherits
# that; the tests of Ctrl-C need what a user's terminal gives.
signal.signal(signal.SIGINT, signal.default_int_handler)
