"""Codecs between bytes and messages: no I/O, no clock, no randomness; `errors.ProtocolError` is all they raise."""
