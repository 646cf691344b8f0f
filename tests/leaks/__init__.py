"""The leak corpus over the wire: does anything that is labelled reach a caller who may not see it?"""
