"""Where a question may go, and whether an answer is altered."""

from resolver import compiled

__path__[:0] = compiled.places(__name__)
