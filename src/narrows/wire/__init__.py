"""Codecs between bytes and messages: no I/O, no clock, no randomness; all they raise is `ProtocolError`."""
