"""What can go wrong with one relay or one row, in words for whoever runs the comparison: it is
printed, and the rest goes on."""


class Trouble(Exception):
    pass


class DidNotStart(Trouble):
    """The relay is of no use for the rows that follow."""
