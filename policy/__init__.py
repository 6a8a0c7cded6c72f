"""Where a question may go, and whether an answer is altered."""
