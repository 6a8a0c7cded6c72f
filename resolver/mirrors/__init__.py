"""Local copies of zones: how they come, are checked, kept on disk and answer lookups (RFC 8806).

``copy`` holds a zone, ``answer`` replies from it, ``shelf`` is what resolutions see. ``keep`` has
the timers, ``round`` looks at sources, ``transfer`` asks a primary, ``wire`` is the door for tasks,
``intake`` reads, ``check`` decides, ``store`` writes to disk. What is wanted comes from the
configuration as ``wanted``.
"""
