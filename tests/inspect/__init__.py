# ruff: noqa: A005 - a package of tests, imported as tests.inspect only
