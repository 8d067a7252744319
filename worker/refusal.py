"""What a step declines to do, in the words of whoever asked for it."""


class RefusedError(Exception):
    """The request can't be carried out as it stands; the message says what to do instead.

    Nothing was changed. The command line ends with 2, the console shows the sentence.
    """
