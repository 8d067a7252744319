"""Reaching staff: the channels of a page, the words each bears, and who keeps count of them."""
