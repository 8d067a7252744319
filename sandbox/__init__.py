"""A Twilio-compatible carrier to develop, test, demonstrate and measure against.

It stands where Twilio would stand and imports nothing of the product, so that it stays an honest
stranger: it signs with its own HMAC, keeps its own log, and judges texts by its own rules.
"""
