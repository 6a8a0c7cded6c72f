"""How a scenario can end before its last step."""


class Failed(Exception):
    """The resolver did not behave as the scenario demands."""


class Skipped(Exception):
    """The scenario needs something this runner cannot do."""
