"""Programs that show how to use Sfumato."""
